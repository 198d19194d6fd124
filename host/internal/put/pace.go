package put

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/text"
)

// pace spaces the Puts of a plug by the rates that it declared, before the network has
// to refuse: some drop silently. A Put begins once the buckets of its channel and of the
// plug hold a token, and takes one for each part that it sends, so a bucket may go into
// debt. Buckets are empty when the host starts, since nobody knows what they held. At the
// plug's bucket the channels take turns: each waits behind those that came before it.
type pace struct {
	limits *plugv1.Limits
	since  time.Time     // when the buckets were empty
	plug   *rate.Limiter // nil: no rate is declared
	next   *semaphore.Weighted

	channels map[id.ChannelSource]*rate.Limiter // guarded by Stage.mu
}

func newPace(limits *plugv1.Limits, since time.Time) *pace {
	return &pace{limits: limits, since: since, plug: bucket(limits.GetPlugRate(), since), next: semaphore.NewWeighted(1),
		channels: map[id.ChannelSource]*rate.Limiter{}}
}

// bucket makes a bucket that was empty at a time; nil if there is no rate. A rate that
// lets nothing through is a mistake, and read as none.
func bucket(r *plugv1.Rate, since time.Time) *rate.Limiter {
	if !(r.GetPerSecond() > 0) { // also NaN
		return nil
	}
	burst := int(max(r.GetBurst(), 1))
	l := rate.NewLimiter(rate.Limit(r.GetPerSecond()), burst)
	l.AllowN(since, burst)
	return l
}

// channel gives the bucket of a channel; nil if there is no rate. The caller holds the
// stage's mu.
func (p *pace) channel(source id.ChannelSource) *rate.Limiter {
	if p.limits.GetChannelRate() == nil {
		return nil
	}
	l, made := p.channels[source]
	if !made {
		l = bucket(p.limits.ChannelRate, p.since)
		p.channels[source] = l
	}
	return l
}

// paces tells whether any rate is declared.
func (p *pace) paces() bool { return p.limits.GetChannelRate() != nil || p.plug != nil }

// turn waits for the channel's turn at the plug's bucket and for a token in it. done
// gives the turn to the next; it may be called more than once. Its error is the
// context's.
func (p *pace) turn(ctx context.Context) (done func(), err error) {
	if p.plug == nil {
		return func() {}, nil
	}
	if err := p.next.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	for {
		wait := untilToken(p.plug)
		if wait <= 0 {
			return sync.OnceFunc(func() { p.next.Release(1) }), nil
		}
		if err := await(ctx, nil, wait); err != nil {
			p.next.Release(1)
			return nil, err
		}
	}
}

// untilToken is the time until a bucket holds a token, at most an hour; 0 if there is no
// bucket.
func untilToken(l *rate.Limiter) time.Duration {
	if l == nil {
		return 0
	}
	missing := 1 - l.TokensAt(time.Now())
	if missing <= rounding {
		return 0
	}
	return time.Duration(math.Ceil(min(missing/float64(l.Limit()), time.Hour.Seconds()) * float64(time.Second)))
}

// rounding is what a token may lack.
const rounding = 1e-6

// takeTokens takes tokens out of a bucket, also those that are still to come.
func takeTokens(l *rate.Limiter, n int) {
	if l == nil {
		return
	}
	now := time.Now()
	for range n {
		l.ReserveN(now, 1)
	}
}

// parts is how many physical parts an action makes by the declared limits, but for those
// that were sent.
func (l *Live) parts(a *plugv1.Action, sent int) int {
	limits := l.Abilities.GetLimits()
	if limits.GetChannelRate() == nil && limits.GetPlugRate() == nil {
		return 1 // nobody counts
	}
	message := a.GetMessage()
	if message == nil {
		message = a.GetEdit().GetContent()
	}
	if message == nil {
		return 1
	}
	prefix := ""
	if l.Abilities.GetAuthorMode() != plugv1.AuthorMode_AUTHOR_MODE_NATIVE {
		prefix = a.GetAuthor().GetFormattedName()
	}
	parts := len(text.Split(message.Text, prefix, limits))
	if most := int(limits.GetFiles()); most > 0 {
		files := 0
		for _, attachment := range message.Attachments {
			if attachment.GetFile() != nil {
				files++
			}
		}
		parts = max(parts, (files+most-1)/most)
	}
	return max(parts-sent, 1)
}
