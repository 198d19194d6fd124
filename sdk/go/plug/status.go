package plug

import (
	"context"
	"errors"
	"sync"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Prober is a Plug that can find out now whether its network answers. The host asks
// where the network was silent for longer than Abilities.MaxSilence, and starts a
// plug anew that has no Prober or whose network does not answer.
type Prober interface {
	// Probe asks the network something that it must answer, with a deadline of 10 s.
	// Nil says that it did. LoggedOut says that it no longer takes us; any other error
	// that it does not answer.
	Probe(ctx context.Context) error
}

// SetNetworkState tells the host how the connection to the network is from now: what
// a person sees in the host's status. A plug is taken for connected from the moment
// its Start has succeeded; Receive says CONNECTING when it has lost the connection,
// and CONNECTED when it has it again. LOGGED_OUT makes the host hold the plug until a
// person has acted. Reason says why, and what a person should do; no secrets.
//
// It may be called by any number of goroutines, from Start on. It never blocks: a host
// that is slow to look sees the last state only.
func (s *Session) SetNetworkState(state plugv1.NetworkState, reason string) {
	s.network.set(state, words(errors.New(reason)))
}

// networkState is how the connection of one session is.
type networkState struct {
	mu      sync.Mutex
	state   plugv1.NetworkState // UNSPECIFIED: nobody has said
	reason  string
	changed broadcast
}

func (n *networkState) set(state plugv1.NetworkState, reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state == state && n.reason == reason {
		return
	}
	n.state, n.reason = state, reason
	n.changed.wake()
}

// get gives the state and what is closed when there is another.
func (n *networkState) get() (*plugv1.WatchStatusResponse, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	state := n.state
	if state == plugv1.NetworkState_NETWORK_STATE_UNSPECIFIED {
		state = plugv1.NetworkState_NETWORK_STATE_CONNECTED
	}
	return &plugv1.WatchStatusResponse{State: state, Reason: n.reason}, n.changed.wait()
}

// networkStatus is the service of the same name.
type networkStatus struct {
	plugv1.UnimplementedNetworkStatusServer
	server *server
}

// WatchStatus sends the state and each other one, until the session ends.
func (n *networkStatus) WatchStatus(_ *plugv1.WatchStatusRequest, g grpc.ServerStreamingServer[plugv1.WatchStatusResponse]) error {
	r := n.server.running()
	if r == nil || !r.up {
		return status.Error(codes.FailedPrecondition, "the status is watched after Start")
	}
	for {
		state, changed := r.session.network.get()
		if err := g.Send(state); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-r.session.ctx.Done():
			return nil
		case <-g.Context().Done():
			return context.Cause(g.Context())
		}
	}
}

func (n *networkStatus) Probe(ctx context.Context, _ *plugv1.ProbeRequest) (*plugv1.ProbeResponse, error) {
	prober, ok := n.server.plug.(Prober)
	if !ok {
		return nil, status.Error(codes.Unimplemented, "this plug cannot probe its network")
	}
	resp := &plugv1.ProbeResponse{State: plugv1.NetworkState_NETWORK_STATE_CONNECTED}
	err := n.server.callUtility(ctx, "Probe", func(ctx context.Context) error {
		err := prober.Probe(ctx)
		if VerdictOf(err) != plugv1.Verdict_VERDICT_LOGGED_OUT {
			return err
		}
		resp.State, resp.Reason = plugv1.NetworkState_NETWORK_STATE_LOGGED_OUT, words(err)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if resp.State == plugv1.NetworkState_NETWORK_STATE_CONNECTED {
		n.server.outbox.active()
	}
	return resp, nil
}
