package intake

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// cursorGap is the least time between two writes of cursors: a busy plug names one
// in each answer, and a record for each would be a third of all that is written. What
// is said again because of it is known, and removed (D2).
const cursorGap = 10 * time.Millisecond

// cursors stores the cursors of one stream, of each scope the newest, and then
// acknowledges. It runs beside the storing of events, which doesn't wait for it.
type cursors struct {
	in     *Intake
	stream Stream
	ended  chan struct{} // closed when nothing more is added
	wake   chan struct{} // capacity 1: something was added since the last look

	mu      sync.Mutex
	newest  map[string]journal.Cursor // by scope, not stored yet
	through uint64
}

// keep begins; finish stores what is left, and waits for it.
func (in *Intake) keep(ctx context.Context, s Stream) (c *cursors, finish func()) {
	c = &cursors{in: in, stream: s, ended: make(chan struct{}), wake: make(chan struct{}, 1), newest: map[string]journal.Cursor{}}
	var running sync.WaitGroup
	running.Go(func() { c.run(ctx) })
	return c, func() {
		close(c.ended)
		running.Wait()
		left, _ := c.take()
		in.unstored(left)
	}
}

// add is called when everything up to through is stored but these cursors, and the
// last event of it has the sequence last.
func (c *cursors) add(through uint64, last id.Sequence, named []*plugv1.Cursor) {
	c.mu.Lock()
	c.through = through
	for _, cursor := range named {
		c.newest[cursor.Scope] = journal.Cursor{Cursor: cursor, Follows: last}
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *cursors) take() (named []journal.Cursor, through uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	named, through = slices.Collect(maps.Values(c.newest)), c.through
	clear(c.newest)
	return named, through
}

func (c *cursors) run(ctx context.Context) {
	for ended := false; !ended; {
		select {
		case <-c.wake:
		case <-c.ended:
			ended = true
		}
		named, through := c.take()
		if len(named) > 0 {
			err := c.in.until(ctx, func() error { return c.in.o.Journal.SaveCursors(ctx, c.in.o.Network, named) })
			if err != nil {
				c.in.unstored(named)
				return // ctx has ended: not acknowledged, so the plug says it again
			}
			if c.in.dropOlder(ctx, named) != nil {
				return // likewise
			}
		}
		if through > 0 {
			c.stream.Ack(through, true)
		}
		if len(named) > 0 && !ended {
			select {
			case <-time.After(cursorGap):
			case <-c.ended:
			}
		}
	}
}
