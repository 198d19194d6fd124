package subscribe

import (
	"context"
	"sync"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
)

// queue holds the entries that are not acknowledged. Safe for concurrent use; one
// reader at a time.
type queue struct {
	wants func(id.Channel) bool
	// outcome looks up what became of an operation whose echo comes; nil if that is
	// not known, or not yet.
	outcome func(ctx context.Context, c id.Channel, op id.OperationID) *Outcome

	mu      sync.Mutex
	entries []*Entry // not acknowledged, in order
	bytes   int      // of entries
	last    uint64   // number of the last entry
	given   given
	// passed are places that need no acknowledgement any more and are not saved.
	passed  map[id.Channel]id.Sequence
	changed chan struct{} // closed at every change
}

func newQueue(wants func(id.Channel) bool, outcome func(context.Context, id.Channel, id.OperationID) *Outcome) *queue {
	return &queue{wants: wants, outcome: outcome, passed: map[id.Channel]id.Sequence{}, changed: make(chan struct{})}
}

// change wakes whoever waits. The caller holds mu.
func (q *queue) change() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Wants implements drain.Taker.
func (q *queue) Wants(c id.Channel) bool { return q.wants(c) }

// Take implements drain.Taker: it waits for room. What became of the operation that
// an echo is of comes before the echo.
func (q *queue) Take(ctx context.Context, d *hook.Delivery) error {
	if d.Origin != nil {
		if err := q.explain(ctx, d); err != nil {
			return err
		}
	}
	return q.add(ctx, &Entry{Delivery: d, bytes: bytesOf(d)})
}

func (q *queue) explain(ctx context.Context, d *hook.Delivery) error {
	op := d.Origin.Operation
	q.mu.Lock()
	known := q.given.all(op, false)
	q.mu.Unlock()
	if known {
		return nil
	}
	outcome := q.outcome(ctx, id.Channel{Network: d.Network, Source: d.Channel.Source}, op)
	if outcome == nil {
		return ctx.Err()
	}
	return q.add(ctx, &Entry{Outcome: outcome, bytes: 512})
}

// add appends an entry when there is room.
func (q *queue) add(ctx context.Context, e *Entry) error {
	for {
		q.mu.Lock()
		full := len(q.entries) >= maxEntries || len(q.entries) > 0 && q.bytes+e.bytes > maxBytes
		if !full {
			q.append(e)
			q.mu.Unlock()
			return nil
		}
		changed := q.changed
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// append appends an entry. The caller holds mu.
func (q *queue) append(e *Entry) {
	if e.Outcome != nil {
		if q.given.all(e.Outcome.Operation, e.Outcome.Open) {
			return // by another way meanwhile
		}
		q.given.add(e.Outcome.Operation, e.Outcome.Open)
		q.given.add(e.Outcome.Echo, e.Outcome.Open)
	}
	q.last++
	e.Number = q.last
	q.entries = append(q.entries, e)
	q.bytes += e.bytes
	q.change()
}

// settled gives an outcome as it happens. It never waits: a reader who is too far
// behind is told of it with the echo, if there is one.
func (q *queue) settled(o *Outcome) {
	if !q.wants(o.Channel) {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.entries) < 2*maxEntries {
		q.append(&Entry{Outcome: o, bytes: 512})
	}
}

// Passed implements drain.Taker.
func (q *queue) Passed(c id.Channel, s id.Sequence) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.entries) == 0 {
		q.passed[c] = s
		return
	}
	last := q.entries[len(q.entries)-1]
	if last.passed == nil {
		last.passed = map[id.Channel]id.Sequence{}
	}
	last.passed[c] = s
}

// read returns up to limit entries behind a number; if there are none it waits. Its
// error is the context's, or ErrClosed once ended is closed.
func (q *queue) read(ctx context.Context, ended <-chan struct{}, behind uint64, limit int) ([]*Entry, error) {
	for {
		q.mu.Lock()
		if n := len(q.entries); n > 0 && q.last > behind {
			first := int(max(behind+1, q.entries[0].Number) - q.entries[0].Number)
			entries := append([]*Entry(nil), q.entries[first:min(n, first+limit)]...)
			q.mu.Unlock()
			return entries, nil
		}
		changed := q.changed
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ended:
			return nil, ErrClosed
		case <-changed:
		}
	}
}

// acknowledge removes the entries up to a number.
func (q *queue) acknowledge(through uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for _, e := range q.entries {
		if e.Number > through {
			break
		}
		n++
		q.bytes -= e.bytes
		for c, s := range e.passed {
			q.passed[c] = s
		}
	}
	if n == 0 {
		return
	}
	clear(q.entries[:n])
	q.entries = q.entries[n:]
	if len(q.entries) == 0 {
		q.entries = nil
	}
	q.change()
}

// keep takes back what was taken and could not be saved.
func (q *queue) keep(left map[id.Channel]id.Sequence) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for c, s := range left {
		q.passed[c] = max(q.passed[c], s)
	}
}

// places takes what is to be saved.
func (q *queue) places() map[id.Channel]id.Sequence {
	q.mu.Lock()
	defer q.mu.Unlock()
	places := q.passed
	q.passed = map[id.Channel]id.Sequence{}
	return places
}
