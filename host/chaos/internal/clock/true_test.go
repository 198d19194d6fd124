package clock

import (
	"testing"
	"testing/synctest"
	"time"
)

// What a clock showed tells when that was, before a jump, after it and after one back.
func TestTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		var last time.Time
		for _, by := range []time.Duration{0, 4 * time.Hour, -2 * time.Second, time.Hour, -time.Hour, -5 * time.Minute, 2 * time.Second} {
			c.Jump(by)
			for range 5 {
				time.Sleep(time.Second)
				now := time.Now()
				if got := c.True(now.Add(c.Wrong()), last); !got.Equal(now) {
					t.Errorf("after a jump by %v: it was %v, found %v", by, now, got)
				}
				last = now
			}
		}
	})
}
