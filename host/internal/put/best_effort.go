package put

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const (
	// bestEffortTimeout is how long showing that somebody writes may take: it is of no
	// use later.
	bestEffortTimeout = 5 * time.Second
	// maxBestEffort is how many run at once on a plug; one more is not carried out.
	maxBestEffort = 64
)

// BestEffort carries out an action that is of use now or never, in a goroutine that Run
// waits for: not while the plug is down, not in an order with anything else, not twice.
// It passes no gate, since it makes no message, and returns at once. target is the
// message that a read marker is about, nil for typing.
func (s *Stage) BestEffort(ctx context.Context, c id.Channel, name string, a *plugv1.Action, target *journalv1.MessageKey) {
	s.mu.Lock()
	p := s.plug(c.Network)
	live, shown := p.live, p.shown
	ready := s.running != nil && live != nil && !p.waits[c.Source] && !time.Now().Before(p.paused) && live.can(kindOf(a)) &&
		shown.TryAcquire(1)
	if ready {
		s.running.Add(1)
	}
	running := s.running
	s.mu.Unlock()
	if !ready {
		return
	}
	go func() {
		defer running.Done()
		defer shown.Release(1)
		if a, ok := s.about(ctx, c, a, target); ok {
			s.show(ctx, live, c, name, a)
		}
	}()
}

// about gives a read marker what represents its message in the channel; ok is false if
// nothing does.
func (s *Stage) about(ctx context.Context, c id.Channel, a *plugv1.Action, target *journalv1.MessageKey) (_ *plugv1.Action, ok bool) {
	if a.GetReadMarker() == nil {
		return a, true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bestEffortTimeout)
	defer cancel()
	o := &operation{stage: s, channel: c, log: s.Logger}
	receipts, err := o.resolve(ctx, target)
	if err != nil || len(receipts) == 0 {
		return nil, false
	}
	a = proto.CloneOf(a)
	a.GetReadMarker().Target = &plugv1.Target{Receipts: receipts}
	return a, true
}

func (s *Stage) show(ctx context.Context, live *Live, c id.Channel, name string, a *plugv1.Action) {
	response := live.Link.Put(context.WithoutCancel(ctx), &plugv1.PutRequest{
		OperationId: name, Channel: string(s.Moves.Now(c).Source), Action: a, Attempt: 1, FirstAttemptTime: timestamppb.Now(),
	}, bestEffortTimeout)
	if f := response.Failure; f != nil {
		s.Logger.Debug("not shown", "channel", c.String(), "verdict", f.Verdict.String(), "reason", f.Message)
	}
}
