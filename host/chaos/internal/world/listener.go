package world

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/check"
	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/internal/api"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
)

// listener is a subscriber of everything, who subscribes again when the host is back.
type listener struct {
	end   context.CancelFunc
	ended chan struct{}

	mu     sync.Mutex
	yields []check.Yield
}

func listen(client *api.Client) *listener {
	ctx, cancel := context.WithCancel(context.Background())
	l := &listener{end: cancel, ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		for stream := 1; ctx.Err() == nil; stream++ {
			_ = client.Tail(ctx, &hostv1.SubscribeRequest{}, func(r *hostv1.SubscribeResponse) { l.take(stream, r) }) // the host is gone, and comes back
			pause(ctx, 50*time.Millisecond)
		}
	}()
	return l
}

func (l *listener) close() {
	l.end()
	<-l.ended
}

func (l *listener) take(stream int, r *hostv1.SubscribeResponse) {
	y := check.Yield{Time: time.Now(), Stream: stream}
	switch {
	case r.GetPutSettled() != nil:
		op := r.GetPutSettled().Operation
		y.Settled, y.Member = op.OperationId, member(op.Channel)
		for _, receipt := range op.Receipts {
			y.Receipts = append(y.Receipts, check.Named(cmp.Or(receipt.Channel, y.Source), receipt.Id))
		}
	case r.GetDelivery() != nil:
		d := r.GetDelivery()
		y.Member, y.Origin = member(d.Channel), d.Origin.GetOperationId()
		if d.Event.GetMessage() != nil {
			y.MessageID = check.Named(cmp.Or(d.Event.Channel, y.Source), d.Event.MessageId)
		}
	default:
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.yields = append(l.yields, y)
}

func member(channel string) ledger.Member {
	plug, source, _ := strings.Cut(channel, "/")
	return ledger.Member{Plug: plug, Source: source}
}

// Yields are what a subscriber of everything was given.
func (w *World) Yields() []check.Yield {
	w.listener.mu.Lock()
	defer w.listener.mu.Unlock()
	return slices.Clone(w.listener.yields)
}
