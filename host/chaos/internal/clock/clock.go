package clock

import (
	"sync/atomic"
	"time"
)

// Clock is the wall clock of the programs that it starts. The zero value is right.
type Clock struct {
	wrong atomic.Int64
}

// Jump moves the clock.
func (c *Clock) Jump(by time.Duration) { c.wrong.Add(int64(by)) }

// Wrong is how far the clock is ahead of the true one.
func (c *Clock) Wrong() time.Duration { return time.Duration(c.wrong.Load()) }
