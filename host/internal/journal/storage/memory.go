package storage

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/subject"
)

// Memory is a Store in memory, for tests: what it does and when is what the
// JetStream store does, but that nothing expires from its map and nothing is
// ever full. It starts no goroutine and waits only on channels, so it can be
// used in a synctest bubble; it belongs to the bubble it was made in.
//
// The hooks are set before the first call, and called without any lock held,
// perhaps by several goroutines at once.
type Memory struct {
	// Refuse, if set, is asked about each entry of Append; one for which it
	// returns an error is not stored.
	Refuse func(Entry) error
	// Delay, if set, is the time between an entry's being stored and its being
	// acknowledged: its Append waits so long. As with JetStream, an Append that
	// waits for 5 s or whose context ends is an error, though the record is
	// there.
	Delay func(Entry) time.Duration

	*records
	closed chan struct{} // closed with records.mu held
}

// records is what survives a Restart.
type records struct {
	mu      sync.Mutex
	log     []Record // by sequence
	end     id.Sequence
	copies  map[string]Record
	changed chan struct{} // closed and replaced when the log grows
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		records: &records{copies: map[string]Record{}, changed: make(chan struct{})},
		closed:  make(chan struct{}),
	}
}

// Restart does what a crash of the host and a new start do: from its return on,
// every call of m, also one in progress, fails, and the store returned, with the
// same hooks, has all records.
func (m *Memory) Restart() *Memory {
	_ = m.Close()
	return &Memory{Refuse: m.Refuse, Delay: m.Delay, records: m.records, closed: make(chan struct{})}
}

// Close implements Store.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.isClosed() {
		close(m.closed)
	}
	return nil
}

func (m *Memory) isClosed() bool {
	select {
	case <-m.closed:
		return true
	default:
		return false
	}
}

// lock begins a call that unlock ends.
func (m *Memory) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.isClosed() {
		m.mu.Unlock()
		return ErrClosed
	}
	return nil
}

// Append implements Store.
func (m *Memory) Append(ctx context.Context, entries ...Entry) ([]id.Sequence, error) {
	sequences := make([]id.Sequence, len(entries))
	var delay time.Duration
	var refused error
	for i, e := range entries {
		err := checkEntry(e, subject.Log)
		if err == nil && m.Refuse != nil {
			err = m.Refuse(e)
		}
		if err == nil {
			sequences[i], err = m.store(ctx, e)
		}
		if err == nil && m.Delay != nil {
			delay = max(delay, m.Delay(e))
		}
		if refused == nil {
			refused = err
		}
	}
	if delay > 0 {
		if err := m.wait(ctx, delay); err != nil {
			clear(sequences)
			refused = err
		}
	}
	if refused != nil {
		return sequences, fmt.Errorf("append to the journal: %w", refused)
	}
	return sequences, nil
}

