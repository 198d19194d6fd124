package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Read reads the journal in a data directory, whose host has ended, for the plugs
// named. when tells when the host's clock showed a time, from the time of the record
// before: the record's times are true.
func Read(ctx context.Context, dataDir string, plugs []string, when func(shown, earliest time.Time) time.Time) (_ *Record, err error) {
	store, err := storage.OpenJetStream(ctx, storage.Options{Dir: filepath.Join(dataDir, "journal")})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	j, err := journal.Open(ctx, store)
	if err != nil {
		return nil, err
	}
	r := &reader{Record: &Record{ByID: map[string]*Operation{}}, when: when, plug: map[id.NetworkID]string{}, at: map[place]*Operation{}}
	for _, p := range plugs {
		instance, err := j.Instance(ctx, id.InstanceName(p))
		if err != nil {
			return nil, fmt.Errorf("read instance %s: %w", p, err)
		}
		r.plug[id.NetworkID(instance.NetworkId)] = p
	}
	return r.Record, j.ReadLog(ctx, r.add)
}

// place is where an operation stands in the log.
type place struct {
	channel  id.Channel
	sequence uint64
	index    uint32
}

type reader struct {
	*Record
	when func(shown, earliest time.Time) time.Time
	last time.Time // of a record
	plug map[id.NetworkID]string
	at   map[place]*Operation
}

func (r *reader) member(c id.Channel) ledger.Member {
	return ledger.Member{Plug: r.plug[c.Network], Source: string(c.Source)}
}

// under is the member with the source under which an event happened: the log has it under
// the channel's first.
func (r *reader) under(c id.Channel, e *plugv1.Event) ledger.Member {
	return ledger.Member{Plug: r.plug[c.Network], Source: cmp.Or(e.Channel, string(c.Source))}
}

func (r *reader) add(c id.Channel, record storage.Record, m proto.Message) error {
	r.last = r.when(record.Time, r.last)
	wrong := record.Time.Sub(r.last)
	record.Time = r.last
	switch m := m.(type) {
	case *journalv1.EventsRecord:
		for i, e := range m.Events {
			kind, text := eventKind(e)
			r.Events = append(r.Events, &Event{
				Sequence: record.Sequence, Time: record.Time, Member: r.under(c, e), ID: e.EventId, MessageID: e.MessageId, Kind: kind, Text: text,
				Own: e.Own, Operation: e.OperationId, Withheld: e.History || slices.Contains(m.Withheld, uint32(i)),
			})
		}
	case *journalv1.OperationsRecord:
		for i, op := range m.Operations {
			r.accepted(c, record, uint32(i), op)
		}
	case *journalv1.PutRecord:
		r.attempt(c, record, m.Attempt, wrong)
		r.settled(c, record, m.Settled)
	case *journalv1.ParkedRecord:
		if op := r.ByID[m.Operation.Id]; op != nil {
			op.Parked = &Parked{record.Time, m.Verdict, m.Reason}
		}
	}
	return nil
}

func (r *reader) accepted(c id.Channel, record storage.Record, index uint32, op *journalv1.Operation) {
	made := r.ByID[op.Id]
	if made == nil {
		kind, text := actionKind(op.Action)
		made = &Operation{
			Sequence: record.Sequence, Time: record.Time, Member: r.member(c), ID: op.Id, Hook: op.Hook, Kind: kind, Text: text,
			Fallback: string(journal.FallbackID(id.OperationID(op.Id))), Reaction: reaction(op.Action),
		}
		about := op.Source
		if op.Target != nil {
			about = op.Target
		}
		if about != nil {
			made.About, made.AboutID = r.member(id.Channel{Network: id.NetworkID(about.NetworkId), Source: id.ChannelSource(about.Channel)}), about.Id
		}
		r.ByID[made.ID], r.ByID[made.Fallback] = made, made
		r.Operations = append(r.Operations, made)
	}
	made.Accepted++
	r.at[place{c, uint64(record.Sequence), index}] = made
}

func (r *reader) find(c id.Channel, p *journalv1.Position) *Operation {
	return r.at[place{c, p.GetSequence(), p.GetIndex()}]
}

func (r *reader) attempt(c id.Channel, record storage.Record, a *journalv1.Attempt, wrong time.Duration) {
	op := r.find(c, a.GetPosition())
	if op == nil {
		return
	}
	op.Attempts = append(op.Attempts, Attempt{record.Sequence, record.Time, a.OperationId, cmp.Or(a.Channel, op.Source), a.Number, a.Uncertain, a.NotSent, a.Deadline.AsTime().Add(-wrong), wrong})
}

// settled is repeated in the records of attempts; the first counts.
func (r *reader) settled(c id.Channel, record storage.Record, s *journalv1.Settled) {
	op := r.find(c, s.GetPosition())
	if op == nil || op.Settled != nil {
		return
	}
	op.Settled = &Settled{Sequence: record.Sequence, Time: record.Time, Operation: s.OperationId, Outcome: s.Outcome, By: s.By,
		Reason: s.Reason, Folded: s.Folded, Attempts: s.Attempts}
	for _, receipt := range s.Receipts {
		op.Settled.Receipts = append(op.Settled.Receipts, receipt.Id)
	}
}

func eventKind(e *plugv1.Event) (kind ledger.Kind, text string) {
	switch k := e.Kind.(type) {
	case *plugv1.Event_Message:
		return ledger.Said, plain(k.Message)
	case *plugv1.Event_Edit:
		return ledger.Edited, plain(k.Edit.Content)
	case *plugv1.Event_Delete:
		return ledger.Deleted, ""
	case *plugv1.Event_ReactionAdded, *plugv1.Event_ReactionsSet:
		return ledger.Reacted, ""
	case *plugv1.Event_ChannelMigrated:
		return ledger.Moved, k.ChannelMigrated.To
	case *plugv1.Event_ReactionRemoved:
		return ledger.Unreacted, ""
	}
	return "", ""
}

func actionKind(a *plugv1.Action) (kind ledger.Kind, text string) {
	switch k := a.GetKind().(type) {
	case *plugv1.Action_Message:
		return ledger.Said, plain(k.Message)
	case *plugv1.Action_Edit:
		return ledger.Edited, plain(k.Edit.Content)
	case *plugv1.Action_Delete:
		return ledger.Deleted, ""
	case *plugv1.Action_ReactionAdded:
		return ledger.Reacted, ""
	case *plugv1.Action_ReactionRemoved:
		return ledger.Unreacted, ""
	}
	return "", ""
}

func reaction(a *plugv1.Action) string {
	if r := a.GetReactionAdded(); r != nil {
		return r.Reaction.GetEmoji()
	}
	return a.GetReactionRemoved().GetReaction().GetEmoji()
}

func plain(m *plugv1.Message) (text string) {
	for _, s := range m.GetText().GetSegments() {
		text += s.Text
	}
	return text
}
