package plug

import (
	"context"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const (
	// maxEfforts is how many best-effort actions may wait for the one that runs.
	maxEfforts = 32
	// effortTimeout is how long after the request a best-effort action still counts:
	// what somebody typed 10 s ago says nothing.
	effortTimeout = 10 * time.Second
)

// effort is an action that is tried once and answered before it is.
type effort struct {
	kind     plugv1.ActionKind
	channel  string
	deadline time.Time
	act      actor
}

// tryLater tries an action in the background, in the order of the calls, unless too
// many wait already: then it is dropped.
func (s *server) tryLater(ctx context.Context, r *run, req *plugv1.PutRequest, act actor) {
	r.effortsOnce.Do(func() {
		s.tasks.Go(func() {
			defer close(r.effortsEnded)
			s.tryEfforts(r)
		})
	})
	deadline := time.Now().Add(effortTimeout)
	if d, ok := deadlineOf(ctx, req); ok && d.Before(deadline) {
		deadline = d
	}
	select {
	case r.efforts <- effort{kindOf(req.GetAction()), req.GetChannel(), deadline, act}:
	default:
		s.log.Debug("dropping a best-effort action: too many wait", "kind", kindOf(req.GetAction()), "channel", req.GetChannel())
	}
}

// tryEfforts tries one action after another, until the session's Puts end. One
// goroutine does it all: that somebody has stopped typing must not overtake that they
// began.
func (s *server) tryEfforts(r *run) {
	for {
		select {
		case e := <-r.efforts:
			s.try(r, e)
		case <-r.puts.Done():
			return
		}
	}
}

func (s *server) try(r *run, e effort) {
	ctx, cancel := context.WithDeadline(r.puts, e.deadline)
	defer cancel()
	if ctx.Err() != nil {
		return
	}
	err := contain(s.log, e.kind.String(), func() error {
		_, err := e.act(ctx, e.deadline)
		return err
	})
	if err != nil && err != errPanic {
		s.log.Debug("a best-effort action failed", "kind", e.kind, "channel", e.channel, "error", err)
	}
}
