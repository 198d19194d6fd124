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
	// MassMentions: a mass mention by the others may notify everybody here. Otherwise
	// it is text.
	MassMentions bool
	// CatchUp bounds what comes late to the member; nil: nothing does.
	CatchUp *hook.CatchUp
}

// Deletes says whose deletes delete the copies.
type Deletes int

const (
	// DeletesOrigin: a delete in the channel where the message was written.
	DeletesOrigin Deletes = iota
	// DeletesAny: a delete of any copy deletes the message and all other copies, as far
	// as the networks let us.
	DeletesAny
	// DeletesNone: nothing is deleted elsewhere.
	DeletesNone
)

// Conversation is a set of channels that hear each other.
type Conversation struct {
	Name    string
	Members []Member
	Deletes Deletes
}

// Channels knows the channels of the config.
type Channels interface {
	// Canonical gives a channel its canonical source.
	Canonical(hook.Channel) hook.Channel
	// Version changes whenever what Canonical gives may have changed.
	Version() uint64
}

// People remembers whom the names mean that we show on a network.
type People interface {
	// Show notes that a name on a network means a user of another one.
	Show(ctx context.Context, on id.NetworkID, name string, of id.NetworkID, user *plugv1.User)
	// Who tells whom a name means; ok is false if it is not known.
	Who(ctx context.Context, on id.NetworkID, name string) (of id.NetworkID, user *plugv1.User, ok bool)
	// NetworkOf gives the network of a plug instance; empty before its first start.
	NetworkOf(id.InstanceName) id.NetworkID
}

// Hook bridges conversations. Safe for concurrent use.
type Hook struct {
	conversations []Conversation
	hearing       hearing
	people        People
	recent        *recent
}

// New makes the hook. people may be nil: then nobody of another network is mentioned.
func New(conversations []Conversation, channels Channels, people People) (*Hook, error) {
	for _, c := range conversations {
		for i, m := range c.Members {
			if slices.ContainsFunc(c.Members[:i], func(o Member) bool { return o.Channel == m.Channel }) {
				return nil, fmt.Errorf("conversation %q has channel %q twice", c.Name, m.Channel)
			}
		}
	}
	return &Hook{conversations: conversations, hearing: hearing{channels: channels}, people: people, recent: newRecent(recentMessages)}, nil
}

// Name implements hook.Hook.
func (h *Hook) Name() id.HookName { return Name }

// Receive implements hook.Hook. What is ours never goes anywhere: not when it is
// an echo, and not when another device of the same account did it. Members who come
// and go, titles and states of channels are not bridged: control events never become
// chat.
func (h *Hook) Receive(ctx context.Context, d *hook.Delivery) ([]hook.Send, error) {
	if d.Ours || d.Event.History {
		return nil, nil
	}
	switch k := d.Event.Kind.(type) {
	case *plugv1.Event_Message:
		return h.message(ctx, d, k.Message), nil
	case *plugv1.Event_Edit:
		return h.edit(ctx, d, k.Edit), nil
	case *plugv1.Event_Delete:
		return h.delete(d, k.Delete), nil
	case *plugv1.Event_ReactionAdded:
		return h.react(d, []*plugv1.Reaction{k.ReactionAdded.Reaction}, nil), nil
	case *plugv1.Event_ReactionRemoved:
		return h.react(d, nil, []*plugv1.Reaction{k.ReactionRemoved.Reaction}), nil
	case *plugv1.Event_ReactionsSet:
		return h.react(d, k.ReactionsSet.Added, k.ReactionsSet.Removed), nil
	}
	return nil, nil
}

// ReceiveBestEffort implements hook.BestEffort: that somebody is writing is shown in
// the other members. Read markers stay where they are, since the many readers of one
// network are one account on another.
func (h *Hook) ReceiveBestEffort(d *hook.Delivery) (sends []hook.Send) {
	typing := d.Event.GetTyping()
	if typing == nil || d.Ours {
		return nil
	}
	h.others(d, func(_ *Conversation, m Member) {
		sends = append(sends, hook.Send{Channel: m.Channel, Action: &plugv1.Action{
			Author: author(d, m, actor(d)), Kind: &plugv1.Action_Typing{Typing: typing},
		}})
	})
	return sends
}

// others calls do for each member that hears what is said in the delivery's channel.
func (h *Hook) others(d *hook.Delivery, do func(*Conversation, Member)) {
	for _, p := range h.hearing.places(h.conversations, d.Channel) {
		for i, m := range p.conversation.Members {
			if i != p.member && m.Direction != In {
				do(p.conversation, m)
			}
		}
	}
}

// here tells whether a delivery is about a message that was written in its own
// channel.
func here(d *hook.Delivery) bool {
	return d.About != nil && d.About.Message.Channel == d.In()
}

// actor is who did it.
func actor(d *hook.Delivery) *plugv1.User {
	if d.Event.Actor != nil {
		return d.Event.Actor
	}
	return d.Event.Author
}

// author is how somebody looks in a member.
func author(d *hook.Delivery, m Member, u *plugv1.User) *plugv1.Author {
	a := &plugv1.Author{User: u, FormattedName: m.Name.format(d, u)}
	if m.Name.color {
		a.Color = new(color(d.Network, u))
	}
	return a
}
