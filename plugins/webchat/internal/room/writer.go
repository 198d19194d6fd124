package room

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Bounds of the writer.
const (
	// maxWaiting is the most messages that wait to be written; a further Say blocks.
	maxWaiting = 1024
	// maxBatch is the most messages of one transaction.
	maxBatch = 256
)

// ErrClosed is what a closed store answers.
var ErrClosed = errors.New("the chat is closed")

// ErrNotSaid is in an error of Say after which the message certainly was not said,
// and never will be. After any other error nobody knows.
var ErrNotSaid = errors.New("not said")

func notSaid(err error) error { return fmt.Errorf("%w: %w", ErrNotSaid, err) }

// write is a message on its way to the file.
type write struct {
	message Message
	claimed atomic.Bool
	done    chan result // has room for the one answer
}

type result struct {
	message Message
	err     error
}

// claim makes a waiting message either the writer's, to write it, or that of the
// Say which has given up on it: whoever claims it first.
func (w *write) claim() bool { return w.claimed.CompareAndSwap(false, true) }

// Say says a message and returns it as it stands, with its row and time. With a
// Once that was said before it returns the message of then. It waits while too many
// others wait, until ctx ends.
func (s *Store) Say(ctx context.Context, m Message) (Message, error) {
	w := &write{message: m, done: make(chan result, 1)}
	select {
	case s.writes <- w:
	case <-ctx.Done():
		return Message{}, notSaid(ctx.Err())
	case <-s.closing:
		return Message{}, notSaid(ErrClosed)
	}
	select {
	case r := <-w.done:
		return r.message, r.err
	case <-ctx.Done():
		if w.claim() {
			return Message{}, notSaid(ctx.Err())
		}
		return Message{}, fmt.Errorf("stopped waiting while it was written: %w", ctx.Err())
	case <-s.ended:
		// The writer has answered all that it claimed.
		select {
		case r := <-w.done:
			return r.message, r.err
		default:
			return Message{}, notSaid(ErrClosed)
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
	messages, err := s.commit(batch)
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
		w.done <- result{message: messages[i]}
	}
}

const insertMessage = `INSERT INTO messages (room, author_id, author, bridged, text, time, once)
	VALUES (?, ?, ?, ?, ?, ?, NULLIF(?, '')) ON CONFLICT (once) DO NOTHING RETURNING row`

// commit writes a batch in one transaction. Its context is not that of any one Say:
// the others' messages are in the transaction too.
func (s *Store) commit(batch []*write) ([]Message, error) {
	tx, err := s.change.Begin()
	if err != nil {
		return nil, notSaid(fmt.Errorf("write chat history: %w", err))
	}
	insert := tx.Stmt(s.insert)
	messages := make([]Message, len(batch))
	for i, w := range batch {
		m := w.message
		m.Time = time.UnixMilli(time.Now().UnixMilli())
		err := insert.QueryRow(m.Room, m.AuthorID, m.Author, m.Bridged, m.Text, m.Time.UnixMilli(), m.Once).Scan(&m.Row)
		if errors.Is(err, sql.ErrNoRows) { // said before, perhaps in this very batch
			m, err = scan(tx.QueryRow(selectMessages+` WHERE once = ?`, m.Once))
		}
		if err != nil {
			_ = tx.Rollback() // fails only where SQLite has already done it
			return nil, notSaid(fmt.Errorf("write chat history: %w", err))
		}
		messages[i] = m
	}
	if err := tx.Commit(); err != nil {
		// Whether it is in the file, nobody knows.
		return nil, fmt.Errorf("write chat history: %w", err)
	}
	return messages, nil
}
