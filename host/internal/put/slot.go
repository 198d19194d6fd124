package put

import (
	"context"
	"time"

	"github.com/plughost/plughost/host/id"
)

// slot is the permission to run one Put on a plug.
type slot struct {
	*Live
	process uint64
	paid    func(parts int) // is told that the Put begins, and how much it sends
	release func()          // ends the permission
}

// ready waits until the channel's plug is up, takes Puts for the channel, may be written
// to by its rates, and has a slot free; with alone, until it has all slots free.
func (s *Stage) ready(ctx context.Context, c id.Channel, alone bool) (*slot, error) {
	for {
		s.mu.Lock()
		p := s.plug(c.Network)
		process, changed := p.process, p.changed
		acquire := p.acquire(c.Source, alone)
		closed := p.live == nil || p.waits[c.Source]
		wait := time.Until(p.paused)
		if !closed {
			wait = max(wait, untilToken(p.pace.channel(c.Source)))
		}
		s.mu.Unlock()
		switch {
		case closed:
			if err := await(ctx, changed, 0); err != nil {
				return nil, err
			}
		case wait > 0:
			if err := await(ctx, changed, wait); err != nil {
				return nil, err
			}
		default:
			slot, err := acquire(ctx)
			if err != nil {
				return nil, err
			}
			if s.takes(c, process) {
				return slot, nil
			}
			slot.release()
		}
	}
}

// readyNow is ready where nothing has to be waited for, and nothing is paced; else nil.
func (s *Stage) readyNow(c id.Channel) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plug(c.Network)
	if p.live == nil || p.waits[c.Source] || time.Now().Before(p.paused) || p.pace.paces() || !p.slots.TryAcquire(1) {
		return nil
	}
	slots := p.slots
	return &slot{Live: p.live, process: p.process, paid: func(int) {}, release: func() { slots.Release(1) }}
}

// acquire gives what acquires a slot, once it is the channel's turn at the plug's rate.
// With alone that is all slots, those of best effort too: nothing else is asked of the
// plug then. The caller of acquire holds the stage's mu.
func (p *plug) acquire(source id.ChannelSource, alone bool) func(context.Context) (*slot, error) {
	if p.live == nil {
		return nil
	}
	live, process, pace, slots, shown, n, best := p.live, p.process, p.pace, p.slots, p.shown, int64(1), int64(0)
	if alone {
		n, best = live.concurrent(), maxBestEffort
	}
	channel := pace.channel(source)
	return func(ctx context.Context) (*slot, error) {
		done, err := pace.turn(ctx)
		if err != nil {
			return nil, err
		}
		if err := slots.Acquire(ctx, n); err != nil {
			done()
			return nil, err
		}
		if err := shown.Acquire(ctx, best); err != nil {
			slots.Release(n)
			done()
			return nil, err
		}
		return &slot{Live: live, process: process,
			paid: func(parts int) {
				takeTokens(channel, parts)
				takeTokens(pace.plug, parts)
				done()
			},
			release: func() {
				shown.Release(best)
				slots.Release(n)
				done()
			}}, nil
	}
}

// takes tells whether the plug is still up in the same process and takes Puts
// for the channel.
func (s *Stage) takes(c id.Channel, process uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plug(c.Network)
	return p.live != nil && p.process == process && !p.waits[c.Source] && !time.Now().Before(p.paused)
}
