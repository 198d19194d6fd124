package supervisor

import (
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// policy decides what follows the end of a life (S2): at once, after a back-off,
// rarely, or not before a person has acted. It has no clock and no goroutine.
type policy struct {
	n      Numbers
	delays *backoff.ExponentialBackOff

	exits []time.Time // of exits and hangs within ExitsWindow; fewer than MaxExits
	// spent: the restart without a delay was used since the last healthy time.
	spent bool
	// probing: the breaker is open. A single crash fails the plug again, until it
	// has been ready for HealthyReset or an operator has acted.
	probing bool
}

func newPolicy(n Numbers) *policy {
	return &policy{
		n: n,
		// Full jitter is a random delay between 0 and a ceiling that doubles, so
		// that what fell together doesn't rise together. The library draws from
		// 0 to twice its interval when the factor is 1: half of each bound gives
		// the ceilings wanted.
		delays: &backoff.ExponentialBackOff{
			InitialInterval:     n.BackoffMin / 2,
			MaxInterval:         n.BackoffMax / 2,
			Multiplier:          2,
			RandomizationFactor: 1,
		},
	}
}

// next is what follows: StateStarting means at once.
type next struct {
	state  State
	reason string
	at     time.Time // when it is tried again by itself; zero: never
}

// after decides what follows a life that ended now.
func (p *policy) after(end ending, now time.Time) next {
	if end.ready >= p.n.HealthyReset {
		p.healthy()
	}
	switch end.cause {
	case asked:
		p.reset()
		return next{state: StateStarting}
	case unreachable:
		return backOff(end, now, max(p.delay(end.ready), end.retryAfter))
	case loggedOut, held:
		return next{state: StateHeld, reason: end.reason}
	case misconfigured:
		return next{state: StateFailed, reason: end.reason}
	default:
		return p.afterCrash(end, now)
	}
}

func (p *policy) afterCrash(end ending, now time.Time) next {
	recent := p.exits[:0]
	for _, t := range p.exits {
		if now.Sub(t) < p.n.ExitsWindow {
			recent = append(recent, t)
		}
	}
	p.exits = append(recent, now)
	if !p.probing && len(p.exits) < p.n.MaxExits {
		return backOff(end, now, p.delay(end.ready))
	}
	what := fmt.Sprintf("it ended or hung %d times in %v", p.n.MaxExits, p.n.ExitsWindow)
	if p.probing {
		what = "it ended or hung again when it was tried"
	}
	p.probing = true
	p.exits = nil
	return next{
		state: StateFailed,
		// What happened comes last: it may end with lines of the plug's stderr.
		reason: fmt.Sprintf("%s; look at its log, then restart it or replace its binary; it is tried by itself every %v; the last time: %s",
			what, p.n.ProbeEvery, end.reason),
		at: now.Add(p.n.ProbeEvery),
	}
}

func backOff(end ending, now time.Time, wait time.Duration) next {
	if wait <= 0 {
		return next{state: StateStarting}
	}
	return next{state: StateBackoff, reason: end.reason, at: now.Add(wait)}
}

// delay gives the time before the next life of a plug that was ready for that
// long in its last one.
func (p *policy) delay(ready time.Duration) time.Duration {
	if ready >= p.n.ReadyReset && !p.spent {
		p.spent = true
		return 0
	}
	return p.delays.NextBackOff()
}

// healthy forgets what was before a long healthy time.
func (p *policy) healthy() {
	p.delays.Reset()
	p.spent = false
	p.probing = false
}

// reset forgets everything: an operator has acted.
func (p *policy) reset() {
	p.healthy()
	p.exits = nil
}
