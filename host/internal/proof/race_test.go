//go:build race

package proof

import (
	"runtime"
	"testing"
)

// oneThread keeps a test on one processor. Under the race detector Go's runtime
// (1.26) gives all timers of a bubble one context of the detector without a lock;
// two threads that run timers at once crash in it. Races are found all the same:
// they are found by what is not ordered, not by what happens at once.
func oneThread(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}
