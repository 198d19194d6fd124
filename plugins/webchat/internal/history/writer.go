package history

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

// Bounds of the writer.
const (
	// maxWaiting is the most changes that wait to be written; a further Do blocks.
	maxWaiting = 1024
	// maxBatch is the most changes of one transaction.
	maxBatch = 256
)

// ErrClosed is what a closed store answers.
var ErrClosed = errors.New("the chat is closed")

// ErrNotDone is in an error of Do after which the change certainly was not made, and
// never will be. After any other error nobody knows.
var ErrNotDone = errors.New("not done")

func notDone(err error) error { return fmt.Errorf("%w: %w", ErrNotDone, err) }

// write is a change on its way to the file.
type write struct {
	change  room.Change
	claimed atomic.Bool
	done    chan result // has room for the one answer
}

type result struct {
	change room.Change
	err    error
}

// claim makes a waiting change either the writer's, to write it, or that of the Do
// which has given up on it: whoever claims it first.
func (w *write) claim() bool { return w.claimed.CompareAndSwap(false, true) }

// Do makes a change and returns it as it stands, with its row and time. With a Once
// that was done before it returns the change of then. One that can't be made is
// refused with one of ErrGone, ErrForeign, ErrAlready, ErrTooMany and ErrNoFile. It
// waits while too many others wait, until ctx ends.
func (s *Store) Do(ctx context.Context, c room.Change) (room.Change, error) {
	w := &write{change: c, done: make(chan result, 1)}
	select {
	case s.writes <- w:
	case <-ctx.Done():
		return room.Change{}, notDone(ctx.Err())
	case <-s.closing:
		return room.Change{}, notDone(ErrClosed)
	}
	select {
	case r := <-w.done:
		return r.change, r.err
	case <-ctx.Done():
		if w.claim() {
			return room.Change{}, notDone(ctx.Err())
		}
		return room.Change{}, fmt.Errorf("stopped waiting while it was written: %w", ctx.Err())
	case <-s.ended:
		// The writer has answered all that it claimed.
		select {
		case r := <-w.done:
			return r.change, r.err
		default:
			return room.Change{}, notDone(ErrClosed)
		}
	}
}

// writeAll is the one writer, until the store is closed.
func (s *Store) writeAll() {
	defer close(s.ended)
	for {
		select {
		case <-s.closing:
			return
		case w := <-s.writes:
			s.write(s.batch(w))
		}
	}
}

// batch claims what waits, beginning with first. Nothing waits for a batch to fill:
// while one is written, the next one gathers by itself.
func (s *Store) batch(first *write) []*write {
	var batch []*write
	for w := first; ; {
		if w.claim() {
			batch = append(batch, w)
		}
		if len(batch) == maxBatch {
			return batch
		}
		select {
		case w = <-s.writes:
		default:
			return batch
		}
	}
}

// write writes a batch, tells who listens, and answers everyone in it.
func (s *Store) write(batch []*write) {
	if len(batch) == 0 {
		return
	}
	results, err := s.commit(batch)
	if err == nil {
		s.mu.Lock()
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
	}
	for i, w := range batch {
		if err != nil {
			w.done <- result{err: err}
			continue
		}
		w.done <- results[i]
	}
}

// commit writes a batch in one transaction. Its context is not that of any one Do:
// the others' changes are in the transaction too.
func (s *Store) commit(batch []*write) ([]result, error) {
	tx, err := s.change.Begin()
	if err != nil {
		return nil, notDone(fmt.Errorf("write chat history: %w", err))
	}
	a := &applying{Store: s, tx: tx, insert: tx.Stmt(s.insert)}
	results := make([]result, len(batch))
	for i, w := range batch {
		c, err := a.apply(w.change)
		if r, refused := errors.AsType[room.Refusal](err); refused {
			results[i].err = notDone(r)
			continue
		}
		if err != nil {
			_ = tx.Rollback() // fails only where SQLite has already done it
			return nil, notDone(fmt.Errorf("write chat history: %w", err))
		}
		results[i].change = c
	}
	if err := tx.Commit(); err != nil {
		// Whether it is in the file, nobody knows.
		return nil, fmt.Errorf("write chat history: %w", err)
	}
	for _, hash := range a.unused {
		if s.files.Has(hash) {
			s.files.Remove(hash)
		}
	}
	return results, nil
}
