package link

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/plughost/plughost/host/internal/link/contract"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const (
	// watchAgain is the time before a watch that the plug has ended is opened again.
	watchAgain = 5 * time.Second
	// maxStates is how many states a plug tells in a second before it is waited with:
	// each goes to logs and to whoever watches.
	maxStates = 10
)

// WatchStatus reads how the plug's connection to its network is, from Start until ctx
// ends. yield is told the state now and each change, in order, with the reason made safe
// for a person. It is for plugs that serve NetworkStatus. That a plug ends the watch, or
// breaks it, is no sign of anything: it is opened again.
func (l *Link) WatchStatus(ctx context.Context, yield func(plugv1.NetworkState, string)) {
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
		err := l.watchStatus(ctx, yield)
		l.log.Debug("the watch of the network's status ended", "error", err, "next_try", watchAgain)
		again.Reset(watchAgain)
	}
}

// watchStatus is one watch. Its error is never nil.
func (l *Link) watchStatus(ctx context.Context, yield func(plugv1.NetworkState, string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pace := rate.NewLimiter(maxStates, maxStates)
	stream, err := plugv1.NewNetworkStatusClient(l.conn).WatchStatus(ctx, &plugv1.WatchStatusRequest{}, sizes()...)
	if err != nil {
		return l.callError("watch the network's status", err)
	}
	for {
		if err := pace.Wait(ctx); err != nil {
			return err
		}
		r, err := stream.Recv()
		if err != nil {
			return l.callError("watch the network's status", err)
		}
		yield(r.State, contract.CleanLine(r.Reason))
	}
}
