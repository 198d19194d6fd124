package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// I1, S3: a process that is frozen, at whatever moment between two looks, is
// found and killed within 40 s, however little it takes with it.
func TestFrozen(t *testing.T) {
	t.Parallel()
	all := func(*fakePlug) {}
	heartbeatsOnly := func(f *fakePlug) { f.OnCheck = nil }
	checksOnly := func(f *fakePlug) { f.OnLastHeard = nil } // the host was not reading
	for name, spare := range map[string]func(*fakePlug){
		"everything": all, "heartbeats only": heartbeatsOnly, "checks only": checksOnly,
	} {
		for offset := time.Duration(0); offset <= 10*time.Second; offset += 1250 * time.Millisecond {
			t.Run(fmt.Sprintf("%s, %v after a look", name, offset), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					frozen := time.Now().Add(time.Minute + offset)
					h := run(t, func(n int, f *fakePlug) error {
						if n == 1 {
							f.freezeAt(frozen)
							spare(f)
						}
						return nil
					})
					f := h.plug()
					h.after(time.Until(frozen))
					h.want(StateReady)
					<-f.Done()
					if after := time.Since(frozen); after > 40*time.Second || after < 20*time.Second {
						t.Errorf("killed after %v", after)
					}
					h.after(drainTime)
					if h.want(StateReady); h.lives() != 2 {
						t.Errorf("%d lives", h.lives())
					}
					if stop := h.changes[2]; stop.State != StateStopping || !strings.Contains(stop.Reason, "it hung") {
						t.Errorf("was told %+v", stop)
					}
					if slices.ContainsFunc(f.done(), func(s string) bool { return strings.HasPrefix(s, "stop@") }) {
						t.Errorf("a frozen plug was asked to disconnect: %q", f.done())
					}
				})
			})
		}
	}
}

// S3: a plug that freezes while it starts is found by its health, long before
// the deadline of Start.
func TestFrozenWhileStarting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(n int, f *fakePlug) error {
			if n == 1 {
				f.freezeAt(time.Now())
				f.OnStart = hang
			}
			return nil
		})
		began := time.Now()
		<-h.plug().Done()
		if after := time.Since(began); after > 40*time.Second {
			t.Errorf("killed after %v", after)
		}
	})
}

// S3: misses count only in a row, only while the host itself reads, and by looks:
// a host that was frozen itself takes one miss from it.
func TestNoHang(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*fakePlug){
		"the host does not read": func(f *fakePlug) {
			f.OnLastHeard = func() (stream, network time.Time) { return time.Now(), time.Now() }
		},
		"two heartbeats of three are missed": func(f *fakePlug) {
			began := time.Now()
			f.OnLastHeard = func() (stream, network time.Time) {
				heard := began.Add(time.Since(began).Truncate(30 * time.Second))
				return heard, heard
			}
		},
		"heartbeats come late": func(f *fakePlug) {
			f.OnLastHeard = func() (stream, network time.Time) {
				heard := time.Now().Add(-10 * time.Second)
				return heard, heard
			}
		},
		"two checks of three fail": func(f *fakePlug) {
			n := 0
			f.OnCheck = func(context.Context) error {
				if n++; n%3 != 0 {
					return errNo
				}
				return nil
			}
		},
		"a look sees an hour of silence": func(f *fakePlug) {
			looks := 0
			f.OnLastHeard = func() (stream, network time.Time) {
				if looks++; looks == 5 {
					return time.Now().Add(-time.Hour), time.Now()
				}
				return time.Now(), time.Now()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := run(t, func(_ int, f *fakePlug) error { prepare(f); return nil })
				h.after(time.Hour)
				if h.want(StateReady); h.lives() != 1 {
					t.Errorf("%d lives", h.lives())
				}
			})
		})
	}
}

// S3: a check has a deadline, and the misses are named.
func TestCheckFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var limit time.Duration
		h := run(t, func(n int, f *fakePlug) error {
			if n == 1 {
				f.OnCheck = func(ctx context.Context) error {
					deadline, _ := ctx.Deadline()
					limit = time.Until(deadline)
					return errors.New("not serving")
				}
			}
			return nil
		})
		h.after(30 * time.Second)
		if limit != 5*time.Second {
			t.Errorf("a check has %v", limit)
		}
		if stop := h.changes[2]; stop.State != StateStopping || !strings.Contains(stop.Reason, "not serving") {
			t.Errorf("was told %+v", stop)
		}
	})
}

