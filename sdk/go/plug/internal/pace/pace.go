// Package pace spaces what a plug sends by the rates that its network allows.
//
//   - Takes one call before each physical part. Gives it back when the part may go.
//   - Order: whoever asks first goes first, within a channel and over the plug. The
//     host paces whole actions by the same rates; this paces the parts within one.
//   - Bounds: one bucket for the plug and one for each channel whose bucket is not
//     full.
//   - Stops: a wait ends with its context; there is nothing else to stop.
package pace

import (
	"context"
	"sync"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"golang.org/x/time/rate"
)

// sweepAt is how many buckets of channels there may be before the full ones go.
const sweepAt = 64

// Pacer holds the buckets of one session. Its methods may be called by any number
// of goroutines.
type Pacer struct {
	plug *rate.Limiter // nil: no rate known

	mu       sync.Mutex
	channels map[string]*rate.Limiter
	sweep    int // number of buckets at which full ones are taken out
}

// New makes a Pacer with the plug's rate, nil if there is none.
func New(plug *plugv1.Rate) *Pacer {
	return &Pacer{plug: limiter(plug), channels: make(map[string]*rate.Limiter), sweep: sweepAt}
}

// Wait waits for a token of the plug's bucket and of the channel's, whose rate is
// given (nil: none). If the tokens would come only after ctx's deadline it takes none
// and answers at once with the time until they would: tooLong. An error is ctx's.
func (p *Pacer) Wait(ctx context.Context, channel string, channelRate *plugv1.Rate) (tooLong time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, context.Cause(ctx)
	}
	now := time.Now()
	delay, cancel := p.reserve(now, channel, channelRate)
	if delay <= 0 {
		return 0, nil
	}
	if end, ok := ctx.Deadline(); ok && end.Before(now.Add(delay)) {
		cancel()
		return delay, nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return 0, nil
	case <-ctx.Done():
		cancel()
		return 0, context.Cause(ctx)
	}
}

// reserve takes a token of each bucket, perhaps one that is still to come.
func (p *Pacer) reserve(now time.Time, channel string, channelRate *plugv1.Rate) (delay time.Duration, cancel func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var taken []*rate.Reservation
	for _, l := range []*rate.Limiter{p.plug, p.channel(now, channel, channelRate)} {
		if l == nil {
			continue
		}
		r := l.ReserveN(now, 1)
		delay = max(delay, r.DelayFrom(now))
		taken = append(taken, r)
	}
	return delay, func() {
		for _, r := range taken {
			r.Cancel()
		}
	}
}

// channel gives the bucket of a channel, or nil. A full bucket is as good as a new
// one, so those are what goes.
func (p *Pacer) channel(now time.Time, name string, r *plugv1.Rate) *rate.Limiter {
	if l := p.channels[name]; l != nil {
		return l
	}
	l := limiter(r)
	if l == nil {
		return nil
	}
	if len(p.channels) >= p.sweep {
		for other, bucket := range p.channels {
			if bucket.TokensAt(now) >= float64(bucket.Burst()) {
				delete(p.channels, other)
			}
		}
		p.sweep = max(sweepAt, 2*len(p.channels))
	}
	p.channels[name] = l
	return l
}

// limiter makes a full bucket. A rate that lets nothing through is a mistake, and
// read as none.
func limiter(r *plugv1.Rate) *rate.Limiter {
	if !(r.GetPerSecond() > 0) { // also NaN
		return nil
	}
	return rate.NewLimiter(rate.Limit(r.GetPerSecond()), max(int(r.GetBurst()), 1))
}
