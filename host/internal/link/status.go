package link

import (
	"context"

	"github.com/plughost/plughost/host/internal/link/contract"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// WatchStatus reads how the plug's connection to its network is, from Start on, until
// ctx or the plug ends it. yield is told the state now and each change, in order, with
// the reason made safe for a person. It is for plugs that serve NetworkStatus; its
// error is never nil, and is of no harm to the plug's life.
func (l *Link) WatchStatus(ctx context.Context, yield func(plugv1.NetworkState, string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := plugv1.NewNetworkStatusClient(l.conn).WatchStatus(ctx, &plugv1.WatchStatusRequest{}, sizes()...)
	if err != nil {
		return l.callError("watch the network's status", err)
	}
	for {
		r, err := stream.Recv()
		if err != nil {
			return l.callError("watch the network's status", err)
		}
		yield(r.State, contract.CleanLine(r.Reason))
	}
}
