package drain

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
)

const (
	// progressGap is the least time between two writes of how far a hook has come: a
	// record for each batch would be a fifth of all that is written. After a crash the
	// hook is given again what it was given since, and what it made of that stands (D3).
	progressGap = 500 * time.Millisecond
	// maxUndone is how many records of a channel may be yielded and not be stored as
	// done: at that number they are stored at once, and the channel waits. So after a
	// crash the first mayStand records of a channel are all that operations can stand of.
	maxUndone = journal.LaneRecords
	mayStand  = maxUndone + journal.LaneRecords
)

// lastWrite bounds the last write of a host that is being stopped.
const lastWrite = 2 * time.Second

// progress stores how far a hook has come in each channel, beside the yielding. One
// write at a time, so that a channel's record never goes back.
type progress struct {
	log   hclog.Logger
	save  func(ctx context.Context, done map[id.Channel]id.Sequence) (left map[id.Channel]id.Sequence, err error)
	ended chan struct{} // closed when nothing more is noted
	wake  chan struct{} // capacity 1: something was noted since the last write
	hurry chan struct{} // capacity 1: a channel waits for the next write

	mu     sync.Mutex
	noted  map[id.Channel]id.Sequence // not stored yet
	undone map[id.Channel]int         // records
	stored chan struct{}              // closed after each write
}

func newProgress(log hclog.Logger, save func(context.Context, map[id.Channel]id.Sequence) (map[id.Channel]id.Sequence, error)) *progress {
	return &progress{log: log, save: save, ended: make(chan struct{}), wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		noted: map[id.Channel]id.Sequence{}, undone: map[id.Channel]int{}, stored: make(chan struct{})}
}

// note is told that the hook is done with so many more records of a channel, up to a
// sequence, and that what it made of them is durable. Its error is the context's.
func (p *progress) note(ctx context.Context, c id.Channel, through id.Sequence, records int) error {
	p.mu.Lock()
	p.noted[c] = through
	p.undone[c] += records
	p.mu.Unlock()
	signal(p.wake)
	for {
		p.mu.Lock()
		full, stored := p.undone[c] >= maxUndone, p.stored
		p.mu.Unlock()
		if !full {
			return ctx.Err()
		}
		signal(p.hurry)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-stored:
		}
	}
}

// run writes until finish is called, and then once what is left.
func (p *progress) run(ctx context.Context) (finish func()) {
	var running sync.WaitGroup
	running.Go(func() {
		delay := newBackOff()
		for {
			select {
			case <-p.wake:
			case <-p.ended:
				last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
				defer cancel()
				if err := p.write(last); err != nil {
					p.log.Warn("how far the hook has come could not be stored: after the next start it is given some events again", "error", err)
				}
				return
			}
			hurry, pause := p.hurry, progressGap
			if err := p.write(ctx); err == nil {
				delay.Reset()
			} else if ctx.Err() == nil {
				hurry, pause = nil, delay.NextBackOff()
				p.log.Warn("the journal refused progress", "error", err, "next_try", pause)
				signal(p.wake)
			}
			select {
			case <-time.After(pause):
			case <-hurry:
			case <-p.ended:
			}
		}
	})
	return func() {
		close(p.ended)
		running.Wait()
	}
}

// write stores what is noted. What could not be stored stays noted.
func (p *progress) write(ctx context.Context) error {
	p.mu.Lock()
	noted, undone := p.noted, maps.Clone(p.undone)
	p.noted = map[id.Channel]id.Sequence{}
	p.mu.Unlock()
	if len(noted) == 0 {
		return nil
	}
	left, err := p.save(ctx, noted)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c, s := range left {
		p.noted[c] = max(p.noted[c], s)
	}
	for c := range noted {
		if _, not := left[c]; not {
			continue
		}
		if p.undone[c] -= undone[c]; p.undone[c] == 0 {
			delete(p.undone, c)
		}
	}
	close(p.stored)
	p.stored = make(chan struct{})
	return err
}

func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}
