package put

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/gate"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Link puts actions into a live plug.
type Link interface {
	// Put never fails: what went wrong is in the answer. The RPC's own deadline
	// is 5 s after timeout.
	Put(ctx context.Context, r *plugv1.PutRequest, timeout time.Duration) *plugv1.PutResponse
}

// Files gives a plug the files of the actions that it is asked to carry out.
type Files interface {
	// Deliver gives an action its files, in place, before an attempt. cleanup, which is
	// never nil, takes them back once the operation is settled, or before another
	// attempt. An error may pass.
	Deliver(ctx context.Context, a *plugv1.Action) (cleanup func(), err error)
}

// History is what the plug's network keeps.
type History interface {
	FindOperation(ctx context.Context, r *plugv1.FindOperationRequest, _ ...grpc.CallOption) (*plugv1.FindOperationResponse, error)
}

// rpcMargin is the time between a Put's deadline and its RPC's.
const rpcMargin = 5 * time.Second

// Live is a plug that is up.
type Live struct {
	Link       Link
	Scope      plugv1.PutScope
	Concurrent uint32
	Abilities  *plugv1.Abilities
	// Accepts are the kinds of actions that the binary carries out; nil: all.
	Accepts []plugv1.ActionKind
	// Files are the plug's spool; nil: actions have no files.
	Files Files
	// History finds what an operation made, also one whose outcome is uncertain; nil:
	// the network keeps nothing.
	History History
	// Channels whose state is not "joined" wait.
	Channels []*plugv1.ChannelStatus
}

// plug is what the stage knows of a network's plug. Guarded by Stage.mu.
type plug struct {
	live     *Live                     // nil: down
	slots    *semaphore.Weighted       // one for each Put that may run
	shown    *semaphore.Weighted       // one for each best effort
	waits    map[id.ChannelSource]bool // by home
	process  uint64                    // counts the plug's processes
	crashed  map[uint64]bool           // those of the newest that crashed
	pace     *pace
	opened   time.Time // of the stream that is open; zero: none
	caughtUp map[id.ChannelSource]time.Time
	paused   time.Time     // by RATE_LIMITED for the whole plug
	changed  chan struct{} // closed at every change
}

func (s *Stage) plug(n id.NetworkID) *plug {
	p := s.plugs[n]
	if p == nil {
		p = &plug{caughtUp: map[id.ChannelSource]time.Time{}, waits: map[id.ChannelSource]bool{}, crashed: map[uint64]bool{}, changed: make(chan struct{})}
		s.plugs[n] = p
	}
	return p
}

// change changes a plug's state and wakes whoever waits for it.
func (s *Stage) change(n id.NetworkID, do func(*plug)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plug(n)
	do(p)
	close(p.changed)
	p.changed = make(chan struct{})
}

// Attach says that a plug is up, in a new process.
func (s *Stage) Attach(n id.NetworkID, live Live) {
	s.change(n, func(p *plug) {
		p.live, p.process = &live, p.process+1
		p.slots, p.shown = semaphore.NewWeighted(live.concurrent()), semaphore.NewWeighted(maxBestEffort)
		delete(p.crashed, p.process-maxCrashed)
		if p.pace == nil || !proto.Equal(p.pace.limits, live.Abilities.GetLimits()) {
			p.pace = newPace(live.Abilities.GetLimits(), s.since)
		}
		p.opened, p.caughtUp = time.Time{}, map[id.ChannelSource]time.Time{}
		p.waits = map[id.ChannelSource]bool{}
		for _, c := range live.Channels {
			source := c.Source
			if source == "" {
				source = c.Requested
			}
			at := id.Channel{Network: n, Source: id.ChannelSource(source)}
			if s.Moves.Now(at) == at { // else it has gone on from there
				p.waits[s.Moves.Home(at).Source] = !joined(c.State)
			}
		}
	})
}

// joined tells whether a channel can be written to.
func joined(s plugv1.ChannelState) bool {
	return s == plugv1.ChannelState_CHANNEL_STATE_UNSPECIFIED || s == plugv1.ChannelState_CHANNEL_STATE_JOINED
}

// StreamOpened says that the plug's stream is open; what its Puts did comes on it.
func (s *Stage) StreamOpened(n id.NetworkID) {
	s.change(n, func(p *plug) {
		p.opened = time.Now()
		// The plug doesn't say again what it has caught up with; of what it has
		// not had acknowledged since, it says everything now.
		for scope := range p.caughtUp {
			p.caughtUp[scope] = p.opened
		}
	})
}

// maxCrashed is of how many processes it is remembered that they crashed. What is
// uncertain learns of it at once, unless it is busy.
const maxCrashed = 64

// Detach says that the plug takes no more Puts, because its process crashed or is being
// stopped. It is called once for each Attach, before Puts that run are cut off.
func (s *Stage) Detach(n id.NetworkID, crashed bool) {
	s.change(n, func(p *plug) {
		if crashed && p.live != nil {
			p.crashed[p.process] = true
		}
		p.live, p.opened = nil, time.Time{}
	})
}

func (l *Live) scope() gate.Scope {
	if l.Scope == plugv1.PutScope_PUT_SCOPE_CHANNEL {
		return gate.Channel
	}
	return gate.Plug
}

// concurrent is how many Puts may run at once.
func (l *Live) concurrent() int64 { return int64(max(1, l.Concurrent)) }

// timeout is the time one Put may take.
func (l *Live) timeout() time.Duration {
	if d := l.Abilities.GetLimits().GetPutTimeout().AsDuration(); d > 0 {
		return d
	}
	return 30 * time.Second
}

// retries is how many attempts there may be after one that may have been sent, age after
// the first: more where the network still takes the operation twice as one, or where it is
// certain what was sent.
func (l *Live) retries(age time.Duration, certain bool) int {
	i := l.Abilities.GetIdempotentPut()
	if certain || i != nil && age < i.Window.AsDuration() {
		return retriesIdempotent
	}
	return retriesOtherwise
}

// await waits for a change, at most for a while if that is not 0.
func await(ctx context.Context, changed <-chan struct{}, most time.Duration) error {
	var expired <-chan time.Time
	if most > 0 {
		t := time.NewTimer(most)
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-expired:
	}
	return nil
}
