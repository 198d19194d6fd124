package agenda_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/agenda"
)

func TestStepsInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		a := agenda.New(&mu)
		var done []string
		step := func(name string, after time.Duration, gate *agenda.Gate) agenda.Step {
			return agenda.Step{After: after, Gate: gate, Do: func() { done = append(done, name) }}
		}
		want := func(names ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(done, names) {
				t.Fatalf("done %v, want %v", done, names)
			}
		}
		var gate agenda.Gate
		mu.Lock()
		gate.Shut()
		a.Run(step("now", 0, nil), step("5s", 5*time.Second, nil), step("8s", 3*time.Second, nil))
		a.Run(step("5s too", 5*time.Second, nil))
		a.Run(step("2s", 2*time.Second, nil))
		a.Run(step("held 1", time.Second, &gate), step("after it", time.Second, nil))
		a.Run(step("held 2", 0, &gate))
		mu.Unlock()
		want("now")
		time.Sleep(2 * time.Second)
		want("now", "2s")
		time.Sleep(3 * time.Second)
		want("now", "2s", "5s", "5s too")
		time.Sleep(time.Hour)
		want("now", "2s", "5s", "5s too", "8s")

		mu.Lock()
		if n := gate.Release(1); n != 1 {
			t.Errorf("released %d, want 1", n)
		}
		mu.Unlock()
		want("now", "2s", "5s", "5s too", "8s", "held 2")
		mu.Lock()
		if n := gate.Open(); n != 1 {
			t.Errorf("opening released %d, want 1", n)
		}
		a.Run(step("free", 0, &gate))
		a.Run(step("never", time.Minute, nil))
		mu.Unlock()
		want("now", "2s", "5s", "5s too", "8s", "held 2", "held 1", "free")
		time.Sleep(time.Second)
		want("now", "2s", "5s", "5s too", "8s", "held 2", "held 1", "free", "after it")

		a.Close()
		time.Sleep(time.Hour)
		want("now", "2s", "5s", "5s too", "8s", "held 2", "held 1", "free", "after it")
	})
}
