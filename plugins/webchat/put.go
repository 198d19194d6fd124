package main

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/plugins/webchat/internal/history"
	"github.com/plughost/plughost/plugins/webchat/internal/room"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// Each method here makes the plug one that accepts such an action.
var (
	_ plug.Putter  = (*webchat)(nil)
	_ plug.Editor  = (*webchat)(nil)
	_ plug.Deleter = (*webchat)(nil)
	_ plug.Reactor = (*webchat)(nil)
	_ plug.Typer   = (*webchat)(nil)
)

// Put says a message. The operation id makes it unique: asked a second time, the
// store answers with the message of the first time. So whatever is lost between
// here and the host's journal, trying again is safe.
func (w *webchat) Put(ctx context.Context, p *plug.Part) (*plugv1.Receipt, error) {
	c, err := w.content(p)
	if err != nil {
		return nil, err
	}
	c.Avatar = w.takePicture(p.Author.GetUser().GetAvatar())
	who := bridged(p.Author)
	said, err := w.do(ctx, room.Change{
		Kind: room.Said, Room: p.Channel, By: who, Content: c, Once: ours + p.OperationID,
		About: row(first(p.ReplyTo)), // 0, which answers nothing, if there is no such message
	})
	if err != nil {
		return nil, err
	}
	w.typing.Set(p.Channel, who, false)
	return receipt(said.Row, said), nil
}

// Edit gives a message new words. Its files stay: the page shows those that it came
// with.
func (w *webchat) Edit(ctx context.Context, p *plug.Part) (*plugv1.Receipt, error) {
	c, err := w.content(&plug.Part{Text: p.Text, Content: p.Content, Emote: p.Emote})
	if err != nil {
		return nil, err
	}
	edited, err := w.do(ctx, room.Change{
		Kind: room.Edited, Room: p.Channel, By: bridged(p.Author), About: row(p.Target), Content: c, Once: ours + p.OperationID,
	})
	if err != nil {
		return nil, err
	}
	r := receipt(row(p.Target), edited)
	r.Revision = id(edited.Row)
	return r, nil
}

// Delete removes a message that we put; the store refuses those of people here.
func (w *webchat) Delete(ctx context.Context, d *plug.Deletion) error {
	_, err := w.do(ctx, room.Change{
		Kind: room.Deleted, Room: d.Channel, By: bridged(d.Author), About: row(d.Target), Once: ours + d.OperationID,
	})
	return err
}

// React adds or takes back a reaction. The page shows who reacted, so it is taken
// back from whom it was given by, who need not be who asks for it last: the receipt
// remembers.
func (w *webchat) React(ctx context.Context, r *plug.Reacting) (*plugv1.Receipt, error) {
	c := room.Change{
		Kind: room.Reacted, Room: r.Channel, By: bridged(r.Author), About: row(first(r.Target)), Emoji: emoji(r.Reaction), Once: ours + r.OperationID,
	}
	if c.Emoji == "" {
		return nil, plug.Unsupported(errors.New("a reaction that only its own network can show"))
	}
	if r.Remove {
		c.Kind = room.Unreacted
		if by := first(r.Added).GetReference(); len(by) > 0 {
			c.By.ID = string(by)
		}
	}
	done, err := w.do(ctx, c)
	if err != nil || r.Remove {
		return nil, err
	}
	added := receipt(done.Row, done)
	added.Reference = []byte(done.By.ID)
	return added, nil
}

// Typing shows that somebody is writing. The page forgets it by itself.
func (w *webchat) Typing(_ context.Context, channel string, author *plugv1.Author, typing bool) error {
	w.typing.Set(channel, bridged(author), typing)
	return nil
}

// do makes a change, and turns what the store says of its failure into what is
// certain: a verdict.
func (w *webchat) do(ctx context.Context, c room.Change) (room.Change, error) {
	if err := c.Check(); err != nil {
		return room.Change{}, plug.Refused(err) // trying again would not help
	}
	done, err := w.store.Do(ctx, c)
	refusal, refused := errors.AsType[room.Refusal](err)
	switch {
	case err == nil:
		return done, nil
	case errors.Is(err, room.ErrAlready):
		return room.Change{}, plug.Already()
	case errors.Is(err, room.ErrGone):
		return room.Change{}, plug.TargetGone(err)
	case refused:
		return room.Change{}, plug.Refused(refusal)
	case errors.Is(err, history.ErrNotDone):
		return room.Change{}, plug.NotSent(err)
	default:
		return room.Change{}, plug.Uncertain(err) // its echo, or the next attempt, will tell
	}
}

// receipt is how the host names a message later on.
func receipt(message int64, c room.Change) *plugv1.Receipt {
	return &plugv1.Receipt{Id: id(message), Time: timestamppb.New(c.Time)}
}

// first is the primary of several receipts; nil if there is none.
func first(receipts []*plugv1.Receipt) *plugv1.Receipt {
	if len(receipts) == 0 {
		return nil
	}
	return receipts[0]
}
