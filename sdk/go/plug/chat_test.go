package plug

import (
	"context"
	"fmt"
	"slices"
	"sync"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// chat is a Plug with every ability, on a network in memory.
type chat struct {
	fake
	fail func(call string) error // asked before each call, if set

	mu       sync.Mutex
	calls    []string // "put op-1 text", "edit op m1 text", ...
	parts    []*Part  // of Put and Edit
	messages []*posted
	reacted  []*Reacting
	deleted  []*Deletion
	topic    string
}

type posted struct{ id, text string }

func (c *chat) note(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	c.calls = append(c.calls, call)
	if c.fail != nil {
		return c.fail(call)
	}
	return nil
}

func (c *chat) Put(_ context.Context, p *Part) (*plugv1.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parts = append(c.parts, p)
	if err := c.note("put %s %s", p.OperationID, p.Text); err != nil {
		return nil, err
	}
	id := fmt.Sprint("m", len(c.messages)+1)
	c.messages = append(c.messages, &posted{id, p.Text})
	return receipt(id), nil
}

func (c *chat) find(id string) *posted {
	i := slices.IndexFunc(c.messages, func(p *posted) bool { return p.id == id })
	if i < 0 || c.messages[i].text == "" {
		return nil
	}
	return c.messages[i]
}

func (c *chat) Edit(_ context.Context, p *Part) (*plugv1.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parts = append(c.parts, p)
	if err := c.note("edit %s %s %s", p.OperationID, p.Target.GetId(), p.Text); err != nil {
		return nil, err
	}
	m := c.find(p.Target.GetId())
	if m == nil {
		return nil, TargetGone(nil)
	}
	if m.text == p.Text {
		return nil, Already()
	}
	m.text = p.Text
	return &plugv1.Receipt{Id: m.id, Revision: p.OperationID}, nil
}

func (c *chat) Delete(_ context.Context, d *Deletion) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deleted = append(c.deleted, d)
	if err := c.note("delete %s %s", d.OperationID, d.Target.GetId()); err != nil {
		return err
	}
	m := c.find(d.Target.GetId())
	if m == nil {
		return TargetGone(nil)
	}
	m.text = ""
	return nil
}

func (c *chat) React(_ context.Context, r *Reacting) (*plugv1.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reacted = append(c.reacted, r)
	if err := c.note("react %s", r.OperationID); err != nil {
		return nil, err
	}
	if r.Remove {
		return nil, nil
	}
	return receipt("r1"), nil
}

func (c *chat) ChangeChannel(_ context.Context, channel string, change *plugv1.ChannelChanged) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.note("change %s", channel); err != nil {
		return err
	}
	if c.topic == change.GetTopic() {
		return Already()
	}
	c.topic = change.GetTopic()
	return nil
}

func (c *chat) Typing(_ context.Context, channel string, author *plugv1.Author, typing bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.note("typing %s %s%v", channel, author.GetFormattedName(), typing)
}

func (c *chat) MarkRead(_ context.Context, channel string, _ *plugv1.Author, target *plugv1.Receipt) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.note("read %s %s", channel, target.GetId())
}

func (c *chat) called() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	return calls
}

// texts gives what stands on the network.
func (c *chat) texts() []string {
	var texts []string
	for _, m := range c.messages {
		if m.text != "" {
			texts = append(texts, m.text)
		}
	}
	return texts
}

// Requests of each kind, without an author.

func asking(action *plugv1.Action) func(*plugv1.PutRequest) {
	return func(req *plugv1.PutRequest) { req.Action = action }
}

func target(ids ...string) *plugv1.Target {
	t := &plugv1.Target{}
	for _, id := range ids {
		t.Receipts = append(t.Receipts, receipt(id))
	}
	return t
}

func editTo(text string, ids ...string) func(*plugv1.PutRequest) {
	return asking(&plugv1.Action{Kind: &plugv1.Action_Edit{Edit: &plugv1.Edit{
		Content: &plugv1.Message{Text: NewText(text)}, Target: target(ids...)}}})
}

func deleteOf(ids ...string) func(*plugv1.PutRequest) {
	return asking(&plugv1.Action{Kind: &plugv1.Action_Delete{Delete: &plugv1.Delete{Target: target(ids...), Reason: "spam"}}})
}

func sent(receipts ...*plugv1.Receipt) func(*plugv1.PutRequest) {
	return func(req *plugv1.PutRequest) {
		for i, r := range receipts {
			req.Sent = append(req.Sent, &plugv1.SentPart{Part: uint32(i + 1), Receipt: r})
		}
	}
}
