package ledger

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// Writer appends entries, and counts them for those who wait for some. Safe for
// concurrent use.
type Writer struct {
	mu      sync.Mutex
	buffer  *bufio.Writer
	encoder *json.Encoder
	last    uint64
	err     error
	// counts is bound by the channels and accounts there are.
	counts  map[Match]int
	waiting map[*waiter]struct{}
}

// NewWriter returns a Writer to w, which must be empty.
func NewWriter(w io.Writer) *Writer {
	b := bufio.NewWriterSize(w, 64<<10)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return &Writer{buffer: b, encoder: e, counts: map[Match]int{}, waiting: map[*waiter]struct{}{}}
}

// Append numbers the entry, gives it the time if it has none, and writes it. An
// error stays and is returned by Flush: the network goes on without a ledger, and
// whoever reads it finds out.
func (w *Writer) Append(e Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	e.N = w.last
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if err := w.encoder.Encode(&e); err != nil && w.err == nil {
		w.err = fmt.Errorf("write ledger: %w", err)
	}
	key := Match{Kind: e.Kind, Channel: e.Channel, Account: e.Account}
	w.counts[key]++
	for x := range w.waiting {
		if x.what.covers(key) {
			if x.left--; x.left == 0 {
				close(x.enough)
				delete(w.waiting, x)
			}
		}
	}
}

// Flush writes out what is buffered. It returns the first error of all writing.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.buffer.Flush(); err != nil && w.err == nil {
		w.err = fmt.Errorf("write ledger: %w", err)
	}
	return w.err
}

// Match says which lines are meant; an empty Channel or Account means any.
type Match struct {
	Kind    Kind
	Channel string
	Account string
}

func (m Match) covers(key Match) bool {
	return m.Kind == key.Kind && (m.Channel == "" || m.Channel == key.Channel) &&
		(m.Account == "" || m.Account == key.Account)
}

type waiter struct {
	what   Match
	left   int
	enough chan struct{}
}

// Wait returns when the ledger has count such lines, counted from its beginning,
// or when ctx ends.
func (w *Writer) Wait(ctx context.Context, what Match, count int) error {
	x := w.expect(what, count)
	select {
	case <-x.enough:
		return nil
	case <-ctx.Done():
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.waiting, x)
		return fmt.Errorf("wait for %d lines %q of channel %q, account %q: %d are missing: %w",
			count, what.Kind, what.Channel, what.Account, x.left, ctx.Err())
	}
}

func (w *Writer) expect(what Match, count int) *waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := &waiter{what: what, left: count, enough: make(chan struct{})}
	for key, n := range w.counts {
		if what.covers(key) {
			x.left -= n
		}
	}
	if x.left <= 0 {
		close(x.enough)
	} else {
		w.waiting[x] = struct{}{}
	}
	return x
}
