package supervisor

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// S4, I2: each rung of the ladder, with its time, for plugs that heed one more
// of them than the last. The whole takes at most 18 s, whatever a plug does.
func TestStopLadder(t *testing.T) {
	t.Parallel()
	ignore := func(f *fakePlug) {
		f.freezeAt(time.Now().Add(time.Minute)) // no heartbeat or check is missed meanwhile
	}
	for name, c := range map[string]struct {
		prepare func(*fakePlug)
		want    []string
	}{
		"obeys": {func(*fakePlug) {}, []string{"quiesce@0s", "stop@0s", "served@0s", "shutdown@0s", "close@0s"}},
		"exits while Puts run": {func(f *fakePlug) {
			ignore(f)
			f.OnQuiesce = func(ctx context.Context) {
				time.AfterFunc(time.Second, func() { f.exit(nil) })
				<-ctx.Done()
			}
			f.OnServe = func(context.Context) error { <-f.ended; return errNo }
		}, []string{"quiesce@0s", "served@1s", "close@1s"}},
		"exits when told to disconnect": {func(f *fakePlug) {
			ignore(f)
			f.OnStop = func(ctx context.Context, _ time.Duration) error {
				time.AfterFunc(time.Second, func() { f.exit(nil) })
				return hang(ctx)
			}
			f.OnServe = func(context.Context) error { <-f.ended; return errNo }
		}, []string{"quiesce@0s", "stop@4s", "served@5s", "close@5s"}},
		"heeds the shutdown only": {func(f *fakePlug) {
			ignore(f)
			f.OnShutdown = func(context.Context) error {
				time.AfterFunc(time.Second, func() { f.exit(nil) })
				return nil
			}
		}, []string{"quiesce@0s", "stop@4s", "served@12s", "shutdown@12s", "close@13s"}},
		"heeds SIGTERM only": {func(f *fakePlug) {
			ignore(f)
			f.OnSignal = func(os.Signal) error {
				time.AfterFunc(time.Second, func() { f.exit(nil) })
				return nil
			}
		}, []string{"quiesce@0s", "stop@4s", "served@12s", "shutdown@12s", "terminated@14s", "close@15s"}},
		"takes the shutdown and goes on": {func(f *fakePlug) {
			ignore(f)
			f.OnShutdown = func(context.Context) error { return nil }
		}, []string{"quiesce@0s", "stop@4s", "served@12s", "shutdown@12s", "terminated@14s", "close@16s"}},
		"refuses everything at once": {func(f *fakePlug) {
			f.OnStop = func(context.Context, time.Duration) error { return errNo }
			f.OnShutdown = func(context.Context) error { return errNo }
			f.OnSignal = func(os.Signal) error { return errNo }
		}, []string{"quiesce@0s", "stop@0s", "served@0s", "shutdown@0s", "terminated@0s", "close@0s"}},
		"heeds nothing": {ignore, []string{"quiesce@0s", "stop@4s", "served@12s", "shutdown@12s", "terminated@14s", "close@16s"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := run(t, func(_ int, f *fakePlug) error { c.prepare(f); return nil })
				h.want(StateReady)
				h.plug().mark()
				if took := h.stop(); took > 18*time.Second {
					t.Errorf("took %v", took)
				}
				if got := h.plug().done(); !slices.Equal(got, c.want) {
					t.Errorf("went  %q\nwanted %q", got, c.want)
				}
				h.want(StateStopped)
				if h.lives() != 1 {
					t.Errorf("%d lives", h.lives())
				}
			})
		})
	}
}

// The plug is told a grace that leaves its answer time to come, and the call has
// the whole rung.
func TestStopGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var grace, limit time.Duration
		h := run(t, func(_ int, f *fakePlug) error {
			f.OnStop = func(ctx context.Context, g time.Duration) error {
				deadline, _ := ctx.Deadline()
				grace, limit = g, time.Until(deadline)
				return nil
			}
			return nil
		})
		h.stop()
		if grace != 7500*time.Millisecond || limit != 8*time.Second {
			t.Errorf("grace %v of %v", grace, limit)
		}
	})
}

// I2: a stop comes through at any moment of a start. Nothing of the start
// outlives Run: the bubble would say so.
func TestStopWhileStarting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(_ int, f *fakePlug) error { f.OnStart = hang; return nil })
		h.after(time.Second)
		h.plug().mark()
		if took := h.stop(); took != 0 {
			t.Errorf("took %v", took)
		}
		want := []string{"quiesce@0s", "stop@0s", "shutdown@0s", "close@0s"}
		if got := h.plug().done(); !slices.Equal(got, want) {
			t.Errorf("went  %q\nwanted %q", got, want)
		}
	})
}

// A launch that succeeds although it was called off leaves no process behind.
func TestStopWhileLaunching(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := newFakePlug()
		o := run(t, nil).o // for what is common
		o.Changed = nil
		o.Launch = func(context.Context) (Process, error) {
			cancel()
			return f, nil
		}
		if err := New(o).Run(ctx); err != nil {
			t.Error(err)
		}
		select {
		case <-f.Done():
		default:
			t.Error("the process lives on")
		}
	})
}

