package clock

import (
	"sync"
	"sync/atomic"
	"time"
)

// Clock is the wall clock of the programs that it starts. The zero value is right.
type Clock struct {
	wrong atomic.Int64

	mu    sync.Mutex
	jumps []jump
}

// jump is since when a clock is how wrong.
type jump struct {
	at    time.Time
	wrong time.Duration
}

// Jump moves the clock.
func (c *Clock) Jump(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jumps = append(c.jumps, jump{time.Now(), time.Duration(c.wrong.Add(int64(by)))})
}

// Wrong is how far the clock is ahead of the true one.
func (c *Clock) Wrong() time.Duration { return time.Duration(c.wrong.Load()) }

// slack is between a jump and when it is noted, at the most.
const slack = 100 * time.Millisecond

// True is when the clock showed a time. A clock that is set back shows a time twice: it is
// the first that isn't before earliest.
func (c *Clock) True(shown, earliest time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	jumps := append([]jump{{}}, c.jumps...)
	last := len(jumps) - 1
	for i, j := range jumps[:last] {
		at := shown.Add(-j.wrong)
		if !at.Before(j.at.Add(-slack)) && !at.After(jumps[i+1].at.Add(slack)) && !at.Before(earliest.Add(-slack)) {
			return at
		}
	}
	return shown.Add(-jumps[last].wrong)
}
