package proof

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// schedules is how many schedules are run: 20,000, or 500 with -short, or what
// PLUGHOST_SCHEDULES says.
var schedules = flag.Int("schedules", 0, "schedules to run; 0: PLUGHOST_SCHEDULES, or 20000, or 500 with -short")

// fixedSeed is what schedules are drawn from without -rapid.seed.
const fixedSeed = "20261123"

func howMany(t *testing.T, long, short int) int {
	n := long
	if testing.Short() {
		n = short
	}
	if s := os.Getenv("PLUGHOST_SCHEDULES"); s != "" {
		parsed, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("PLUGHOST_SCHEDULES: %v", err)
		}
		n = parsed
	}
	if *schedules > 0 {
		n = *schedules
	}
	return n
}

// check runs a number of schedules and requires each situation in one of each
// share of them.
func check(t *testing.T, n int, connect Connect) Counts {
	t.Helper()
	oneThread(t)
	set := func(name, value string) {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	checks := n
	if testing.Short() {
		checks *= 5 // rapid takes a fifth of it
	}
	set("rapid.checks", strconv.Itoa(checks))
	if f := flag.Lookup("rapid.seed"); f.Value.String() == f.DefValue {
		// The same schedules every time, so that a failure is the change's own;
		// -rapid.seed draws others.
		set("rapid.seed", fixedSeed)
	}
	set("rapid.nofailfile", "true")
	var counts Counts
	tries := 1
	rapid.Check(t, func(rt *rapid.T) {
		s := drawSchedule(rt)
		var result Result
		for range tries {
			synctest.Test(t, func(*testing.T) { result = Run(s, connect) })
			for i, n := range result.Counts {
				counts[i] += n
			}
			if result.Broken != nil {
				break
			}
		}
		if b := result.Broken; b != nil {
			// Goroutines that are ready at the same instant run in any order, so
			// one try more or less may be needed to see the same again.
			if tries == 1 {
				t.Logf("first seen:\n%v\n%s%s: %s", s, result.Trace(), b.Guarantee, b.What)
			}
			tries = 20
			rt.Logf("%v\n%s", s, result.Trace())
			rt.Logf("%s: %s", b.Guarantee, b.What)
			rt.Fatalf("broken: %s", b.Guarantee)
		}
	})
	return counts
}

// O1, O2, O4-O7, D1-D3: whatever happens, and the proof says how often what
// happened.
func TestSchedules(t *testing.T) {
	n := howMany(t, 20_000, 500)
	counts := check(t, n, Direct)
	fmt.Printf("%d schedules:\n%v", n, counts)
	for s, got := range counts {
		if want := max(1, n/200); got < want {
			t.Errorf("%v: came up %d times, at least %d are needed", Situation(s), got, want)
		}
	}
}