func (m *Memory) store(ctx context.Context, e Entry) (id.Sequence, error) {
	if err := m.lock(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	m.end++
	m.log = append(m.log, Record{Subject: e.Subject, Sequence: m.end, Time: time.Now(), Data: bytes.Clone(e.Data)})
	close(m.changed)
	m.changed = make(chan struct{})
	return m.end, nil
}

// wait waits for an acknowledgement that takes d.
func (m *Memory) wait(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	acknowledged := time.NewTimer(d)
	defer acknowledged.Stop()
	select {
	case <-acknowledged.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the acknowledgement: %w", ctx.Err())
	case <-m.closed:
		return ErrClosed
	}
}

// Next implements Store.
func (m *Memory) Next(ctx context.Context, filter string, from id.Sequence) (Record, error) {
	if err := checkFilters(filter); err != nil {
		return Record{}, err
	}
	if err := m.lock(ctx); err != nil {
		return Record{}, err
	}
	defer m.mu.Unlock()
	if r, ok := m.next(from, filter); ok {
		return r, nil
	}
	return Record{}, ErrNotFound
}

func (r *records) next(from id.Sequence, filters ...string) (Record, bool) {
	i := sort.Search(len(r.log), func(i int) bool { return r.log[i].Sequence >= from })
	for _, record := range r.log[i:] {
		for _, f := range filters {
			if server.SubjectMatchesFilter(record.Subject, f) {
				return record, true
			}
		}
	}
	return Record{}, false
}

// Last implements Store.
func (m *Memory) Last(ctx context.Context, filter string) ([]Record, error) {
	if err := checkFilters(filter); err != nil {
		return nil, err
	}
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var found []Record
	seen := map[string]bool{}
	for _, r := range slices.Backward(m.log) {
		if !seen[r.Subject] && server.SubjectMatchesFilter(r.Subject, filter) {
			seen[r.Subject] = true
			found = append(found, r)
		}
	}
	return found, nil
}

// Follow implements Store. The filters must not overlap. It reads nothing ahead.
// After Close or Restart it returns ErrClosed.
func (m *Memory) Follow(ctx context.Context, from id.Sequence, yield func(Record) error, filters ...string) error {
	if err := checkFilters(filters...); err != nil {
		return err
	}
	for {
		if err := m.lock(ctx); err != nil {
			return err
		}
		r, ok := m.next(from, filters...)
		changed := m.changed
		m.mu.Unlock()
		if ok {
			if err := yield(r); err != nil {
				return err
			}
			from = r.Sequence + 1
			continue
		}
		select {
		case <-changed:
		case <-m.closed:
		case <-ctx.Done():
		}
	}
}

// End implements Store.
func (m *Memory) End(ctx context.Context) (id.Sequence, error) {
	if err := m.lock(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	return m.end, nil
}

// Before implements Store.
func (m *Memory) Before(ctx context.Context, t time.Time) (id.Sequence, error) {
	if err := m.lock(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	i := sort.Search(len(m.log), func(i int) bool { return !m.log[i].Time.Before(t) })
	if i == 0 {
		return 0, nil
	}
	return m.log[i-1].Sequence, nil
}

// Purge implements Store.
func (m *Memory) Purge(ctx context.Context, subject string, before id.Sequence) error {
	if !Literal(subject) {
		return fmt.Errorf("%q is no subject", subject)
	}
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, r := range slices.Backward(m.log) {
		if r.Subject == subject {
			before = min(before, r.Sequence)
			break
		}
	}
	m.log = slices.DeleteFunc(m.log, func(r Record) bool { return r.Subject == subject && r.Sequence < before })
	return nil
}

// Remove implements Store.
func (m *Memory) Remove(ctx context.Context, subject string) error {
	if !Literal(subject) {
		return fmt.Errorf("%q is no subject", subject)
	}
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.log = slices.DeleteFunc(m.log, func(r Record) bool { return r.Subject == subject })
	return nil
}

// Set implements Store.
func (m *Memory) Set(ctx context.Context, entries ...Entry) error {
	var refused error
	for _, e := range entries {
		err := checkEntry(e, subject.Map)
		if err == nil {
			err = m.set(ctx, e)
		}
		if refused == nil {
			refused = err
		}
	}
	if refused != nil {
		return fmt.Errorf("write the message map: %w", refused)
	}
	return nil
}

func (m *Memory) set(ctx context.Context, e Entry) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.copies[e.Subject] = Record{Subject: e.Subject, Sequence: m.copies[e.Subject].Sequence + 1, Time: time.Now(), Data: bytes.Clone(e.Data)}
	return nil
}

// Counts implements Store.
func (m *Memory) Counts(ctx context.Context) (map[string]uint64, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	counts := map[string]uint64{}
	for _, records := range [][]Record{m.log, slices.Collect(maps.Values(m.copies))} {
		for _, r := range records {
			kind, _, _ := strings.Cut(r.Subject, ".")
			counts[kind]++
		}
	}
	return counts, nil
}

// State implements Store. Nothing is bounded here.
func (m *Memory) State() State { return State{} }

// Look implements Store.
func (m *Memory) Look(context.Context) State { return State{} }

// Get implements Store.
func (m *Memory) Get(ctx context.Context, filter string) ([]Record, error) {
	if err := checkFilters(filter); err != nil {
		return nil, err
	}
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var found []Record
	for _, r := range m.copies {
		if server.SubjectMatchesFilter(r.Subject, filter) {
			found = append(found, r)
		}
	}
	return found, nil
}
