package simplug

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"

	"github.com/plughost/plughost/plugins/simnet/internal/wire"
	"github.com/plughost/plughost/sdk/go/plug/utility"
)

// past is the line of an account that has a history.
func (p *Plug) past() (*line, error) {
	l := p.live()
	switch {
	case l == nil:
		return nil, errors.New("there is no connection to the network")
	case !l.login.Settings.History:
		return nil, fmt.Errorf("%w: the account has no history", errors.ErrUnsupported)
	}
	return l, nil
}

// ListMessages implements utility.MessageLister.
func (p *Plug) ListMessages(ctx context.Context, channel string, before *plugv1.Receipt, limit int) (events []*plugv1.Event, err error) {
	l, err := p.past()
	if err != nil {
		return nil, err
	}
	reply, err := l.List(ctx, wire.List{Channel: l.wireName(channel), Before: before.GetId(), Limit: limit})
	switch {
	case err != nil:
		return nil, fmt.Errorf("list messages: %w", err)
	case reply.Unknown:
		return nil, utility.NotFound(fmt.Errorf("message %s is not kept", before.GetId()))
	}
	for _, e := range reply.Events {
		event, err := l.event(e)
		if err != nil {
			return nil, err
		}
		events = append(events, event)
	}
	return events, nil
}

// FindOperation implements utility.OperationFinder.
func (p *Plug) FindOperation(ctx context.Context, channel, operationID string) (parts []*plugv1.FoundPart, err error) {
	l, err := p.past()
	if err != nil {
		return nil, err
	}
	reply, err := l.Find(ctx, wire.Find{Channel: l.wireName(channel), OperationID: operationID})
	if err != nil {
		return nil, fmt.Errorf("find operation %s: %w", operationID, err)
	}
	for _, e := range reply.Events {
		event, err := l.event(e)
		if err != nil {
			return nil, err
		}
		_, number, _ := strings.Cut(e.OperationID, "-")
		part, _ := strconv.ParseUint(number, 10, 32) // none: 0
		parts = append(parts, &plugv1.FoundPart{Part: uint32(part), Receipt: &plugv1.Receipt{
			Id: e.MessageID, Channel: event.Channel, Time: timestamppb.New(e.Time), Aliases: event.Aliases, Reference: event.Reference,
		}})
	}
	return parts, nil
}
