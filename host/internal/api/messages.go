package api

import (
	"context"
	"strings"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	"github.com/plughost/plughost/proto/plughost/host/v1/hostv1connect"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// messages implements MessageService.
type messages struct {
	server *Server
	host   Host
}

var _ hostv1connect.MessageServiceHandler = (*messages)(nil)

// Send implements hostv1connect.MessageServiceHandler.
func (m *messages) Send(ctx context.Context, request *hostv1.SendRequest) (*hostv1.SendResponse, error) {
	client, err := m.host.Client(request.Client)
	if err != nil {
		return nil, failure(err)
	}
	r := hook.Request{Action: request.Action, ID: request.RequestId, Expiry: asTime(request.Expiry)}
	if request.Text != "" {
		if request.Action != nil {
			return nil, invalid("there is both an action and a text; give one of them")
		}
		r.Action = PlainText(request.Text)
	}
	if r.Action == nil && len(request.Files) > 0 {
		r.Action = &plugv1.Action{Kind: &plugv1.Action_Message{Message: &plugv1.Message{}}}
	}
	if err := attach(m.host, r.Action, request.Files); err != nil {
		return nil, err
	}
	if r.Channel, err = ParseChannel(request.Channel); err != nil {
		return nil, err
	}
	for _, ref := range []struct {
		given *hostv1.MessageRef
		into  **hook.Ref
	}{{request.Target, &r.Target}, {request.ReplyTo, &r.ReplyTo}, {request.Thread, &r.Thread}} {
		if *ref.into, err = parseRef(ref.given); err != nil {
			return nil, err
		}
	}
	ctx, release := m.server.untilStop(ctx)
	defer release()
	operation, err := client.Send(ctx, r)
	if err != nil {
		return nil, m.server.failure(ctx, err)
	}
	if operation == "" { // it is never stored
		return &hostv1.SendResponse{Operation: &hostv1.Operation{Channel: r.Channel.String()}}, nil
	}
	op, err := m.get(ctx, operation, request.Wait)
	if op == nil {
		return nil, err
	}
	return &hostv1.SendResponse{Operation: op}, err
}

// get gives an operation, once it is settled if wait is true.
func (m *messages) get(ctx context.Context, operation id.OperationID, wait bool) (*hostv1.Operation, error) {
	get := m.host.Operation
	if wait {
		get = m.host.Wait
	}
	op, err := get(ctx, operation)
	if op == nil {
		return nil, m.server.failure(ctx, err)
	}
	out := operationToProto(op)
	if err != nil {
		return nil, m.server.failure(ctx, err, out)
	}
	return out, nil
}

// GetOperation implements hostv1connect.MessageServiceHandler.
func (m *messages) GetOperation(ctx context.Context, request *hostv1.GetOperationRequest) (*hostv1.GetOperationResponse, error) {
	ctx, release := m.server.untilStop(ctx)
	defer release()
	op, err := m.get(ctx, id.OperationID(request.OperationId), request.Wait)
	if op == nil {
		return nil, err
	}
	return &hostv1.GetOperationResponse{Operation: op}, nil
}

// ListQueues implements hostv1connect.MessageServiceHandler.
func (m *messages) ListQueues(ctx context.Context, request *hostv1.ListQueuesRequest) (*hostv1.ListQueuesResponse, error) {
	queues, err := m.host.Queues(ctx)
	if err != nil {
		return nil, failure(err)
	}
	response := &hostv1.ListQueuesResponse{}
	for _, q := range queues {
		if request.Plug != "" && request.Plug != string(q.Channel.Plug) {
			continue
		}
		response.Queues = append(response.Queues, &hostv1.Queue{
			Channel: q.Channel.String(), Waiting: uint32(q.Waiting), WaitingSince: timestamp(q.WaitingSince), Attempts: uint32(q.Attempts),
			Uncertain: q.Uncertain, Parked: uint32(q.Parked), ParkedSince: timestamp(q.ParkedSince),
			GivenUp: uint32(q.GivenUp), GivenUpReason: strings.ToValidUTF8(q.GivenUpReason, "\uFFFD"),
		})
	}
	return response, nil
}
