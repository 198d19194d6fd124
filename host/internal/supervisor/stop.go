package supervisor

import (
	"context"
	"syscall"
	"time"
)

// drainTime is how long the work on a process that has ended may go on: what it
// sent before its end is still to be read, events and answers of Puts.
const drainTime = 250 * time.Millisecond

// stop ends a life, whatever state it is in. Afterwards the session is over, and
// the process has only to be closed, which kills it if it is still there.
//
// For a life that ends in order this is the stop ladder (S4), in which each rung
// ends at once when the process does. After a crash only the first of them is left:
// of a plug that hangs or is broken nothing more is asked.
func (l *life) stop(end ending) {
	n := l.s.o.Numbers
	orderly := end.cause != crashed
	switch {
	case l.exited():
		l.quiesce(context.WithoutCancel(l.alive), drainTime, !orderly)
	case orderly:
		l.quiesce(l.alive, n.QuiesceTime, false)
		l.rung(n.StopTime, l.disconnect)
	default:
		l.quiesce(l.alive, 0, true)
	}
	// Only now: a plug that disconnects flushes its queue, and waits for the
	// acknowledgement.
	l.endServe()
	if orderly {
		l.rung(n.ShutdownTime, l.shutdown)
		l.rung(n.TermTime, l.terminate)
	}
}

// quiesce ends Puts, running ones after limit.
func (l *life) quiesce(ctx context.Context, limit time.Duration, crashed bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	l.sess.Quiesce(ctx, crashed)
}

// endServe ends the session's work.
func (l *life) endServe() {
	if l.serve == nil {
		return
	}
	if l.exited() {
		timer := time.NewTimer(drainTime)
		defer timer.Stop()
		select {
		case <-l.serve.done:
		case <-timer.C:
		}
	}
	l.stopServe()
	l.serve.wait()
}

// rung takes one step of the ladder within limit, if the process still lives.
func (l *life) rung(limit time.Duration, step func(context.Context, time.Duration)) {
	if l.exited() {
		return
	}
	ctx, cancel := context.WithTimeout(l.alive, limit)
	defer cancel()
	step(ctx, limit)
}

func (l *life) disconnect(ctx context.Context, limit time.Duration) {
	// The plug is told a little less than the call has, so that its answer comes in
	// time.
	if err := l.sess.Stop(ctx, limit-limit/16); err != nil {
		l.s.log.Warn("the plug did not disconnect in order", "error", err)
	}
}

func (l *life) shutdown(ctx context.Context, _ time.Duration) {
	if err := l.proc.Shutdown(ctx); err != nil {
		l.s.log.Debug("the plug did not take the shutdown", "error", err)
		return
	}
	<-ctx.Done() // ends with the process
}

func (l *life) terminate(ctx context.Context, _ time.Duration) {
	if err := l.proc.Signal(syscall.SIGTERM); err != nil {
		l.s.log.Debug("could not signal the plug", "error", err)
		return
	}
	<-ctx.Done() // ends with the process
}

func (l *life) exited() bool {
	select {
	case <-l.proc.Done():
		return true
	default:
		return false
	}
}