// D1, S4: what a process has sent before its end is still read, and answers of
// Puts too; but not for long, since a forked child may hold the connection open.
func TestDrainAfterExit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		serve, quiesce time.Duration // how long each needs after the exit
		want           []string
	}{
		"both end":         {20 * time.Millisecond, 10 * time.Millisecond, []string{"quiesce after a crash@0s", "served@20ms", "close@20ms"}},
		"the stream hangs": {time.Hour, 10 * time.Millisecond, []string{"quiesce after a crash@0s", "served@260ms", "close@260ms"}},
		"a Put hangs":      {20 * time.Millisecond, time.Hour, []string{"quiesce after a crash@0s", "served@20ms", "close@250ms"}},
		"both hang":        {time.Hour, time.Hour, []string{"quiesce after a crash@0s", "served@500ms", "close@500ms"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := run(t, func(n int, f *fakePlug) error {
					if n > 1 {
						return nil
					}
					wait := func(ctx context.Context, d time.Duration) {
						select {
						case <-time.After(d):
						case <-ctx.Done():
						}
					}
					f.OnServe = func(ctx context.Context) error {
						<-f.ended
						wait(ctx, c.serve)
						return errNo
					}
					f.OnQuiesce = func(ctx context.Context) { wait(ctx, c.quiesce) }
					return nil
				})
				h.after(time.Minute)
				f := h.plug()
				f.mark()
				f.exit(errNo)
				h.after(time.Second)
				if got := f.done(); !slices.Equal(got, c.want) {
					t.Errorf("went  %q\nwanted %q", got, c.want)
				}
			})
		})
	}
}

// After a hang nothing is asked of the plug: running Puts are cut off at once.
func TestHangIsKilled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(n int, f *fakePlug) error {
			if n == 1 {
				f.OnServe = func(context.Context) error {
					time.Sleep(time.Minute)
					return errors.New("the stream ended twice")
				}
				f.OnQuiesce = func(ctx context.Context) { <-ctx.Done() }
			}
			return nil
		})
		f := h.plug()
		h.after(time.Minute)
		f.mark()
		h.after(explainTime)
		if got, want := f.done(), []string{"quiesce after a crash@500ms", "close@500ms"}; !slices.Equal(got, want) {
			t.Errorf("went  %q\nwanted %q", got, want)
		}
		if h.want(StateReady); h.lives() != 2 {
			t.Errorf("%d lives", h.lives())
		}
	})
}

// An error of Close is logged, and no reason to give the plug up.
func TestCloseFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(_ int, f *fakePlug) error {
			f.OnClose = func() error { return errNo }
			return nil
		})
		h.Restart()
		h.after(0)
		if h.want(StateReady); h.lives() != 2 {
			t.Errorf("%d lives", h.lives())
		}
	})
}

// A process that not even a kill ends, hung in the kernel, keeps Run no longer
// than any other, and gets no second one beside it, which might send again what
// the first still sends (O5).
func TestUnkillable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(n int, f *fakePlug) error {
			if n == 1 {
				f.freezeAt(time.Now().Add(time.Minute))
				f.unkillable = true
				f.OnClose = func() error { return errNo }
			}
			return nil
		})
		h.after(time.Hour)
		if st := h.want(StateHeld); h.lives() != 1 || !strings.Contains(st.Reason, "could not be killed") {
			t.Errorf("%+v after %d lives", st, h.lives())
		}
		h.plug().exit(nil)
		h.Restart()
		h.after(0)
		if h.want(StateReady); h.lives() != 2 {
			t.Errorf("%d lives", h.lives())
		}
		h.plug().freezeAt(time.Now())
		h.plug().unkillable = true
		if took := h.stop(); took > 18*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// Nothing of a life outlives it: a start, a check and the work that need a while
// to end once they are told to are waited for.
func TestStopWaits(t *testing.T) {
	t.Parallel()
	slowly := func(f *fakePlug, name string) func(context.Context) error {
		return func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			f.step(name)
			return ctx.Err()
		}
	}
	for name, c := range map[string]struct {
		prepare func(*fakePlug)
		want    []string
	}{
		"start": {func(f *fakePlug) { f.OnStart = slowly(f, "started") },
			[]string{"started@1s", "quiesce@1s", "stop@1s", "shutdown@1s", "close@1s"}},
		"check": {func(f *fakePlug) { f.OnCheck = slowly(f, "checked") },
			[]string{"checked@1s", "quiesce@1s", "stop@1s", "served@1s", "shutdown@1s", "close@1s"}},
		"work": {func(f *fakePlug) { f.OnServe = slowly(f, "work") },
			[]string{"quiesce@0s", "stop@0s", "work@1s", "served@1s", "shutdown@1s", "close@1s"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := run(t, func(_ int, f *fakePlug) error { c.prepare(f); return nil })
				h.after(12 * time.Second) // in the middle of a check
				h.plug().mark()
				h.stop()
				if got := h.plug().done(); !slices.Equal(got, c.want) {
					t.Errorf("went  %q\nwanted %q", got, c.want)
				}
			})
		})
	}
}

func TestRunTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, nil)
		if err := h.Run(t.Context()); err == nil {
			t.Error("it ran twice")
		}
		h.stop()
		if err := h.Run(t.Context()); err == nil {
			t.Error("it ran again after its end")
		}
	})
}
