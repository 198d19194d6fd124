package drain

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// about is the id of the message that an event is about; empty if that is the
// event's own.
func about(e *plugv1.Event) string {
	if m := e.GetMessage(); m != nil {
		return m.GetReplyTo().GetMessageId()
	}
	return e.MessageId
}

// target finds the message that one of a channel's stands for; nil for no id. Its
// error is the context's.
func (b *batch) target(ctx context.Context, c id.Channel, name string) (*hook.Target, error) {
	if name == "" {
		return nil, nil
	}
	key, err := b.canonical(ctx, &hook.Target{Message: id.Message{Channel: c, ID: id.MessageID(name)}})
	if err != nil {
		return nil, err
	}
	if key.NetworkId == "" {
		return &hook.Target{Operation: id.OperationID(key.Id)}, nil
	}
	return &hook.Target{Message: id.Message{
		Channel: id.Channel{Network: id.NetworkID(key.NetworkId), Source: id.ChannelSource(key.Channel)}, ID: id.MessageID(key.Id),
	}}, nil
}

// canonical gives a target's key; nil for none. Its error is the context's.
func (b *batch) canonical(ctx context.Context, t *hook.Target) (key *journalv1.MessageKey, err error) {
	switch {
	case t == nil:
		return nil, nil
	case t.Operation != "":
		return &journalv1.MessageKey{Id: string(t.Operation)}, nil
	}
	err = b.retry(ctx, "the message map did not answer", func() (err error) {
		key, err = b.origins.Canonical(ctx, t.Message)
		return err
	})
	return key, err
}

// operation makes the record of a send. Its error is the context's.
func (b *batch) operation(ctx context.Context, name id.OperationID, delivery *hook.Delivery, send hook.Send) (*journalv1.Operation, error) {
	op := &journalv1.Operation{
		Id:     string(name),
		Hook:   string(b.hook.Name()),
		Action: send.Action,
		Source: &journalv1.MessageKey{
			NetworkId: string(delivery.Network),
			Channel:   string(delivery.In().Source),
			Id:        delivery.Event.MessageId,
		},
		AcceptedTime: timestamppb.Now(),
		Fallback:     send.Fallback,
		ActorId:      send.ActorID,
		Moderation:   send.Moderation,
	}
	for _, t := range []struct {
		from *hook.Target
		to   **journalv1.MessageKey
	}{{send.Target, &op.Target}, {send.ReplyTo, &op.ReplyTo}, {send.Thread, &op.Thread}} {
		var err error
		if *t.to, err = b.canonical(ctx, t.from); err != nil {
			return nil, err
		}
	}
	if c := send.CatchUp; c != nil {
		op.CatchUp = &journalv1.CatchUp{MaxAge: durationpb.New(c.MaxAge), MaxMessages: uint32(c.MaxMessages), SaidTime: op.AcceptedTime}
		if said := delivery.Event.Time; said != nil {
			op.CatchUp.SaidTime = said
		}
	}
	return op, nil
}
