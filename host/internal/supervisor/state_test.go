package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var errNo = errors.New("no")

func always(err error) func(int, *fakePlug) error {
	return func(int, *fakePlug) error { return err }
}

func starts(err error) func(int, *fakePlug) error {
	return func(_ int, f *fakePlug) error {
		f.OnStart = func(context.Context) error { return err }
		return nil
	}
}

// S1: each edge, and no other. The scenario's last edge is the one it is there
// for.
func TestEdges(t *testing.T) {
	t.Parallel()
	type edge struct{ from, to State }
	type scenario struct {
		edge
		prepare func(int, *fakePlug) error
		play    func(*harness)
	}
	later := func(d time.Duration) func(*harness) { return func(h *harness) { h.after(d) } }
	stop := func(h *harness) { h.stop() }
	again := func(h *harness) { h.Retry(); h.after(0) }
	hangsAtStart := func(_ int, f *fakePlug) error { f.OnStart = hang; return nil }
	hangsAtStop := func(_ int, f *fakePlug) error {
		f.OnStop = func(ctx context.Context, _ time.Duration) error { return hang(ctx) }
		return nil
	}
	onlyFirst := func(first func(int, *fakePlug) error) func(int, *fakePlug) error {
		return func(n int, f *fakePlug) error {
			if n == 1 {
				return first(n, f)
			}
			return hangsAtStart(n, f)
		}
	}
	scenarios := []scenario{
		{edge{StateStopped, StateStarting}, hangsAtStart, later(0)},
		{edge{StateStarting, StateReady}, nil, later(0)},
		{edge{StateStarting, StateDegraded}, func(_ int, f *fakePlug) error {
			f.OnStart = func(context.Context) error { time.Sleep(time.Second); return nil }
			return nil
		}, func(h *harness) { h.Degrade("why"); h.after(time.Second) }},
		{edge{StateStarting, StateBackoff}, always(errNo), later(0)},
		{edge{StateStarting, StateHeld}, always(Held(errNo)), later(0)},
		{edge{StateStarting, StateFailed}, always(BadConfig(errNo)), later(0)},
		{edge{StateStarting, StateStopped}, func(int, *fakePlug) error { time.Sleep(time.Second); return nil }, stop},
		{edge{StateStarting, StateStopping}, func(_ int, f *fakePlug) error {
			f.OnStart = hang
			return hangsAtStop(0, f)
		}, func(h *harness) { h.cancel(); h.after(0) }},
		{edge{StateReady, StateDegraded}, nil, func(h *harness) { h.Degrade("why") }},
		{edge{StateDegraded, StateReady}, nil, func(h *harness) { h.Degrade("why"); h.Recover() }},
		{edge{StateReady, StateStopping}, hangsAtStop, func(h *harness) { h.cancel(); h.after(0) }},
		{edge{StateDegraded, StateStopping}, hangsAtStop, func(h *harness) { h.Degrade("why"); h.Restart(); h.after(0) }},
		{edge{StateStopping, StateStarting}, onlyFirst(always(nil)), func(h *harness) { h.Restart(); h.after(0) }},
		{edge{StateStopping, StateBackoff}, starts(Unreachable(errNo, time.Hour)), later(0)},
		{edge{StateStopping, StateHeld}, starts(LoggedOut(errNo)), later(0)},
		{edge{StateStopping, StateFailed}, starts(BadConfig(errNo)), later(0)},
		{edge{StateStopping, StateStopped}, nil, stop},
		{edge{StateBackoff, StateStarting}, onlyFirst(starts(Unreachable(errNo, time.Hour))), later(time.Hour)},
		{edge{StateHeld, StateStarting}, onlyFirst(starts(LoggedOut(errNo))), again},
		{edge{StateFailed, StateStarting}, onlyFirst(starts(BadConfig(errNo))), again},
		{edge{StateBackoff, StateStopped}, starts(Unreachable(errNo, time.Hour)), stop},
		{edge{StateHeld, StateStopped}, starts(LoggedOut(errNo)), stop},
		{edge{StateFailed, StateStopped}, starts(BadConfig(errNo)), stop},
	}
	var allowed []edge
	for _, sc := range scenarios {
		allowed = append(allowed, sc.edge)
	}
	for _, sc := range scenarios {
		t.Run(fmt.Sprintf("%v to %v", sc.from, sc.to), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := run(t, sc.prepare)
				sc.play(h)
				h.mu.Lock()
				defer h.mu.Unlock()
				var seen []edge
				before := StateStopped
				for _, st := range h.changes {
					if st.State != before {
						seen = append(seen, edge{before, st.State})
					}
					before = st.State
				}
				if len(seen) == 0 || seen[len(seen)-1] != sc.edge {
					t.Errorf("went %v", seen)
				}
				for _, e := range seen {
					if !slices.Contains(allowed, e) {
						t.Errorf("went from %v to %v, which no scenario is there for", e.from, e.to)
					}
				}
			})
		})
	}
}

