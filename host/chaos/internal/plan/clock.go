package plan

import (
	"math/rand/v2"
	"slices"
	"time"
)

// ClockBegins is how far the host's clock is ahead when it is started. All jumps of a
// round take it back to where it was, and none takes it behind the true time: its plugs
// have that, and nobody's plug has another clock than its host. (A plug takes the earlier
// of two deadlines, one by the wall clock: what a host that is behind asks for is too late
// already.)
const ClockBegins = 4 * time.Hour

// onClock has the host's clock jump: for good, for a while, and while the host is down.
func (p *Plan) onClock() (kinds []func(*rand.Rand) Step) {
	for _, by := range []time.Duration{2 * time.Second, 5 * time.Minute, time.Hour, -2 * time.Second, -5 * time.Minute, -time.Hour} {
		kinds = append(kinds, func(*rand.Rand) Step { return Step{Do: JumpClock, Name: named(JumpClock, by), By: by} })
	}
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		kinds = append(kinds,
			func(d *rand.Rand) Step {
				return Step{Do: JumpClock, Name: named(JumpClock, by) + " and back", By: by, For: between(d, 200*time.Millisecond, 3*time.Second)}
			},
			func(d *rand.Rand) Step {
				s := Step{Do: KillAndJump, Name: named(KillAndJump, by), By: by}
				p.burst(d, &s, slices.Concat(p.Conversations...), 10, 20)
				return s
			})
	}
	return kinds
}

// named is the name of a fault with how far the clock jumps.
func named(do Do, by time.Duration) string {
	if by < 0 {
		return string(do) + " back by " + (-by).String()
	}
	return string(do) + " ahead by " + by.String()
}
