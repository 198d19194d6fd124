package link

import (
	"context"
	"sync"
	"time"
)

const (
	// idleGap is the least time between two acknowledgements when nothing waits to
	// be stored: 200 per second.
	idleGap = 5 * time.Millisecond
	// busyGap is the same while more is being stored.
	busyGap = 50 * time.Millisecond
)

// acks holds the acknowledgement that is to be sent next: one number, however
// often it is set, so a plug that doesn't read costs nothing.
type acks struct {
	// wake has room for one: a token says that something was set since the last
	// look, and a second one would say the same.
	wake chan struct{}

	mu      sync.Mutex
	through uint64
	idle    bool
}

func newAcks() *acks { return &acks{wake: make(chan struct{}, 1)} }

// set notes that everything through this sequence is stored. It only ever grows.
func (a *acks) set(through uint64, idle bool) {
	a.mu.Lock()
	a.through = max(a.through, through)
	a.idle = idle
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *acks) next() (through uint64, gap time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.idle {
		return a.through, idleGap
	}
	return a.through, busyGap
}

// run sends acknowledgements until ctx or the stream ends. What ended the stream
// is Recv's to report.
func (a *acks) run(ctx context.Context, send func(through uint64) error) {
	var sent uint64
	var last time.Time // when; zero lets the first one go at once
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		through, gap := a.next()
		if due := time.Until(last.Add(gap)); through > sent && due > 0 {
			timer.Reset(due)
		} else if through > sent {
			if send(through) != nil {
				return
			}
			sent, last = through, time.Now()
			continue
		}
		select {
		case <-a.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}
