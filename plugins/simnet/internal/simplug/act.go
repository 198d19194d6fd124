package simplug

import (
	"cmp"
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"

	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
	"github.com/plughost/plughost/sdk/go/plug"
)

// Edit gives a message of ours a new text.
func (p *Plug) Edit(ctx context.Context, part *plug.Part) (*plugv1.Receipt, error) {
	content, err := rich(part)
	if err != nil {
		return nil, plug.Refused(err)
	}
	return p.act(ctx, &wire.Send{
		Channel: of(part.Target, part.Channel), OperationID: part.OperationID, Text: part.Text,
		What: &wire.What{Kind: script.KindEdit, Target: name(part.Target), Rich: content},
	}, part.Author)
}

// Delete removes a message.
func (p *Plug) Delete(ctx context.Context, d *plug.Deletion) error {
	_, err := p.act(ctx, &wire.Send{
		Channel: of(d.Target, d.Channel), OperationID: d.OperationID, Text: d.Reason,
		What: &wire.What{Kind: script.KindDelete, Target: name(d.Target)},
	}, d.Author)
	return err
}

// React adds or takes back a reaction; where the network wants the whole set, it sets
// that.
func (p *Plug) React(ctx context.Context, r *plug.Reacting) (*plugv1.Receipt, error) {
	w := &wire.What{Kind: script.KindReact, Target: name(r.Target[0]), Reaction: reactionKey(r.Reaction)}
	if r.Remove {
		w.Kind = script.KindUnreact
		if len(r.Added) > 0 {
			w.ReactionID = r.Added[0].Id
		}
	}
	if l := p.live(); l != nil && l.login.Settings.Reactions == script.ReactionsWhole {
		w.Kind, w.Reaction, w.ReactionID = script.KindReactions, "", ""
		for _, c := range r.Current {
			w.Reactions = append(w.Reactions, reactionKey(c))
		}
	}
	receipt, err := p.act(ctx, &wire.Send{Channel: of(r.Target[0], r.Channel), OperationID: r.OperationID, What: w}, r.Author)
	if err != nil || w.Kind != script.KindReact || receipt.Id == "" {
		return nil, err
	}
	return receipt, nil
}

// Typing shows that somebody is writing.
func (p *Plug) Typing(ctx context.Context, channel string, author *plugv1.Author, typing bool) error {
	_, err := p.act(ctx, &wire.Send{Channel: channel, What: &wire.What{Kind: script.KindTyping, Stopped: !typing}}, author)
	return err
}

// MarkRead shows that somebody has read up to a message.
func (p *Plug) MarkRead(ctx context.Context, channel string, author *plugv1.Author, target *plugv1.Receipt) error {
	_, err := p.act(ctx, &wire.Send{Channel: channel, What: &wire.What{Kind: script.KindRead, Target: name(target)}}, author)
	return err
}

// ChangeChannel changes the channel's title or topic.
func (p *Plug) ChangeChannel(ctx context.Context, channel string, c *plugv1.ChannelChanged) error {
	_, err := p.act(ctx, &wire.Send{Channel: channel, What: &wire.What{Kind: script.KindChange, Title: c.Title, Topic: c.Topic}}, nil)
	return err
}

// act asks for what is no message. Its receipt is that of the message it was done to,
// or of the reaction.
func (p *Plug) act(ctx context.Context, send *wire.Send, author *plugv1.Author) (*plugv1.Receipt, error) {
	source := send.Channel
	p.orders.at(script.BeforeSend, source)
	l := p.live()
	if l == nil {
		return nil, plug.NotSent(errors.New("there is no connection to the network"))
	}
	send.Channel = l.wireName(source)
	if !l.login.Settings.TextAuthors {
		send.Author = author.GetFormattedName()
	}
	answer, err := l.post(ctx, send)
	if err != nil {
		return nil, err
	}
	p.orders.at(script.AfterAccept, source)
	receipt := receiptOf(answer, source)
	if send.What.Kind == script.KindReact {
		receipt = &plugv1.Receipt{Channel: source}
		if answer.What != nil {
			receipt.Id = answer.What.ReactionID
		}
	}
	p.orders.at(script.BeforeAnswer, source)
	return receipt, nil
}

// receiptOf is what an answer says of a message.
func receiptOf(a *wire.Answer, source string) *plugv1.Receipt {
	r := &plugv1.Receipt{Id: a.MessageID, Channel: source, Time: timestamppb.New(a.Time)}
	if w := a.What; w != nil {
		r.Aliases, r.Reference, r.Revision = w.Aliases, []byte(w.Reference), w.Revision
	}
	return r
}

// of is the channel in which a message was said: another than is asked for, if the
// channel has moved since.
func of(r *plugv1.Receipt, asked string) string { return cmp.Or(r.GetChannel(), asked) }

// name is what the network finds a message by: its reference, where it has one.
func name(r *plugv1.Receipt) string {
	if len(r.GetReference()) > 0 {
		return string(r.Reference)
	}
	return r.GetId()
}

// primary is the name of the first message; empty for none. One of another channel can't
// be named.
func primary(receipts []*plugv1.Receipt, channel string) (string, error) {
	if len(receipts) == 0 {
		return "", nil
	}
	if of(receipts[0], channel) != channel {
		return "", plug.TargetGone(errors.New("the message is of the channel that this one was before"))
	}
	return name(receipts[0]), nil
}