// S3: a network that is silent for longer than it may degrades the plug, and
// restarts it, in order, when that lasts as long again.
func TestSilentNetwork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var heard atomic.Value
		heard.Store(time.Now())
		h := run(t, func(n int, f *fakePlug) error {
			f.silence = time.Minute
			if n == 1 {
				f.OnLastHeard = func() (stream, network time.Time) { return time.Now(), heard.Load().(time.Time) }
			}
			return nil
		})
		f := h.plug()
		h.after(time.Minute)
		h.want(StateReady)
		h.after(10 * time.Second)
		if st := h.want(StateDegraded); !strings.Contains(st.Reason, "nothing was heard from the network for 1m0s") {
			t.Errorf("reason %q", st.Reason)
		}
		h.Degrade("also this")
		if st := h.want(StateDegraded); !strings.HasPrefix(st.Reason, "also this; nothing was heard") {
			t.Errorf("reason %q", st.Reason)
		}
		h.Recover()
		heard.Store(time.Now())
		h.after(10 * time.Second)
		h.want(StateReady)
		h.after(time.Minute)
		h.want(StateDegraded)
		f.mark()
		h.after(time.Minute)
		if h.want(StateReady); h.lives() != 2 {
			t.Errorf("%d lives", h.lives())
		}
		if got, want := f.done(), []string{"quiesce@1m0s", "stop@1m0s", "served@1m0s", "shutdown@1m0s", "close@1m0s"}; !slices.Equal(got, want) {
			t.Errorf("went  %q\nwanted %q", got, want)
		}
	})
}

// S3: what a plug hears between two of its heartbeats is told with the next one: a
// network that may be silent for less than that is not taken for dead because of it.
func TestSilenceShorterThanAHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(_ int, f *fakePlug) error {
			f.silence = 3 * time.Second
			began := time.Now()
			f.OnLastHeard = func() (stream, network time.Time) {
				beat := began.Add((time.Since(began) + 5*time.Second).Truncate(10*time.Second) - 5*time.Second)
				return beat, beat.Add(-time.Second)
			}
			return nil
		})
		h.after(10 * time.Minute)
		if h.want(StateReady); h.lives() != 1 {
			t.Errorf("%d lives", h.lives())
		}
		for _, st := range h.changes {
			if st.State == StateDegraded {
				t.Fatalf("%+v", st)
			}
		}
	})
}

// S2, S3: a network that stays silent is no fault of the plug's process: it backs
// off, and never fails. Nor is news that is old when the host comes back to
// reading a second silence.
func TestSilentNetworkIsNoCrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(_ int, f *fakePlug) error {
			f.silence = 20 * time.Second
			f.OnLastHeard = func() (stream, network time.Time) { return time.Now(), time.Time{} }
			return nil
		})
		h.after(6 * time.Hour)
		for _, st := range h.changes {
			if st.State == StateFailed {
				t.Fatalf("%+v", st)
			}
		}
		if n := h.lives(); n < 100 || n > 400 {
			t.Errorf("%d lives in six hours", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var old atomic.Bool
		h := run(t, func(_ int, f *fakePlug) error {
			f.silence = time.Minute
			f.OnLastHeard = func() (stream, network time.Time) {
				if old.Swap(false) {
					return time.Now(), time.Now().Add(-time.Hour)
				}
				return time.Now(), time.Now()
			}
			return nil
		})
		h.after(2 * time.Hour)
		old.Store(true)
		h.after(10 * time.Second)
		h.want(StateDegraded)
		h.after(10 * time.Second)
		if h.want(StateReady); h.lives() != 1 {
			t.Errorf("%d lives", h.lives())
		}
	})
}

// What was heard before the plug was ready, on a stream of the past, is no
// silence of this life.
func TestSilenceBeginsWithReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(_ int, f *fakePlug) error {
			f.silence = time.Minute
			f.OnLastHeard = func() (stream, network time.Time) { return time.Now(), time.Time{} }
			return nil
		})
		h.after(time.Minute)
		h.want(StateReady)
		h.after(10 * time.Second)
		h.want(StateDegraded)
	})
}

// A plug that declares no limit may hear nothing for ever.
func TestAnySilenceIsHealthy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(_ int, f *fakePlug) error {
			f.OnLastHeard = func() (stream, network time.Time) { return time.Now(), time.Time{} }
			return nil
		})
		h.after(24 * time.Hour)
		if h.want(StateReady); h.lives() != 1 {
			t.Errorf("%d lives", h.lives())
		}
	})
}
