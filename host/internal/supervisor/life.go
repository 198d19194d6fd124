package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// explainTime is how long the end of a process may lag behind the errors that it
// causes: the connection breaks a few milliseconds earlier.
const explainTime = 500 * time.Millisecond

// life is one process, from its launch to its end.
type life struct {
	s    *Supervisor
	proc Process
	sess Session

	// alive ends with the process. All calls to the plug descend from it, because
	// a connection may outlive its process in the hands of a forked child.
	alive context.Context
	die   context.CancelFunc

	serve     *task // the session's work; nil before it was started
	stopServe context.CancelFunc
}

// live is one life: it launches a process, brings the plug to work, waits for
// what ends it, and leaves no process behind, if the system lets it. While the
// context lives, the result says what ended it.
func (s *Supervisor) live(ctx context.Context) ending {
	s.launching()
	proc, err := s.o.Launch(ctx)
	if err != nil {
		return endingOf(fmt.Errorf("launch the plug: %w", err))
	}
	l := &life{s: s, proc: proc, sess: s.o.NewSession(proc)}
	l.alive, l.die = context.WithCancel(context.WithoutCancel(ctx))
	reaper := begin(func() error {
		select {
		case <-proc.Done():
			l.die()
		case <-l.alive.Done():
		}
		return nil
	})
	watch := newWatch(l)

	end := l.run(ctx, watch.found)
	if since := s.Status().ReadySince; !since.IsZero() {
		end.ready = time.Since(since)
	}
	s.rest(StateStopping, end.reason, time.Time{})
	watch.stop()
	l.stop(end)
	if end.exited {
		// Not earlier: the process may take a moment to say, and meanwhile no Put
		// was to begin.
		end.reason = exitReason(proc.Err())
	}
	if err := proc.Close(); err != nil {
		s.log.Error("could not clean up after the plug's process", "error", err)
	}
	if !l.exited() {
		// What it was asked to send it may still send: no second one beside it.
		end = ending{cause: held, reason: "its process could not be killed; see to it that it ends, then restart the plug"}
	}
	l.die()
	reaper.wait()
	return end
}

// run starts the plug and its work, and waits for what ends the life.
func (l *life) run(ctx context.Context, found <-chan ending) ending {
	starting, cancel := context.WithCancel(l.alive)
	defer cancel()
	start := begin(func() error { return l.sess.Start(starting) })
	if end, over := l.wait(ctx, start, found); over {
		cancel()
		start.wait()
		return end
	}
	l.s.ready()

	// The work lives on when ctx ends, until the plug has disconnected.
	working, stopServe := context.WithCancel(context.WithoutCancel(ctx))
	l.stopServe = stopServe
	l.serve = begin(func() error {
		if err := l.sess.Serve(working); err != nil {
			return err
		}
		return errors.New("the work on the plug ended by itself")
	})
	end, _ := l.wait(ctx, l.serve, found)
	return end
}

// wait waits for the end of a task. If that is an error, or something else ends
// the life first, the life is over.
func (l *life) wait(ctx context.Context, t *task, found <-chan ending) (end ending, over bool) {
	select {
	case <-t.done:
		if t.err == nil {
			return ending{}, false
		}
		return l.explain(t.err), true
	case <-l.proc.Done():
		return l.exit(), true
	case end := <-found:
		return end, true
	case <-l.s.halt():
		return ending{cause: asked, reason: "it is being stopped, as asked for"}, true
	case <-l.s.again:
		return ending{cause: asked, reason: "it is being restarted, as asked for"}, true
	case <-ctx.Done():
		return ending{cause: asked, reason: "the host stops it"}, true
	}
}

// explain reads the error of a task. What the end of the process explains is
// told as that.
func (l *life) explain(err error) ending {
	end := endingOf(err)
	if end.cause != crashed {
		return end
	}
	timer := time.NewTimer(explainTime)
	defer timer.Stop()
	select {
	case <-l.proc.Done():
		return l.exit()
	case <-timer.C:
		return end
	}
}

// exit is the end of a life by the end of its process.
func (l *life) exit() ending {
	return ending{cause: crashed, reason: exitReason(nil), exited: true}
}

func exitReason(err error) string {
	if err == nil {
		return "its process ended"
	}
	return fmt.Sprintf("its process ended: %v", err)
}

// task is a goroutine that can be waited for.
type task struct {
	done chan struct{} // closed at its end
	err  error         // valid then
}

func begin(work func() error) *task {
	t := &task{done: make(chan struct{})}
	go func() {
		defer close(t.done)
		t.err = work()
	}()
	return t
}

func (t *task) wait() { <-t.done }
