package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// Finding is something that is not as it must be.
type Finding struct {
	Kind     string // of the record, for people
	Sequence id.Sequence
	Fault    string
}

// String gives a finding in one line.
func (f Finding) String() string {
	return fmt.Sprintf("%s, record %d: %s", f.Kind, f.Sequence, f.Fault)
}

// Report is how much was read, and how much was found.
type Report struct{ Records, Findings int }

// Journal reads every record of a store that nobody writes to, checks that each can be
// decoded and that they agree with each other, and tells what it finds. Memory: the
// places of all operations that are kept. Its error says that the store could not be
// read.
func Journal(ctx context.Context, store storage.Store, found func(Finding)) (Report, error) {
	v := &verifier{found: found, epochs: map[string]bool{}, operations: map[id.Channel]map[uint64][]string{}, accepted: map[id.Channel]uint64{}, settled: map[id.Channel]*journalv1.Position{},
		events: map[id.Channel]id.Sequence{}, done: map[string]uint64{}, homes: map[id.Channel]string{}}
	if _, err := journal.Inspect(ctx, store); err != nil && !errors.Is(err, storage.ErrNotFound) {
		return v.Report, err
	}
	end, err := store.End(ctx)
	if err != nil {
		return v.Report, err
	}
	errEnd := errors.New("end")
	if end > 0 {
		err = store.Follow(ctx, 1, func(r storage.Record) error {
			v.log(r)
			if r.Sequence >= end {
				return errEnd
			}
			return nil
		}, ">")
		if !errors.Is(err, errEnd) {
			return v.Report, err
		}
	}
	if len(v.epochs) == 0 {
		v.report(storage.Record{Subject: subject.Meta}, "it is missing: this is no journal, or its oldest file is lost")
	}
	return v.Report, v.theMap(ctx, store)
}

// verifier is what is known of the records before the one at hand.
type verifier struct {
	Report
	found func(Finding)

	epochs     map[string]bool
	operations map[id.Channel]map[uint64][]string // ids, by the record's sequence
	accepted   map[id.Channel]uint64              // the last record of operations
	settled    map[id.Channel]*journalv1.Position
	events     map[id.Channel]id.Sequence // the last record of events
	done       map[string]uint64          // by subject
	homes      map[id.Channel]string      // by the source that a channel moved to
}

func (v *verifier) report(r storage.Record, format string, args ...any) {
	v.Findings++
	kind, _, _ := strings.Cut(r.Subject, ".")
	v.found(Finding{subject.Names[kind], r.Sequence, fmt.Sprintf(format, args...)})
}

// log checks one record of the log.
func (v *verifier) log(r storage.Record) {
	v.Records++
	kind, rest, _ := strings.Cut(r.Subject, ".")
	channel := id.Channel{}
	if kind == subject.Events || kind == subject.Out || kind == subject.Put || kind == subject.Done || kind == subject.Moved {
		var err error
		if channel, err = subject.ParseChannel(r.Subject); err != nil {
			v.report(r, "%v", err)
			return
		}
	}
	switch kind {
	case subject.Meta:
		check(v, r, &journalv1.Meta{}, v.checkMeta)
	case subject.Instance:
		check(v, r, &journalv1.InstanceRecord{}, nil)
	case subject.Events:
		check(v, r, &journalv1.EventsRecord{}, func(r storage.Record, m *journalv1.EventsRecord) { v.checkEvents(r, channel, m) })
	case subject.Cursor:
		check(v, r, &journalv1.CursorRecord{}, func(r storage.Record, m *journalv1.CursorRecord) {
			if m.Cursor != nil && subject.Token(m.Cursor.Scope) != subject.LastToken(rest) {
				v.report(r, "the cursor is of another scope than its subject")
			}
		})
	case subject.Gap:
		check(v, r, &journalv1.GapsRecord{}, nil)
	case subject.Moved:
		check(v, r, &journalv1.MovedRecord{}, func(_ storage.Record, m *journalv1.MovedRecord) { v.homes[channel] = m.Home })
	case subject.Out:
		check(v, r, &journalv1.OperationsRecord{}, func(r storage.Record, m *journalv1.OperationsRecord) { v.checkOperations(r, channel, m) })
	case subject.Put:
		check(v, r, &journalv1.PutRecord{}, func(r storage.Record, m *journalv1.PutRecord) { v.checkPut(r, channel, m) })
	case subject.Done:
		check(v, r, &journalv1.DoneRecord{}, func(r storage.Record, m *journalv1.DoneRecord) { v.checkDone(r, m) })
	case subject.Parked:
		check(v, r, &journalv1.ParkedRecord{}, func(r storage.Record, m *journalv1.ParkedRecord) {
			if op := m.Operation; op != nil && op.Id != subject.LastToken(rest) {
				v.report(r, "it holds operation %q and is kept under another", op.Id)
			}
		})
	default:
		v.report(r, "no such kind of records is known: %q", kind)
	}
}

