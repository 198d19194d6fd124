package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// failure gives an error of the host its code. The details say what was accepted all
// the same.
func failure(err error, accepted ...*hostv1.Operation) error {
	said := (*hook.Error)(nil)
	var coded *connect.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &coded):
		return err
	case errors.As(err, &said):
		// Both have the numbers of gRPC.
		coded = connect.NewError(connect.Code(said.Code), errors.New(strings.ToValidUTF8(said.Text, "\uFFFD")))
	case errors.Is(err, context.DeadlineExceeded):
		coded = connect.NewError(connect.CodeDeadlineExceeded, errors.New("the deadline came first; what was accepted goes on"))
	case errors.Is(err, context.Canceled):
		coded = connect.NewError(connect.CodeCanceled, errors.New("the call was given up"))
	default:
		coded = connect.NewError(connect.CodeInternal, err)
	}
	for _, op := range accepted {
		if detail, err := connect.NewErrorDetail(&hostv1.OperationDetail{Operation: op}); err == nil {
			coded.AddDetail(detail)
		}
	}
	return coded
}

func invalid(format string, args ...any) error {
	return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf(format, args...))
}

// ParseChannel reads a channel as people write it: "plug/source".
func ParseChannel(s string) (hook.Channel, error) {
	plug, source, slash := strings.Cut(s, "/")
	if !slash || plug == "" || source == "" {
		return hook.Channel{}, invalid("%q is no channel; write it as plug/source, such as libera/#dev", s)
	}
	return hook.Channel{Plug: id.InstanceName(plug), Source: id.ChannelSource(source)}, nil
}

func parseRef(r *hostv1.MessageRef) (*hook.Ref, error) {
	if r == nil {
		return nil, nil
	}
	ref := &hook.Ref{ID: id.MessageID(r.MessageId), Operation: id.OperationID(r.OperationId)}
	if r.Channel == "" {
		return ref, nil // the host says what is missing
	}
	var err error
	ref.Channel, err = ParseChannel(r.Channel)
	return ref, err
}

func operationToProto(op *hook.Operation) *hostv1.Operation {
	return &hostv1.Operation{
		OperationId: string(op.ID), Channel: op.Channel.String(), State: operationStates[op.State], Receipts: op.Receipts,
		Reason: strings.ToValidUTF8(op.Reason, "\uFFFD"), Attempts: uint32(op.Attempts), Hook: string(op.Hook), AcceptedTime: timestamp(op.Accepted),
		PutBackId: string(op.PutBack),
	}
}

var operationStates = map[hook.OperationState]hostv1.OperationState{
	hook.Waiting: hostv1.OperationState_OPERATION_STATE_WAITING,
	hook.Sent:    hostv1.OperationState_OPERATION_STATE_SENT,
	hook.Parked:  hostv1.OperationState_OPERATION_STATE_PARKED,
	hook.Expired: hostv1.OperationState_OPERATION_STATE_EXPIRED,
}

// deliveryToProto makes a delivery's message. label names the channel of a message
// that caused it.
func deliveryToProto(d *hook.Delivery, label func(id.Channel) hook.Channel) *hostv1.Delivery {
	out := &hostv1.Delivery{
		Channel: d.Channel.String(), NetworkId: string(d.Network), NetworkName: d.NetworkName, Event: d.Event, Ours: d.Ours,
	}
	target := func(t *hook.Target) *hostv1.MessageRef { return targetToProto(t, label) }
	out.About, out.Thread = target(d.About), target(d.Thread)
	if d.Sequence != 0 {
		out.Place = &hostv1.EventPlace{Sequence: uint64(d.Sequence), Index: uint32(d.Index)}
	}
	if o := d.Origin; o != nil {
		out.Origin = &hostv1.EventOrigin{OperationId: string(o.Operation), Hook: string(o.Hook), Primary: o.Primary}
		if o.Source != nil {
			source := &hook.Target{Message: *o.Source}
			if o.Source.Channel.Network == "" {
				source = &hook.Target{Operation: id.OperationID(o.Source.ID)}
			}
			out.Origin.Source = target(source)
		}
	}
	return out
}

// PlainText is an action that writes a text.
func PlainText(text string) *plugv1.Action {
	return &plugv1.Action{Kind: &plugv1.Action_Message{Message: &plugv1.Message{
		Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: text}}},
	}}}
}

// targetToProto names a message; nil if there is none.
func targetToProto(t *hook.Target, label func(id.Channel) hook.Channel) *hostv1.MessageRef {
	switch {
	case t == nil:
		return nil
	case t.Operation != "":
		return &hostv1.MessageRef{OperationId: string(t.Operation)}
	}
	return &hostv1.MessageRef{Channel: label(t.Message.Channel).String(), MessageId: string(t.Message.ID)}
}
