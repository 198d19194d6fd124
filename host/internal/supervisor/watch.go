package supervisor

import (
	"context"
	"fmt"
	"time"
)

// watch finds out that a process hangs, or that its network is silent (S3).
type watch struct {
	l      *life
	found  chan ending // gets at most one
	cancel context.CancelFunc
	task   *task

	beats, checks int       // misses in a row
	silentSince   time.Time // when the network was found silent; zero: it isn't
}

// newWatch begins to watch a life. stop has to be called.
func newWatch(l *life) *watch {
	ctx, cancel := context.WithCancel(l.alive)
	w := &watch{l: l, found: make(chan ending, 1), cancel: cancel}
	w.task = begin(func() error {
		w.run(ctx)
		return nil
	})
	return w
}

func (w *watch) stop() {
	w.cancel()
	w.task.wait()
}

// run looks once per heartbeat. It counts looks and not time, so that a host
// that was itself frozen, or starved, takes a single miss from it. A process
// frozen between two looks is found within Misses+1 heartbeats.
func (w *watch) run(ctx context.Context) {
	ticker := time.NewTicker(w.l.s.o.Numbers.HeartbeatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		end, over := w.look(ctx)
		if ctx.Err() != nil {
			return
		}
		if over {
			w.found <- end
			return
		}
	}
}

func (w *watch) look(ctx context.Context) (end ending, over bool) {
	n := w.l.s.o.Numbers
	// Before it is ready there is no stream to hear it on.
	if ready := w.l.s.Status().ReadySince; !ready.IsZero() {
		stream, network := w.l.sess.LastHeard()
		if w.beats = count(w.beats, time.Since(stream) > n.HeartbeatEvery); w.beats >= n.Misses {
			return ending{cause: crashed, reason: fmt.Sprintf("it hung: no heartbeat came for %v", n.HeartbeatEvery*time.Duration(n.Misses))}, true
		}
		if end, over := w.lookAtNetwork(stream.Sub(latest(network, ready))); over {
			return end, true
		}
	}
	check, cancel := context.WithTimeout(ctx, n.CheckTimeout)
	defer cancel()
	err := w.l.proc.Check(check)
	if w.checks = count(w.checks, err != nil); w.checks >= n.Misses {
		return ending{cause: crashed, reason: fmt.Sprintf("it hung: %d health checks in a row failed, the last with: %v", n.Misses, err)}, true
	}
	return ending{}, false
}

// lookAtNetwork degrades a plug whose network is silent for too long, and ends
// its life when that has lasted as long again. That is the network's fault and
// not a hang: it doesn't count towards failed.
//
// silent is how long the network had been silent when the plug was last heard: of
// what came since, the plug tells with its next heartbeat.
func (w *watch) lookAtNetwork(silent time.Duration) (end ending, over bool) {
	limit := w.l.sess.MaxSilence()
	if limit <= 0 || silent <= limit {
		if !w.silentSince.IsZero() {
			w.silentSince = time.Time{}
			w.l.s.setSilence("")
		}
		return ending{}, false
	}
	if w.silentSince.IsZero() {
		w.silentSince = time.Now()
		w.l.s.setSilence(fmt.Sprintf("nothing was heard from the network for %v; if that lasts for another %v, the plug is restarted by itself", limit, limit))
	}
	// Counted from here and not from when it was heard last: a host that comes
	// back from a long wait reads old news first.
	if time.Since(w.silentSince) < limit {
		return ending{}, false
	}
	return ending{cause: unreachable, reason: fmt.Sprintf("nothing was heard from the network for %v", 2*limit)}, true
}

// count counts misses in a row.
func count(n int, missed bool) int {
	if missed {
		return n + 1
	}
	return 0
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
