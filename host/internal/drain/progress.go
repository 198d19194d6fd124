package drain

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
)

const (
	// progressGap is the least time between two writes of how far a hook has come: a
	// record for each batch would be a fifth of all that is written. After a crash the
	// hook is given again what it was given since, and what it made of that stands (D3).
	progressGap = 50 * time.Millisecond
	// maxUndone is how many records of a channel may be yielded and not be stored as
	// done: at that number they are stored at once, and the channel waits. So after a
	// crash the first mayStand records of a channel are all that operations can stand of.
	maxUndone = journal.LaneRecords
	mayStand  = maxUndone + journal.LaneRecords
)

// progress stores how far a hook has come in each channel, beside the yielding. One
// write at a time, so that a channel's record never goes back.
type progress struct {
	save  func(ctx context.Context, done map[id.Channel]id.Sequence) error
	ended chan struct{} // closed when nothing more is noted
	wake  chan struct{} // capacity 1: something was noted since the last write
	hurry chan struct{} // capacity 1: a channel waits for the next write

	mu     sync.Mutex
	noted  map[id.Channel]id.Sequence // not stored yet
	undone map[id.Channel]int         // records
	stored chan struct{}              // closed after each write
}

func newProgress(save func(context.Context, map[id.Channel]id.Sequence) error) *progress {
	return &progress{save: save, ended: make(chan struct{}), wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
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

// run writes until finish is called, and then what is left.
func (p *progress) run(ctx context.Context) (finish func()) {
	var running sync.WaitGroup
	running.Go(func() {
		for ended := false; !ended; {
			select {
			case <-p.wake:
			case <-p.ended:
				ended = true
			}
			p.write(ctx)
			if ended {
				return
			}
			select {
			case <-time.After(progressGap):
			case <-p.hurry:
			case <-p.ended:
			}
		}
	})
	return func() {
		close(p.ended)
		running.Wait()
	}
}

func (p *progress) write(ctx context.Context) {
	p.mu.Lock()
	noted, undone := p.noted, maps.Clone(p.undone)
	p.noted = map[id.Channel]id.Sequence{}
	p.mu.Unlock()
	if len(noted) == 0 || p.save(ctx, noted) != nil {
		return // ctx has ended; it is yielded again
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for c, records := range undone {
		if p.undone[c] -= records; p.undone[c] == 0 {
			delete(p.undone, c)
		}
	}
	close(p.stored)
	p.stored = make(chan struct{})
}

func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}