// S1: the names are what users see.
func TestStateNames(t *testing.T) {
	t.Parallel()
	want := "[disabled verifying starting ready degraded backoff held failed stopping stopped State(10) State(-1)]"
	var got []State
	for s := StateDisabled; s <= StateStopped+1; s++ {
		got = append(got, s)
	}
	if s := fmt.Sprint(append(got, -1)); s != want {
		t.Errorf("got %s", s)
	}
}

// What a status says beside the state.
func TestStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		h := run(t, func(n int, f *fakePlug) error {
			if n == 1 {
				f.OnStart = func(context.Context) error { time.Sleep(time.Second); return nil }
				crashAfter(20 * time.Second)(f)
			}
			return nil
		})
		if st := h.want(StateStarting); st != (Status{State: StateStarting, Since: began}) {
			t.Errorf("starting: %+v", st)
		}
		h.after(time.Second)
		ready := began.Add(time.Second)
		if st := h.want(StateReady); st != (Status{State: StateReady, Since: ready, ReadySince: ready}) {
			t.Errorf("ready: %+v", st)
		}
		h.after(time.Second)
		h.Degrade("a receipt named another channel")
		if st := h.want(StateDegraded); st.Since != ready.Add(time.Second) || st.ReadySince != ready || st.Reason != "a receipt named another channel" {
			t.Errorf("degraded: %+v", st)
		}
		h.after(time.Second)
		n := len(h.changes)
		h.Degrade("another")
		h.Degrade("another") // no news
		if st := h.want(StateDegraded); st.Since != ready.Add(time.Second) || st.Reason != "another" || len(h.changes) != n+1 {
			t.Errorf("still degraded: %+v, %d changes", st, len(h.changes)-n)
		}
		h.SetNetwork("not connected")
		h.Recover()
		if st := h.want(StateDegraded); st.Reason != "not connected" {
			t.Errorf("its network is away: %+v", st)
		}
		h.SetNetwork("")
		if st := h.want(StateReady); st.Reason != "" || st.ReadySince != ready {
			t.Errorf("recovered: %+v", st)
		}
		h.Degrade("again")
		h.SetNetwork("of this life only")
		h.after(18*time.Second + drainTime) // the first crash, and an immediate restart
		if st := h.want(StateReady); st.Restarts != 1 || st.Reason != "" {
			t.Errorf("after a restart: %+v", st)
		}
		h.plug().exit(errNo)
		h.after(drainTime)
		st := h.want(StateBackoff)
		if wait := time.Until(st.NextTry); wait <= 0 || wait > time.Second || !st.ReadySince.IsZero() || st.Reason != "its process ended: no" {
			t.Errorf("backoff: %+v", st)
		}
		h.stop()
		if st := h.want(StateStopped); st.Reason != "" || !st.NextTry.IsZero() || st.Restarts != 1 {
			t.Errorf("stopped: %+v", st)
		}
	})
}

// A stage may report at any time, also where there is nothing to degrade.
func TestDegradeAnyTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, starts(LoggedOut(errNo)))
		h.want(StateHeld)
		h.Degrade("why")
		h.want(StateHeld)
		h.Recover()
		if st := h.want(StateHeld); st.Reason != "no" {
			t.Errorf("the reason is now %q", st.Reason)
		}
	})
}
