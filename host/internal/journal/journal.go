package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Journal is the typed face of a Store. All methods are safe for concurrent use
// and return when what they store is durable.
type Journal struct {
	store     storage.Store
	epochs    []epoch       // oldest first
	resolving chan struct{} // has an element while somebody resolves parked operations
}

// Close closes the store.
func (j *Journal) Close() error { return j.store.Close() }

// Instance returns what an instance was when it last started; empty if it never
// did.
func (j *Journal) Instance(ctx context.Context, name id.InstanceName) (*journalv1.InstanceRecord, error) {
	record := &journalv1.InstanceRecord{}
	err := j.last(ctx, subject.Join(subject.Instance, subject.Token(name)), record)
	if errors.Is(err, storage.ErrNotFound) {
		return record, nil
	}
	return record, err
}

// BindInstance stores what an instance is, unless that is known: a plug starts on a full
// disk too.
func (j *Journal) BindInstance(ctx context.Context, name id.InstanceName, record *journalv1.InstanceRecord) error {
	known, err := j.Instance(ctx, name)
	if err != nil || proto.Equal(known, record) {
		return err
	}
	_, err = j.append(ctx, subject.Join(subject.Instance, subject.Token(name)), record)
	return err
}

// EventsOf decodes a record of event Lanes or of ReadEvents.
func EventsOf(r storage.Record) (*journalv1.EventsRecord, error) {
	return decode(r, &journalv1.EventsRecord{})
}

// ReadEvents gives the records of events from a sequence to the log's present
// end, in order: those of one channel, or with an empty source of the whole
// network. It stops early when yield returns false.
func (j *Journal) ReadEvents(ctx context.Context, c id.Channel, from id.Sequence, yield func(id.Channel, storage.Record) bool) error {
	filter := subject.Join(subject.Events, subject.Token(c.Network), "*")
	if c.Source != "" {
		filter = subject.Channel(subject.Events, c)
	}
	return j.read(ctx, filter, from, func(r storage.Record) (bool, error) {
		channel, err := subject.ParseChannel(r.Subject)
		return err == nil && yield(channel, r), err
	})
}

