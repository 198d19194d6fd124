package supervisor

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// S1: an operator's stop is a stop in order, and lasts until a start or a restart,
// whatever was tried meanwhile.
func TestStopAndStart(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*Supervisor){"start": (*Supervisor).Start, "restart": (*Supervisor).Restart} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := run(t, nil)
				h.after(time.Minute)
				h.want(StateReady)
				first := h.plug()
				h.Stop()
				h.after(time.Minute)
				st := h.want(StateStopped)
				if !strings.Contains(st.Reason, "as asked for") {
					t.Errorf("reason %q", st.Reason)
				}
				if done := strings.Join(first.done(), " "); !strings.Contains(done, "stop") {
					t.Errorf("it was not stopped in order: %s", done)
				}
				h.Stop()
				h.Retry()
				h.after(24 * time.Hour)
				h.want(StateStopped)
				if h.lives() != 1 {
					t.Errorf("%d lives", h.lives())
				}
				start(h.Supervisor)
				h.after(time.Second)
				h.want(StateReady)
				h.Start() // goes on
				h.after(time.Minute)
				if h.want(StateReady); h.lives() != 2 {
					t.Errorf("%d lives", h.lives())
				}
			})
		})
	}
}

// A plug that waits, or is failed, is stopped at once, and starts with a clean
// slate.
func TestStopWhileDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := run(t, func(n int, f *fakePlug) error {
			if n <= 5 {
				crashAfter(2 * time.Second)(f)
			}
			return nil
		})
		h.after(time.Minute)
		h.want(StateFailed)
		h.Stop()
		h.after(0)
		h.want(StateStopped)
		h.after(time.Hour) // no probe
		h.want(StateStopped)
		h.Start()
		h.after(time.Minute)
		if h.want(StateReady); h.lives() != 6 {
			t.Errorf("%d lives", h.lives())
		}
	})
}
