package plug

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// errPanic stands for a panic of the author's code.
var errPanic = errors.New("the plug panicked")

// Back-off between two runs of Receive. It starts over after a run that lasted
// longer than the longest pause.
const (
	minReceivePause = time.Second
	maxReceivePause = time.Minute
)

// beginPickUp starts the session's Receive in the background, at the first stream
// of the session: then the cursors are there.
func (s *server) beginPickUp(r *run) {
	r.pickUpOnce.Do(func() {
		receiver, ok := s.plug.(Receiver)
		if !ok {
			close(r.pickUpEnded)
			return
		}
		s.tasks.Go(func() {
			defer close(r.pickUpEnded)
			s.receive(r, receiver)
		})
	})
}

// receive runs Receive again and again until the session stops its pick-up.
func (s *server) receive(r *run, receiver Receiver) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = minReceivePause, maxReceivePause, 2
	for {
		ctx, ok := r.turns.begin(r.pickUp)
		if !ok {
			return
		}
		began := time.Now()
		err := contain(s.log, "Receive", func() error {
			return receiver.Receive(ctx, r.session.Queue, s.outbox.lastCursors())
		})
		rests := r.turns.end()
		if r.pickUp.Err() != nil {
			return
		}
		if VerdictOf(err) == plugv1.Verdict_VERDICT_LOGGED_OUT {
			r.session.SetNetworkState(plugv1.NetworkState_NETWORK_STATE_LOGGED_OUT, err.Error())
		}
		if rests {
			pause.Reset()
			continue // the channels in use are being changed
		}
		if time.Since(began) > maxReceivePause {
			pause.Reset()
		}
		wait := pause.NextBackOff()
		if err != nil {
			s.log.Warn("receive failed, running it again", "error", err, "pause", wait)
		} else {
			s.log.Warn("receive returned, running it again", "pause", wait)
		}
		if !sleep(r.pickUp, wait) {
			return
		}
	}
}

// sleep waits for d and says whether ctx is still alive after it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