// read gives the records under a filter from a sequence to the present end.
func (j *Journal) read(ctx context.Context, filter string, from id.Sequence, yield func(storage.Record) (bool, error)) error {
	last, err := j.store.Last(ctx, filter)
	if err != nil {
		return fmt.Errorf("read %s: %w", filter, err)
	}
	var end id.Sequence
	for _, r := range last {
		end = max(end, r.Sequence)
	}
	if end < from {
		return nil
	}
	if len(last) == 1 && end == from {
		_, err := yield(last[0]) // it is the only one: no need to follow
		return err
	}
	errEnough := errors.New("enough")
	err = j.store.Follow(ctx, from, func(r storage.Record) error {
		more, err := yield(r)
		if err == nil && (!more || r.Sequence >= end) {
			return errEnough
		}
		return err
	}, filter)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// SaveCursors stores a plug's cursors, after the events they follow.
func (j *Journal) SaveCursors(ctx context.Context, network id.NetworkID, cursors []Cursor) error {
	if err := j.roomFor(ctx, network); err != nil {
		return fmt.Errorf("store cursors: %w", err)
	}
	entries := make([]storage.Entry, len(cursors))
	for i, c := range cursors {
		data, err := proto.Marshal(&journalv1.CursorRecord{Cursor: c.Cursor, Follows: uint64(c.Follows)})
		if err != nil {
			return fmt.Errorf("encode cursor: %w", err)
		}
		entries[i] = storage.Entry{Subject: subject.Join(subject.Cursor, subject.Token(network), subject.Token(c.Scope)), Data: data}
	}
	_, err := j.store.Append(ctx, entries...)
	return err
}

// DropCursor forgets the cursor of a scope.
func (j *Journal) DropCursor(ctx context.Context, network id.NetworkID, scope string) error {
	_, err := j.append(ctx, subject.Join(subject.Cursor, subject.Token(network), subject.Token(scope)), &journalv1.CursorRecord{})
	return err
}

// Cursor is a plug's cursor, and the sequence up to which all that it follows
// stands: what the network said after that may be said again.
type Cursor struct {
	*plugv1.Cursor
	Follows id.Sequence
	Time    time.Time // when it was stored; only of those that are read
}

// Cursors returns the last cursor of each scope of a network.
func (j *Journal) Cursors(ctx context.Context, network id.NetworkID) ([]Cursor, error) {
	records, err := j.store.Last(ctx, subject.Join(subject.Cursor, subject.Token(network), "*"))
	if err != nil {
		return nil, fmt.Errorf("read cursors of %s: %w", network, err)
	}
	cursors := make([]Cursor, 0, len(records))
	for _, r := range records {
		c, err := decode(r, &journalv1.CursorRecord{})
		if err != nil {
			return nil, err
		}
		if c.Cursor == nil {
			continue // dropped
		}
		cursors = append(cursors, Cursor{c.Cursor, follows(r, c), r.Time})
	}
	return cursors, nil
}

func follows(r storage.Record, c *journalv1.CursorRecord) id.Sequence {
	if c.Follows == 0 {
		return r.Sequence
	}
	return id.Sequence(c.Follows)
}

// SaveGaps stores what is known of the times that a plug could not replay.
func (j *Journal) SaveGaps(ctx context.Context, network id.NetworkID, gaps []*journalv1.GapRecord) error {
	if err := j.roomFor(ctx, network); err != nil {
		return fmt.Errorf("store gaps: %w", err)
	}
	_, err := j.append(ctx, subject.Join(subject.Gap, subject.Token(network)), &journalv1.GapsRecord{Gaps: gaps})
	return err
}

// Gaps returns what SaveGaps stored last.
func (j *Journal) Gaps(ctx context.Context, network id.NetworkID) ([]*journalv1.GapRecord, error) {
	record := &journalv1.GapsRecord{}
	err := j.last(ctx, subject.Join(subject.Gap, subject.Token(network)), record)
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	return record.Gaps, err
}

// SaveDone stores up to which sequence of each channel a hook has finished the events.
// With an error, left is what was not stored, as far as is known.
func (j *Journal) SaveDone(ctx context.Context, hook id.HookName, done map[id.Channel]id.Sequence) (left map[id.Channel]id.Sequence, err error) {
	if len(done) == 0 {
		return nil, nil
	}
	channels := slices.Collect(maps.Keys(done))
	entries := make([]storage.Entry, len(channels))
	for i, c := range channels {
		data, err := proto.Marshal(&journalv1.DoneRecord{Sequence: uint64(done[c])})
		if err != nil {
			return done, fmt.Errorf("encode progress of hook %s: %w", hook, err)
		}
		entries[i] = storage.Entry{Subject: doneSubject(hook, c), Data: data}
	}
	sequences, err := j.store.Append(ctx, entries...)
	if err != nil {
		left = map[id.Channel]id.Sequence{}
		for i, c := range channels {
			if sequences[i] == 0 {
				left[c] = done[c]
			}
		}
	}
	return left, err
}

func doneSubject(hook id.HookName, c id.Channel) string {
	return subject.Join(subject.Done, subject.Token(hook), subject.Token(c.Network), subject.Token(c.Source))
}

func (j *Journal) append(ctx context.Context, subject string, m proto.Message) (id.Sequence, error) {
	data, err := proto.Marshal(m)
	if err != nil {
		return 0, fmt.Errorf("encode %s: %w", subject, err)
	}
	sequences, err := j.store.Append(ctx, storage.Entry{Subject: subject, Data: data})
	if err != nil {
		return 0, err
	}
	return sequences[0], nil
}

func (j *Journal) last(ctx context.Context, subject string, into proto.Message) error {
	records, err := j.store.Last(ctx, subject)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return storage.ErrNotFound
	}
	_, err = decode(records[0], into)
	return err
}

func decode[M proto.Message](r storage.Record, into M) (M, error) {
	if err := proto.Unmarshal(r.Data, into); err != nil {
		return into, fmt.Errorf("decode journal record %d (%s): %w", r.Sequence, r.Subject, err)
	}
	return into, nil
}

// End returns the sequence of the last record.
func (j *Journal) End(ctx context.Context) (id.Sequence, error) { return j.store.End(ctx) }

// LastEvents returns the last record of events of a channel, or ErrNotFound.
func (j *Journal) LastEvents(ctx context.Context, c id.Channel) (storage.Record, error) {
	records, err := j.store.Last(ctx, subject.Channel(subject.Events, c))
	if err != nil {
		return storage.Record{}, err
	}
	if len(records) == 0 {
		return storage.Record{}, storage.ErrNotFound
	}
	return records[0], nil
}
