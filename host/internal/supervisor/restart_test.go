package supervisor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// S2: the first restart of a plug that had been ready for 10 s is immediate, the
// next is not, until it has been healthy for 5 minutes.
func TestImmediateRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, nil)
		crash := func(ready time.Duration, immediate bool) {
			t.Helper()
			h.after(ready)
			h.want(StateReady)
			n := h.lives()
			h.plug().exit(errNo)
			h.after(0) // what serves ends with its context, after drainTime
			h.after(drainTime)
			if got := h.lives() > n; got != immediate {
				t.Errorf("after %v: an immediate restart: %v, want %v", ready, got, immediate)
			}
			h.after(time.Minute) // whatever the back-off was
		}
		crash(0, false)             // ready for nothing
		crash(10*time.Second, true) // more than 10 s, and the first
		crash(10*time.Second, false)
		crash(5*time.Minute, true)
		crash(10*time.Second, false)
	})
}

// recovery after a kill: what the process leaves behind ends at once, and so the
// next launch comes at once.
func TestImmediateRestartTakesNoTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(_ int, f *fakePlug) error {
			f.OnServe = func(ctx context.Context) error {
				select {
				case <-f.ended: // the connection breaks
				case <-ctx.Done():
				}
				return errNo
			}
			return nil
		})
		h.after(10 * time.Second)
		h.plug().exit(errNo)
		h.after(0)
		if h.want(StateReady); h.lives() != 2 {
			t.Errorf("%d lives", h.lives())
		}
	})
}

// S2: 5 exits or hangs in 10 minutes make a plug failed; it is then tried every
// 15 minutes, once; a healthy time closes the breaker.
func TestFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(n int, f *fakePlug) error {
			switch {
			case n <= 6:
				crashAfter(2 * time.Second)(f)
			case n == 7:
				crashAfter(5 * time.Minute)(f)
			}
			return nil
		})
		h.after(time.Minute) // the ceilings of the delays are 1, 2, 4 and 8 s
		st := h.want(StateFailed)
		if h.lives() != 5 {
			t.Errorf("failed after %d lives", h.lives())
		}
		if !strings.Contains(st.Reason, "5 times in 10m0s") || !strings.HasSuffix(st.Reason, "exit status 2") {
			t.Errorf("reason %q", st.Reason)
		}
		probe := st.Since.Add(15 * time.Minute)
		if st.NextTry != probe {
			t.Errorf("next try in %v", time.Until(st.NextTry))
		}
		h.after(time.Until(probe) - time.Second)
		h.want(StateFailed)
		h.after(time.Second)
		h.want(StateReady)
		h.after(3 * time.Second)
		st = h.want(StateFailed) // the probe's first exit
		if h.lives() != 6 || !strings.Contains(st.Reason, "again when it was tried") {
			t.Errorf("%d lives: %q", h.lives(), st.Reason)
		}
		h.after(time.Until(st.NextTry)) // the next probe is healthy for 5 minutes
		h.after(5*time.Minute + drainTime)
		if h.want(StateReady); h.lives() != 8 { // and its exit is one as any other
			t.Errorf("%d lives", h.lives())
		}
	})
}

// S2: exits count only within the window.
func TestRareExits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(_ int, f *fakePlug) error {
			crashAfter(2*time.Minute + 30*time.Second)(f) // never 5 in 10 min
			return nil
		})
		h.after(24 * time.Hour)
		for _, st := range h.changes {
			if st.State == StateFailed {
				t.Fatalf("%+v", st)
			}
		}
		if h.lives() < 24*60/4 {
			t.Errorf("%d lives", h.lives())
		}
	})
}

// S2: a launch that fails and a start that crashes are exits too.
func TestExitsBeforeReady(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(int, *fakePlug) error{
		"launch":        always(errNo),
		"start":         starts(errNo),
		"exit":          func(_ int, f *fakePlug) error { f.OnStart = hang; f.exit(errNo); return nil },
		"serve":         func(_ int, f *fakePlug) error { f.OnServe = func(context.Context) error { return errNo }; return nil },
		"serve, silent": func(_ int, f *fakePlug) error { f.OnServe = func(context.Context) error { return nil }; return nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			h := run(t, prepare)
			h.after(5 * time.Minute)
			if h.want(StateFailed); h.lives() != 5 {
				t.Errorf("%s: %d lives", name, h.lives())
			}
		})
	}
}

// What the end of the process explains is told as that, and not as the broken
// connection that it causes.
func TestExitExplains(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*fakePlug){
		"while starting": func(f *fakePlug) {
			f.OnStart = func(context.Context) error {
				time.AfterFunc(5*time.Millisecond, func() { f.exit(errors.New("killed by SIGSEGV")) })
				return errors.New("connection reset")
			}
		},
		"while serving": func(f *fakePlug) {
			f.OnServe = func(context.Context) error {
				time.AfterFunc(5*time.Millisecond, func() { f.exit(errors.New("killed by SIGSEGV")) })
				return errors.New("connection reset")
			}
		},
		"at once": func(f *fakePlug) {
			f.OnStart = hang
			f.exit(errors.New("killed by SIGSEGV"))
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := run(t, func(n int, f *fakePlug) error { prepare(f); return nil })
			h.after(5 * time.Minute)
			if st := h.want(StateFailed); !strings.HasSuffix(st.Reason, "its process ended: killed by SIGSEGV") {
				t.Errorf("%s: %q", name, st.Reason)
			}
		})
	}
}