// check decodes a record and has it looked at.
func check[M proto.Message](v *verifier, r storage.Record, m M, look func(storage.Record, M)) {
	if err := proto.Unmarshal(r.Data, m); err != nil {
		v.report(r, "it can't be decoded: %v", err)
		return
	}
	if look != nil {
		look(r, m)
	}
}

func (v *verifier) checkMeta(r storage.Record, m *journalv1.Meta) {
	switch {
	case v.epochs[string(m.Epoch)]:
		v.report(r, "its epoch was there before")
	case len(m.Epoch) != 16:
		v.report(r, "its epoch has %d bytes, not 16", len(m.Epoch))
	}
	v.epochs[string(m.Epoch)] = true
}

func (v *verifier) checkEvents(r storage.Record, c id.Channel, m *journalv1.EventsRecord) {
	if len(m.Events) == 0 {
		v.report(r, "it holds no events")
	}
	for _, e := range m.Events {
		said := id.Channel{Network: c.Network, Source: id.ChannelSource(e.Channel)}
		if said != c && v.homes[said] != string(c.Source) || e.EventId == "" {
			v.report(r, "event %q of channel %q is kept under channel %q", e.EventId, e.Channel, c.Source)
		}
	}
	for _, i := range m.Withheld {
		if int(i) >= len(m.Events) {
			v.report(r, "event %d of %d is withheld", i, len(m.Events))
		}
	}
	v.events[c] = r.Sequence
}

func (v *verifier) checkOperations(r storage.Record, c id.Channel, m *journalv1.OperationsRecord) {
	if len(m.Operations) == 0 {
		v.report(r, "it holds no operations")
	}
	ids := make([]string, len(m.Operations))
	for i, op := range m.Operations {
		ids[i] = op.Id
		if _, ok := journal.Cause(id.OperationID(op.Id)); !ok || op.Action == nil {
			v.report(r, "operation %q has no id or no action", op.Id)
		}
	}
	if v.operations[c] == nil {
		v.operations[c] = map[uint64][]string{}
	}
	v.operations[c][uint64(r.Sequence)] = ids
	v.accepted[c] = uint64(r.Sequence)
}

// checkPut: what is settled was accepted, and never goes back.
func (v *verifier) checkPut(r storage.Record, c id.Channel, m *journalv1.PutRecord) {
	if s := m.Settled; s != nil {
		if !journal.Later(s.Position, v.settled[c]) && !proto.Equal(s.Position, v.settled[c]) {
			v.report(r, "what is settled of %s goes back from %v to %v", c, v.settled[c], s.Position)
		}
		v.settled[c] = s.Position
		v.place(r, c, s.Position, s.OperationId, "settled")
	}
	if a := m.Attempt; a != nil {
		if !journal.Later(a.Position, m.Settled.GetPosition()) {
			v.report(r, "an attempt of what is settled, at %v of %s", a.Position, c)
		}
		v.place(r, c, a.Position, a.OperationId, "attempted")
	}
}

// place checks that an operation is where a record says, unless it has expired.
func (v *verifier) place(r storage.Record, c id.Channel, p *journalv1.Position, operation, what string) {
	if p.GetSequence() > v.accepted[c] && v.accepted[c] > 0 || p.GetSequence() >= uint64(r.Sequence) {
		v.report(r, "operation %s of %s was %s before it was accepted", operation, c, what)
		return
	}
	ids, kept := v.operations[c][p.GetSequence()]
	if !kept {
		return
	}
	if i := int(p.GetIndex()); i >= len(ids) || ids[i] != operation && string(journal.FallbackID(id.OperationID(ids[i]))) != operation {
		v.report(r, "operation %s of %s is not where it says, at %v", operation, c, p)
	}
}

func (v *verifier) checkDone(r storage.Record, m *journalv1.DoneRecord) {
	switch before := v.done[r.Subject]; {
	case m.Sequence < before && !m.Removed:
		v.report(r, "a hook goes back from %d to %d", before, m.Sequence)
	case m.Sequence >= uint64(r.Sequence):
		v.report(r, "a hook is done with %d, which was said later", m.Sequence)
	}
	v.done[r.Subject] = m.Sequence
}
