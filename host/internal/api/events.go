package api

import (
	"context"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	"github.com/plughost/plughost/proto/plughost/host/v1/hostv1connect"
)

const (
	// streamAtOnce is how many entries are taken from a subscription at once.
	streamAtOnce = 64
	// Bounds of FetchEvents.
	maxFetchWait    = time.Minute
	maxFetch        = 256
	fetchOtherwise  = 64
	fetchWithoutAny = 10 * time.Millisecond // for the feed to give what there is
)

// events implements EventService.
type events struct {
	server *Server
	host   Host
}

var _ hostv1connect.EventServiceHandler = (*events)(nil)

// subscribe opens a subscription.
func (e *events) subscribe(ctx context.Context, o host.Subscribe, plugs, channels []string) (*host.Subscription, error) {
	for _, p := range plugs {
		o.Plugs = append(o.Plugs, id.InstanceName(p))
	}
	for _, c := range channels {
		channel, err := ParseChannel(c)
		if err != nil {
			return nil, err
		}
		o.Channels = append(o.Channels, channel)
	}
	return e.host.Subscribe(ctx, o)
}

// Subscribe implements hostv1connect.EventServiceHandler.
func (e *events) Subscribe(ctx context.Context, request *hostv1.SubscribeRequest, stream *connect.ServerStream[hostv1.SubscribeResponse]) error {
	ctx, release := e.server.untilStop(ctx)
	defer release()
	s, err := e.subscribe(ctx, host.Subscribe{Name: request.Name, From: id.Sequence(request.FromSequence)}, request.Plugs, request.Channels)
	if err != nil {
		return e.server.failure(ctx, err)
	}
	defer s.Close()
	started := &hostv1.SubscribeResponse{Kind: &hostv1.SubscribeResponse_Started{Started: &hostv1.SubscriptionStarted{Resumed: s.Resumed()}}}
	if err := stream.Send(started); err != nil {
		return err
	}
	for {
		entries, err := s.Next(ctx, streamAtOnce)
		if err != nil {
			return e.server.failure(ctx, err)
		}
		for _, entry := range entries {
			if err := stream.Send(e.entry(entry)); err != nil {
				return err
			}
		}
	}
}

func (e *events) entry(entry host.Entry) *hostv1.SubscribeResponse {
	out := &hostv1.SubscribeResponse{Ack: entry.Ack}
	if entry.Settled != nil {
		out.Kind = &hostv1.SubscribeResponse_PutSettled{PutSettled: &hostv1.PutSettled{Operation: operationToProto(entry.Settled)}}
	} else {
		out.Kind = &hostv1.SubscribeResponse_Delivery{Delivery: e.server.delivery(e.host, entry.Delivery)}
	}
	return out
}

// delivery makes a delivery's message.
func (s *Server) delivery(h Host, d *hook.Delivery) *hostv1.Delivery {
	return deliveryToProto(d, h.Label)
}

// FetchEvents implements hostv1connect.EventServiceHandler.
func (e *events) FetchEvents(ctx context.Context, request *hostv1.FetchEventsRequest) (*hostv1.FetchEventsResponse, error) {
	ctx, release := e.server.untilStop(ctx)
	defer release()
	if request.Name == "" {
		return nil, invalid("FetchEvents needs the name of a subscription")
	}
	s, err := e.subscribe(ctx, host.Subscribe{Name: request.Name}, request.Plugs, request.Channels)
	if err != nil {
		return nil, e.server.failure(ctx, err)
	}
	defer s.Close()
	if request.Acknowledge != "" {
		if err := s.Acknowledge(ctx, request.Acknowledge); err != nil {
			return nil, e.server.failure(ctx, err)
		}
	}
	limit := int(min(request.Limit, maxFetch))
	if limit == 0 {
		limit = fetchOtherwise
	}
	waiting, cancel := context.WithTimeout(ctx, min(max(request.Wait.AsDuration(), fetchWithoutAny), maxFetchWait))
	defer cancel()
	entries, err := s.Next(waiting, limit)
	if err != nil && (ctx.Err() != nil || waiting.Err() == nil) {
		return nil, e.server.failure(ctx, err)
	}
	response := &hostv1.FetchEventsResponse{}
	for _, entry := range entries {
		response.Entries = append(response.Entries, e.entry(entry))
		response.Ack = entry.Ack
	}
	return response, nil
}

// Acknowledge implements hostv1connect.EventServiceHandler.
func (e *events) Acknowledge(ctx context.Context, request *hostv1.AcknowledgeRequest) (*hostv1.AcknowledgeResponse, error) {
	if request.Name == "" {
		return nil, invalid("the name of the subscription is missing")
	}
	if err := e.host.Acknowledge(ctx, request.Name, request.Ack); err != nil {
		return nil, failure(err)
	}
	return &hostv1.AcknowledgeResponse{}, nil
}

// ListSubscriptions implements hostv1connect.EventServiceHandler.
func (e *events) ListSubscriptions(ctx context.Context, _ *hostv1.ListSubscriptionsRequest) (*hostv1.ListSubscriptionsResponse, error) {
	all, err := e.host.Subscriptions(ctx)
	if err != nil {
		return nil, failure(err)
	}
	response := &hostv1.ListSubscriptionsResponse{}
	for _, s := range all {
		idle := time.Duration(0)
		if !s.InUse {
			idle = time.Since(s.Asked)
		}
		response.Subscriptions = append(response.Subscriptions, &hostv1.Subscription{Name: s.Name, InUse: s.InUse, Idle: durationpb.New(idle)})
	}
	return response, nil
}

// DeleteSubscription implements hostv1connect.EventServiceHandler.
func (e *events) DeleteSubscription(ctx context.Context, request *hostv1.DeleteSubscriptionRequest) (*hostv1.DeleteSubscriptionResponse, error) {
	if err := e.host.DeleteSubscription(ctx, request.Name); err != nil {
		return nil, failure(err)
	}
	return &hostv1.DeleteSubscriptionResponse{}, nil
}
