package plug

import (
	"context"
	"fmt"
	"slices"
	"sync"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ChannelSetter is a Plug that can change the channels in use without a new Start.
// Without it the host stops and starts the plug.
type ChannelSetter interface {
	// SetChannels joins the channels that are new and leaves those that are no longer
	// listed, and answers as Started.Channels does. Receive has returned before, and is
	// run again after, with the cursors of the channels that remain; Session.Channels
	// holds the new ones from then on. What was queued for a channel that is left still
	// goes to the host, which drops it.
	//
	// Calls come between Start and Stop, one at a time, with a deadline of 30 s. After an
	// error Session.Channels is what it was, and the host may ask again.
	SetChannels(ctx context.Context, sources []string) ([]*plugv1.ChannelStatus, error)
}

// setChannels changes the channels in use while Receive rests.
func (s *server) setChannels(ctx context.Context, setter ChannelSetter, sources []string) (states []*plugv1.ChannelStatus, err error) {
	r := s.running()
	if r == nil || !r.up {
		return nil, status.Error(codes.Unavailable, "the plug is not started")
	}
	if err := r.turns.rest(ctx); err != nil {
		return nil, status.Error(codes.Unavailable, fmt.Sprintf("wait for the pick-up to end: %v", err))
	}
	defer r.turns.goOn()
	err = s.callUtility(ctx, "SetChannels", func(ctx context.Context) (err error) {
		states, err = setter.SetChannels(ctx, slices.Clone(sources))
		return err
	})
	if err != nil {
		return nil, err
	}
	before := r.inUse
	r.inUse = canonical(sources, states)
	r.session.Channels = sources
	for _, source := range before {
		if !slices.Contains(r.inUse, source) {
			s.outbox.forgetCursor(source)
		}
	}
	return states, nil
}

// canonical gives the canonical sources of channels.
func canonical(sources []string, states []*plugv1.ChannelStatus) []string {
	list := slices.Clone(sources)
	for _, state := range states {
		if i := slices.Index(sources, state.GetRequested()); i >= 0 && state.GetSource() != "" {
			list[i] = state.GetSource()
		}
	}
	return list
}

// turns keeps Receive and a change of channels apart.
type turns struct {
	mu      sync.Mutex
	resting bool
	cancel  context.CancelFunc // ends the run of Receive; nil: none runs
	changed broadcast
}

// begin waits until nobody wants Receive to rest, and gives the context of one run;
// not ok: parent has ended.
func (t *turns) begin(parent context.Context) (ctx context.Context, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.until(parent, func() bool { return !t.resting }) != nil {
		return nil, false
	}
	ctx, t.cancel = context.WithCancel(parent)
	return ctx, true
}

// end ends a run, and says whether it was to make Receive rest.
func (t *turns) end() (rests bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel()
	t.cancel = nil
	t.changed.wake()
	return t.resting
}

// rest makes Receive rest until goOn, and returns when it does. One caller at a time
// gets that far. An error is ctx's: then there is no goOn.
func (t *turns) rest(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.until(ctx, func() bool { return !t.resting }); err != nil {
		return err
	}
	t.resting = true
	if t.cancel != nil {
		t.cancel()
	}
	if err := t.until(ctx, func() bool { return t.cancel == nil }); err != nil {
		t.resting = false
		t.changed.wake()
		return err
	}
	return nil
}

func (t *turns) goOn() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.resting = false
	t.changed.wake()
}

// until waits with the lock held, which it gives up meanwhile.
func (t *turns) until(ctx context.Context, holds func() bool) error {
	for !holds() {
		changed := t.changed.wait()
		t.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		t.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}