// S2: a network that is down for six hours is backoff, never failed, and comes
// back within a minute.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		back := time.Now().Add(6 * time.Hour)
		h := run(t, func(_ int, f *fakePlug) error {
			f.OnStart = func(context.Context) error {
				if time.Now().Before(back) {
					return Unreachable(errors.New("connection refused"), 0)
				}
				return nil
			}
			return nil
		})
		h.after(6 * time.Hour)
		for _, st := range h.changes {
			if st.State == StateFailed || st.State == StateHeld {
				t.Fatalf("%+v", st)
			}
		}
		if n := h.lives(); n < 6*60 || n > 6*60*4 { // 30 s on average
			t.Errorf("%d tries in six hours", n)
		}
		h.after(time.Minute)
		h.want(StateReady)
	})
}

// S2: a plug is not tried before the time that its network asked for.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, starts(Unreachable(errNo, 10*time.Minute)))
		h.after(10*time.Minute - time.Second)
		if st := h.want(StateBackoff); st.Reason != "no" || h.lives() != 1 {
			t.Errorf("%+v after %d lives", st, h.lives())
		}
		h.after(time.Second)
		if h.lives() != 2 {
			t.Errorf("%d lives", h.lives())
		}
	})
}

// S2: what needs a person is tried once, stopped in order, and waits; the breaker
// has no part in it.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want State
	}{
		"logged out": {LoggedOut(errNo), StateHeld},
		"held":       {Held(errNo), StateHeld},
		"bad config": {BadConfig(errNo), StateFailed},
	} {
		if !errors.Is(c.err, errNo) {
			t.Errorf("%s: hides its error", name)
		}
		for from, prepare := range map[string]func(int, *fakePlug) error{
			"launch": always(c.err),
			"start":  starts(c.err),
			"serve":  func(_ int, f *fakePlug) error { f.OnServe = func(context.Context) error { return c.err }; return nil },
		} {
			synctest.Test(t, func(t *testing.T) {
				h := run(t, prepare)
				h.after(24 * time.Hour)
				st := h.want(c.want)
				if h.lives() != 1 || !st.NextTry.IsZero() || !strings.HasSuffix(st.Reason, "no") {
					t.Errorf("%s at %s: %+v after %d lives", name, from, st, h.lives())
				}
				if steps := strings.Join(h.plug().done(), " "); from != "launch" &&
					!(strings.Contains(steps, "stop@") && strings.Contains(steps, "shutdown@")) {
					t.Errorf("%s at %s: was not stopped in order: %s", name, from, steps)
				}
				h.Retry()
				h.after(0)
				if h.lives() != 2 {
					t.Errorf("%s at %s: an operator's retry did nothing", name, from)
				}
			})
		}
	}
}

// An operator's retry starts a plug that waits, at once and with a clean slate,
// and leaves one alone that doesn't.
func TestRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		healthy := false
		h := run(t, func(n int, _ *fakePlug) error {
			if healthy {
				return nil
			}
			return errNo
		})
		h.after(5 * time.Minute)
		h.want(StateFailed)
		h.Retry()
		h.after(0)
		h.want(StateBackoff) // and not failed: what was before no longer counts
		h.Retry()
		h.after(0)
		if h.lives() != 7 {
			t.Errorf("%d lives", h.lives())
		}
		h.after(5 * time.Minute)
		h.want(StateFailed)
		healthy = true
		h.Retry()
		h.after(0)
		h.want(StateReady)
		n := h.lives()
		h.Retry()
		h.after(time.Hour)
		if h.want(StateReady); h.lives() != n {
			t.Error("a retry restarted a plug that works")
		}
		healthy = false
		h.plug().exit(errNo) // the retry above must not be left for now
		h.after(drainTime)
		h.after(5 * time.Minute)
		h.want(StateFailed)
	})
}

// An operator's restart is in order, at once, and works in every state.
func TestRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(n int, f *fakePlug) error {
			switch n {
			case 2:
				f.OnStart = hang
			case 3:
				return Held(errNo)
			}
			return nil
		})
		for i, want := range []State{StateReady, StateStarting, StateHeld, StateReady, StateReady} {
			if h.want(want); h.lives() != i+1 {
				t.Errorf("%d lives, want %d", h.lives(), i+1)
			}
			steps := h.plug()
			h.Restart()
			h.Restart() // twice is once
			h.after(0)
			if s := strings.Join(steps.done(), " "); want != StateHeld && !strings.Contains(s, "stop@") {
				t.Errorf("life %d was not stopped in order: %s", i+1, s)
			}
		}
		if st := h.want(StateReady); st.Restarts != 5 {
			t.Errorf("%d restarts", st.Restarts)
		}
	})
}

// A restart that is asked for while a life is being stopped begins the next one.
func TestRestartWhileStopping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(n int, f *fakePlug) error {
			if n == 1 {
				f.OnStart = func(context.Context) error { return LoggedOut(errNo) }
				f.OnStop = func(context.Context, time.Duration) error { time.Sleep(time.Second); return nil }
			}
			return nil
		})
		h.want(StateStopping)
		h.Restart()
		h.after(time.Second)
		if h.want(StateReady); h.lives() != 2 {
			t.Errorf("%d lives", h.lives())
		}
	})
}
