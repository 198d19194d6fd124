package api

import (
	"context"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
)

// maxParked is how many parked operations ListParked gives, and a request may name.
const maxParked = 1000

// ListParked implements hostv1connect.MessageServiceHandler.
func (m *messages) ListParked(ctx context.Context, request *hostv1.ListParkedRequest) (*hostv1.ListParkedResponse, error) {
	parked, err := m.host.Parked(ctx)
	if err != nil {
		return nil, failure(err)
	}
	response := &hostv1.ListParkedResponse{}
	for _, p := range parked {
		if request.Plug != "" && request.Plug != string(p.Channel.Plug) || request.Channel != "" && request.Channel != p.Channel.String() {
			continue
		}
		if len(response.Parked) == maxParked {
			break
		}
		response.Parked = append(response.Parked, m.parkedToProto(&p))
	}
	return response, nil
}

// GetParked implements hostv1connect.MessageServiceHandler.
func (m *messages) GetParked(ctx context.Context, request *hostv1.GetParkedRequest) (*hostv1.GetParkedResponse, error) {
	p, err := m.host.ParkedOperation(ctx, id.OperationID(request.OperationId))
	if err != nil {
		return nil, failure(err)
	}
	return &hostv1.GetParkedResponse{Parked: m.parkedToProto(p)}, nil
}

// RetryParked implements hostv1connect.MessageServiceHandler.
func (m *messages) RetryParked(ctx context.Context, request *hostv1.RetryParkedRequest) (*hostv1.RetryParkedResponse, error) {
	selected, err := m.selected(ctx, request.Selection)
	if err != nil {
		return nil, err
	}
	putBack, err := m.host.RetryParked(ctx, selected...)
	if err != nil {
		return nil, failure(err)
	}
	response := &hostv1.RetryParkedResponse{}
	for _, p := range putBack {
		response.PutBack = append(response.PutBack, &hostv1.PutBackOperation{OperationId: string(p.Parked), PutBackId: string(p.As)})
	}
	return response, nil
}

// DropParked implements hostv1connect.MessageServiceHandler.
func (m *messages) DropParked(ctx context.Context, request *hostv1.DropParkedRequest) (*hostv1.DropParkedResponse, error) {
	selected, err := m.selected(ctx, request.Selection)
	if err != nil {
		return nil, err
	}
	if err := m.host.DropParked(ctx, selected...); err != nil {
		return nil, failure(err)
	}
	response := &hostv1.DropParkedResponse{}
	for _, operation := range selected {
		response.OperationIds = append(response.OperationIds, string(operation))
	}
	return response, nil
}

// selected gives the operations that a selection means.
func (m *messages) selected(ctx context.Context, s *hostv1.ParkedSelection) (selected []id.OperationID, err error) {
	ways := 0
	for _, given := range []bool{len(s.GetOperationIds()) > 0, s.GetChannel() != "", s.GetAll()} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return nil, invalid("say which parked operations are meant: by their ids, by a channel, or all of them; one of the three")
	case len(s.OperationIds) > maxParked:
		return nil, invalid("%d operations are named, allowed are %d; name them in parts, or a channel", len(s.OperationIds), maxParked)
	case len(s.OperationIds) > 0:
		for _, operation := range s.OperationIds {
			selected = append(selected, id.OperationID(operation))
		}
		return selected, nil
	}
	parked, err := m.host.Parked(ctx)
	if err != nil {
		return nil, failure(err)
	}
	for _, p := range parked {
		if s.All || s.Channel == p.Channel.String() {
			selected = append(selected, p.ID)
		}
	}
	if s.Channel != "" && len(selected) == 0 {
		if _, err := ParseChannel(s.Channel); err != nil {
			return nil, err
		}
	}
	return selected, nil
}

func (m *messages) parkedToProto(p *host.ParkedOperation) *hostv1.ParkedOperation {
	ref := func(t *hook.Target) *hostv1.MessageRef { return targetToProto(t, m.host.Label) }
	return &hostv1.ParkedOperation{
		Operation: operationToProto(&p.Operation), ParkedTime: timestamp(p.Time), Verdict: p.Verdict, Action: p.Action,
		Source: ref(p.Source), Target: ref(p.Target), FirstAttemptTime: timestamp(p.FirstAttempt),
	}
}
