package storage

import (
	"context"
	"errors"
	"time"

	"github.com/plughost/plughost/host/id"
)

// ErrNotFound says that there is no such record.
var ErrNotFound = errors.New("no such record")

// MaxRecordBytes is the largest record a store takes. It leaves room below the
// 1 MiB that NATS takes by default.
const MaxRecordBytes = 768 << 10

// Entry is one record to be stored.
type Entry struct {
	Subject string
	Data    []byte
}

// Record is one record as stored. Data must not be changed.
type Record struct {
	Subject  string
	Sequence id.Sequence
	Time     time.Time
	Data     []byte
}

// Store is what the journal needs of a storage engine: one log of records under
// subjects, and a map. A subject is tokens joined by dots; a filter is a subject
// in which "*" stands for one token and a last ">" for one or more.
//
// All methods are safe for concurrent use. Sequences grow over the whole log,
// and a record that has one was stored before every record with a greater one.
type Store interface {
	// Append stores the entries and returns when each is durable or refused. The
	// entries of one call may be stored in any order among themselves, and some
	// may be refused: sequences holds 0 for those, and err says why. Calls that
	// are made one after another are stored in that order.
	Append(ctx context.Context, entries ...Entry) (sequences []id.Sequence, err error)

	// Next returns the first record at or after from under the filter, or
	// ErrNotFound.
	Next(ctx context.Context, filter string, from id.Sequence) (Record, error)

	// Last returns the last record of each subject under the filter, in no
	// particular order.
	Last(ctx context.Context, filter string) ([]Record, error)

	// Follow gives every record at or after from under any of the filters, in
	// order and without end, to yield, until ctx ends or yield returns an error,
	// which it returns. It reads ahead a bounded number of records.
	Follow(ctx context.Context, from id.Sequence, yield func(Record) error, filters ...string) error

	// End returns the sequence of the last record of the log; 0 if it is empty.
	End(ctx context.Context) (id.Sequence, error)

	// Before returns the greatest sequence of a record older than t; 0 if none.
	Before(ctx context.Context, t time.Time) (id.Sequence, error)

	// Purge removes the records of a subject whose sequence is less than before,
	// except the last record of the subject.
	Purge(ctx context.Context, subject string, before id.Sequence) error

	// Remove removes all records of a subject.
	Remove(ctx context.Context, subject string) error

	// Set stores the entries in the map, each replacing the one under the same
	// subject. It returns when all are durable, or an error.
	Set(ctx context.Context, entries ...Entry) error

	// Get returns the entries of the map under the filter; none is no error.
	Get(ctx context.Context, filter string) ([]Record, error)

	// Counts counts the records of the log and the entries of the map by the first
	// token of their subjects.
	Counts(ctx context.Context) (map[string]uint64, error)

	// State says how the store does, as it was within the last second. It waits for
	// nothing. Look says how it does now.
	State() State
	Look(ctx context.Context) State

	// Close ends all Follows and releases the store.
	Close() error
}
