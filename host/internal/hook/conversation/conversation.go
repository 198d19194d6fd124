package conversation

import (
	"context"
	"fmt"
	"slices"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Name is the name under which the bridging's progress is stored.
const Name id.HookName = "conversations"

// Direction says which way messages go between a member and its conversation.
type Direction int

const (
	// Both ways.
	Both Direction = iota
	// In: what is said in the member goes to the others, nothing comes back.
	In
	// Out: what the others say goes to the member, nothing else.
	Out
)

// Member is one channel of a conversation.
type Member struct {
	// Channel as the config names it.
	Channel   hook.Channel
	Direction Direction
	// Name is how the authors of the others look here; DefaultName if empty.
	Name Format
}

// Conversation is a set of channels that hear each other.
type Conversation struct {
	Name    string
	Members []Member
}

// Canonical gives a channel of the config its canonical source.
type Canonical func(hook.Channel) hook.Channel

// Hook bridges conversations. Safe for concurrent use.
type Hook struct {
	conversations []Conversation
	canonical     Canonical
}

// New makes the hook.
func New(conversations []Conversation, canonical Canonical) (*Hook, error) {
	for _, c := range conversations {
		for i, m := range c.Members {
			if slices.ContainsFunc(c.Members[:i], func(o Member) bool { return o.Channel == m.Channel }) {
				return nil, fmt.Errorf("conversation %q has channel %q twice", c.Name, m.Channel)
			}
		}
	}
	return &Hook{conversations: conversations, canonical: canonical}, nil
}

// Name implements hook.Hook.
func (h *Hook) Name() id.HookName { return Name }

// Receive implements hook.Hook. What is ours never goes anywhere: not when it is
// an echo, and not when another device of the same account said it.
func (h *Hook) Receive(_ context.Context, d *hook.Delivery) ([]hook.Send, error) {
	message := d.Event.GetMessage()
	if d.Ours || d.Event.History || message == nil || blank(message.Text) {
		return nil, nil
	}
	var sends []hook.Send
	for _, c := range h.conversations {
		from := slices.IndexFunc(c.Members, func(m Member) bool {
			return m.Direction != Out && h.canonical(m.Channel) == d.Channel
		})
		if from < 0 {
			continue
		}
		for i, m := range c.Members {
			if i == from || m.Direction == In {
				continue
			}
			sends = append(sends, hook.Send{Channel: m.Channel, Action: &plugv1.Action{
				Author: &plugv1.Author{User: d.Event.Author, FormattedName: m.Name.format(d)},
				Kind:   &plugv1.Action_Message{Message: message},
			}})
		}
	}
	return sends, nil
}
