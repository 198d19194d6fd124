package supervisor

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func defaults() Numbers { return Numbers{}.withDefaults() }

// The numbers of S2, S3 and S4, and their sum of I2.
func TestDefaults(t *testing.T) {
	t.Parallel()
	n := defaults()
	want := Numbers{
		ReadyReset: 10 * time.Second, BackoffMin: time.Second, BackoffMax: time.Minute, HealthyReset: 5 * time.Minute,
		MaxExits: 5, ExitsWindow: 10 * time.Minute, ProbeEvery: 15 * time.Minute,
		HeartbeatEvery: 10 * time.Second, Misses: 3, CheckTimeout: 5 * time.Second,
		QuiesceTime: 4 * time.Second, StopTime: 8 * time.Second, ShutdownTime: 2 * time.Second, TermTime: 2 * time.Second,
	}
	if n != want {
		t.Errorf("got %+v", n)
	}
	if sum := n.QuiesceTime + n.StopTime + n.ShutdownTime + n.TermTime; sum > 18*time.Second {
		t.Errorf("the ladder takes %v", sum)
	}
	want.MaxExits = 7
	if got := (Numbers{MaxExits: 7}).withDefaults(); got != want {
		t.Errorf("one set: %+v", got)
	}
}

// S2: the delay is anywhere between nothing and a ceiling that doubles from 1 s
// to 60 s.
func TestFullJitter(t *testing.T) {
	t.Parallel()
	const rounds = 200
	ceilings := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}
	var low, high [9]int // delays in the lower and upper quarter
	for range rounds {
		p := newPolicy(defaults())
		for i, c := range ceilings {
			c *= time.Second
			d := p.delay(0)
			if d < 0 || d > c {
				t.Fatalf("delay %d is %v, over %v", i, d, c)
			}
			if d < c/4 {
				low[i]++
			}
			if d > c*3/4 {
				high[i]++
			}
		}
	}
	for i := range ceilings {
		// Expected are 50 each, with a deviation of 6.
		if low[i] < 10 || high[i] < 10 {
			t.Errorf("delay %d is not spread: %d low, %d high of %d", i, low[i], high[i], rounds)
		}
	}
}

// S2: 5 healthy minutes bring the first ceiling back.
func TestBackoffReset(t *testing.T) {
	t.Parallel()
	for range 50 {
		p := newPolicy(defaults())
		for range 8 {
			p.delay(0)
		}
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if got := p.after(ending{cause: crashed, ready: 5 * time.Minute}, now); got.state != StateStarting {
			t.Fatalf("%+v", got)
		}
		if got := p.after(ending{cause: crashed}, now); got.at.Sub(now) > time.Second {
			t.Fatalf("a delay of %v", got.at.Sub(now))
		}
	}
}

// The rules of S2 over any sequence of endings.
func TestPolicyRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := defaults()
		p := newPolicy(n)
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var crashes []time.Time // since the last reset or failure
		broken := false         // failed, and not healthy or reset since
		unspent := true
		for range rapid.IntRange(1, 60).Draw(t, "lives") {
			end := ending{
				cause:  rapid.SampledFrom([]cause{asked, crashed, crashed, crashed, crashed, unreachable, loggedOut, misconfigured, held}).Draw(t, "cause"),
				reason: "why",
				ready:  time.Duration(rapid.SampledFrom([]int{0, 9, 10, 100, 299, 300, 1000}).Draw(t, "ready")) * time.Second,
			}
			if end.cause == unreachable {
				end.retryAfter = time.Duration(rapid.IntRange(0, 100).Draw(t, "retry after")) * time.Second
			}
			now = now.Add(end.ready + time.Millisecond)
			if end.ready >= n.HealthyReset {
				broken, unspent = false, true
			}
			got := p.after(end, now)
			immediate := end.ready >= n.ReadyReset && unspent

			switch end.cause {
			case asked:
				crashes, broken, unspent = nil, false, true
				if got.state != StateStarting {
					t.Fatalf("an operator waits: %+v", got)
				}
			case loggedOut, held:
				if got.state != StateHeld || !got.at.IsZero() {
					t.Fatalf("%+v", got)
				}
			case misconfigured:
				if got.state != StateFailed || !got.at.IsZero() {
					t.Fatalf("%+v", got)
				}
			case unreachable:
				if got.state == StateFailed || got.state == StateHeld {
					t.Fatalf("unreachable is %v", got.state)
				}
				if got.state == StateBackoff && got.at.Sub(now) < end.retryAfter || got.state == StateStarting && end.retryAfter > 0 {
					t.Fatalf("tried before %v: %+v", end.retryAfter, got)
				}
				unspent = unspent && !immediate
			case crashed:
				crashes = append(crashes, now)
				recent := 0
				for _, c := range crashes {
					if now.Sub(c) < n.ExitsWindow {
						recent++
					}
				}
				if fails := broken || recent >= n.MaxExits; fails != (got.state == StateFailed) {
					t.Fatalf("%d crashes in the window, broken before: %v: %+v", recent, broken, got)
				} else if fails {
					broken, crashes = true, nil
					if got.at.Sub(now) != n.ProbeEvery {
						t.Fatalf("probe in %v", got.at.Sub(now))
					}
					break
				}
				if immediate && got.state != StateStarting {
					t.Fatalf("no immediate restart: %+v", got)
				}
				unspent = unspent && !immediate
			}
			if !got.at.IsZero() {
				if d := got.at.Sub(now); got.state == StateBackoff && d > max(n.BackoffMax, end.retryAfter) {
					t.Fatalf("a delay of %v", d)
				}
				now = got.at
			}
			if len(p.exits) >= n.MaxExits {
				t.Fatalf("remembers %d exits", len(p.exits))
			}
		}
	})
}
