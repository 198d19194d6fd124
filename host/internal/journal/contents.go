package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// Contents is what a journal holds.
type Contents struct {
	Format uint32
	Epoch  []byte // the first
	// Counts of the records of each kind, most first.
	Counts []Count
	// Oldest and Newest are when those records of the log were stored.
	Oldest, Newest time.Time
	// Waiting operations, each channel's counted up to 10,000; Parked ones; and
	// Cursors at which plugs resume.
	Waiting, Parked, Cursors int
}

// Count is how many records there are of a kind.
type Count struct {
	Kind    string
	Records uint64
}

// Contents tells what the journal holds.
func (j *Journal) Contents(ctx context.Context) (*Contents, error) {
	c := &Contents{Format: Format, Epoch: j.epochs[0].value}
	counts, err := j.store.Counts(ctx)
	if err != nil {
		return nil, err
	}
	for kind, n := range counts {
		c.Counts = append(c.Counts, Count{cmp.Or(subject.Names[kind], kind), n})
	}
	slices.SortFunc(c.Counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Records, a.Records), cmp.Compare(a.Kind, b.Kind))
	})
	if c.Oldest, c.Newest, err = j.span(ctx); err != nil {
		return nil, err
	}
	queues, err := j.Queues(ctx)
	if err != nil {
		return nil, err
	}
	for _, q := range queues {
		c.Waiting += q.Waiting
		c.Parked += q.Parked
	}
	records, err := j.store.Last(ctx, subject.Join(subject.Cursor, ">"))
	if err != nil {
		return nil, fmt.Errorf("read cursors: %w", err)
	}
	for _, r := range records {
		cursor, err := decode(r, &journalv1.CursorRecord{})
		if err != nil {
			return nil, err
		}
		if cursor.Cursor != nil { // else it was dropped
			c.Cursors++
		}
	}
	return c, nil
}

// span tells when the oldest record beside the journal's own was stored, and the
// newest; they are zero where there is none.
func (j *Journal) span(ctx context.Context) (oldest, newest time.Time, err error) {
	end, err := j.store.End(ctx)
	if err != nil {
		return oldest, newest, err
	}
	first, err := j.store.Next(ctx, ">", 2)
	if errors.Is(err, storage.ErrNotFound) {
		return oldest, newest, nil
	}
	if err != nil {
		return oldest, newest, fmt.Errorf("read the oldest record: %w", err)
	}
	last, err := j.store.Next(ctx, ">", end)
	if err != nil {
		return oldest, newest, fmt.Errorf("read the newest record: %w", err)
	}
	return first.Time, last.Time, nil
}
