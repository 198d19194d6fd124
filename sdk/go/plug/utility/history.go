package utility

import (
	"context"
	"fmt"
	"slices"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug/internal/contract"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxHistoryBytes bounds the events of one answer, well under a gRPC message.
const maxHistoryBytes = plugv1.MaxMessageBytes / 2

type history struct {
	plugv1.UnimplementedHistoryServer
	plug any
	env  Env
}

func (s *history) ListMessages(ctx context.Context, req *plugv1.ListMessagesRequest) (*plugv1.ListMessagesResponse, error) {
	resp := &plugv1.ListMessagesResponse{}
	return resp, with(ctx, s.plug, s.env, "ListMessages", func(ctx context.Context, p MessageLister) error {
		limit := limitOf(req.GetLimit())
		list, err := p.ListMessages(ctx, req.GetChannel(), req.GetBefore(), limit)
		if err != nil {
			return err
		}
		total := 0
		for _, e := range slices.Backward(list) { // the newest are those next to what is known
			size, err := ready(e)
			if err != nil {
				return err
			}
			if total += size; len(resp.Events) == limit || total > maxHistoryBytes {
				break
			}
			resp.Events = append(resp.Events, e)
		}
		slices.Reverse(resp.Events)
		return nil
	})
}

func (s *history) GetMessage(ctx context.Context, req *plugv1.GetMessageRequest) (*plugv1.GetMessageResponse, error) {
	resp := &plugv1.GetMessageResponse{}
	return resp, with(ctx, s.plug, s.env, "GetMessage", func(ctx context.Context, p MessageGetter) error {
		e, err := p.GetMessage(ctx, req.GetChannel(), req.GetMessage())
		if err := found(err, e == nil); err != nil {
			return err
		}
		resp.Event = e
		_, err = ready(e)
		return err
	})
}

func (s *history) FindOperation(ctx context.Context, req *plugv1.FindOperationRequest) (*plugv1.FindOperationResponse, error) {
	resp := &plugv1.FindOperationResponse{}
	return resp, with(ctx, s.plug, s.env, "FindOperation", func(ctx context.Context, p OperationFinder) (err error) {
		resp.Parts, err = p.FindOperation(ctx, req.GetChannel(), req.GetOperationId())
		for _, part := range resp.Parts {
			if bad := contract.Receipt(part.GetReceipt()); bad != nil && err == nil {
				err = fmt.Errorf("part %d: %w", part.GetPart(), bad)
			}
		}
		return err
	})
}

// ready makes an event ready as the queue does, and marks it.
func ready(e *plugv1.Event) (size int, err error) {
	if size, err = contract.Event(e); err != nil {
		return 0, fmt.Errorf("a message of the history: %w", err)
	}
	e.History = true
	if e.GetTime() == nil {
		e.Time = timestamppb.Now()
	}
	return size, nil
}
