package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Parked is an operation that is kept for a person, or that was resolved since.
type Parked struct {
	Channel  id.Channel
	Sequence id.Sequence // of Record
	Record   *journalv1.ParkedRecord
}

// place is where the operation was parked first.
func (p *Parked) place() id.Sequence {
	return cmp.Or(id.Sequence(p.Record.Place), p.Sequence)
}

// Resolving makes the caller the only one who resolves parked operations, until it calls
// done: what StillParked says stays true. Its error is the context's.
func (j *Journal) Resolving(ctx context.Context) (done func(), err error) {
	select {
	case j.resolving <- struct{}{}:
		return sync.OnceFunc(func() { <-j.resolving }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// StillParked returns an operation that nobody has resolved; else the error is
// storage.ErrNotFound. One that puts it back resolves it as it is accepted, whether that is noted
// behind it already or not. The caller holds Resolving.
func (j *Journal) StillParked(ctx context.Context, operation id.OperationID) (*Parked, error) {
	p, err := j.ParkedOperation(ctx, operation)
	if err == nil && p.Record.Resolution != journalv1.Resolution_RESOLUTION_UNSPECIFIED {
		err = storage.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	queued, err := j.Queued(ctx, p.Channel, id.OperationID(j.PutBack(p).Id))
	if err == nil && queued {
		err = storage.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// FoundSent notes that a parked operation was sent after all, with these receipts; or,
// unless that is whole, that these parts of it were, and it stays parked. The caller holds
// Resolving, and StillParked gave p.
func (j *Journal) FoundSent(ctx context.Context, p *Parked, sent []*plugv1.SentPart, whole bool) error {
	found := proto.CloneOf(p.Record)
	found.Sent, found.Place = sent, uint64(p.place())
	if whole {
		found.Operation = &journalv1.Operation{Id: found.Operation.Id}
		found.Resolution, found.Time, found.Continuation = journalv1.Resolution_RESOLUTION_SENT, timestamppb.Now(), nil
	}
	_, err := j.append(ctx, parkedSubject(p.Channel, found.Operation.Id), found)
	return err
}

// Park keeps an operation that could not be delivered, for as long as a person
// leaves it there. If there is a record of it that one stands, also where a person
// has resolved it since: an operation is parked once.
func (j *Journal) Park(ctx context.Context, c id.Channel, record *journalv1.ParkedRecord) error {
	s := parkedSubject(c, record.Operation.Id)
	if standing, err := j.parkedRecords(ctx, s); err != nil || len(standing) > 0 {
		return err
	}
	_, err := j.append(ctx, s, record)
	return err
}

// Unpark resolves a parked operation: putBack is the one as which it was accepted
// again, empty for one that is dropped. A resolution stands if there is one.
func (j *Journal) Unpark(ctx context.Context, c id.Channel, operation, putBack id.OperationID) error {
	s := parkedSubject(c, string(operation))
	records, err := j.parkedRecords(ctx, s)
	if err != nil || len(records) == 0 || records[0].Record.Resolution != journalv1.Resolution_RESOLUTION_UNSPECIFIED {
		return err
	}
	was := records[0].Record
	resolved := &journalv1.ParkedRecord{Operation: &journalv1.Operation{Id: string(operation)}, Reason: was.Reason, Verdict: was.Verdict,
		Attempts: was.Attempts, Time: timestamppb.Now(), Resolution: journalv1.Resolution_RESOLUTION_DROPPED}
	if putBack != "" {
		resolved.Resolution, resolved.PutBackId = journalv1.Resolution_RESOLUTION_PUT_BACK, string(putBack)
	}
	_, err = j.append(ctx, s, resolved)
	return err
}

// PutBack makes the operation that carries out a parked one after all. It is the
// same whenever it is made of the same record.
//
// Its id is a new one. Under the old id a network that remembers operations would
// answer with what it did then, and send nothing; and an echo of an attempt that was
// given up would settle the new one, of which nothing may have been sent. The id's
// place is that of the parked record, which is in the log before it.
//
// The message that it makes is the one that the parked operation would have made:
// edits and replies find it under the same key. It has no expiry and no catch_up any
// more, since a person wants it sent now.
func (j *Journal) PutBack(p *Parked) *journalv1.Operation {
	parked := p.Record.Operation
	made := proto.CloneOf(parked)
	made.Id = string(j.OperationID(p.place(), 0, id.HookName(parked.Hook), p.Channel, 0))
	made.Source = SourceKey(parked.Source, parked.Id)
	made.PutBack = &journalv1.PutBack{OperationId: parked.Id, Sent: p.Record.Sent, Continuation: p.Record.Continuation, Place: uint64(p.place())}
	made.Expiry, made.CatchUp = nil, nil
	return made
}

// Queued tells whether an operation waits in a channel, or was the last settled there.
func (j *Journal) Queued(ctx context.Context, c id.Channel, operation id.OperationID) (bool, error) {
	put := &journalv1.PutRecord{}
	if err := j.last(ctx, subject.Channel(subject.Put, c), put); err != nil && !errors.Is(err, storage.ErrNotFound) {
		return false, err
	}
	settled := id.Sequence(put.GetSettled().GetPosition().GetSequence())
	standing, err := j.Standing(ctx, c, max(settled, 1)-1)
	return standing[operation], err
}

// ParkedOperation returns an operation that is parked or was resolved; storage.ErrNotFound
// if there is none of this id.
func (j *Journal) ParkedOperation(ctx context.Context, operation id.OperationID) (*Parked, error) {
	if _, ok := Cause(operation); !ok || !storage.Literal(string(operation)) {
		return nil, storage.ErrNotFound
	}
	records, err := j.parkedRecords(ctx, subject.Join(subject.Parked, "*", "*", string(operation)))
	if err == nil && len(records) == 0 {
		err = storage.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &records[0], nil
}

// ParkedOperations lists what is parked, oldest first.
func (j *Journal) ParkedOperations(ctx context.Context) ([]Parked, error) {
	records, err := j.parkedRecords(ctx, subject.Join(subject.Parked, ">"))
	return slices.DeleteFunc(records, func(p Parked) bool {
		return p.Record.Resolution != journalv1.Resolution_RESOLUTION_UNSPECIFIED
	}), err
}

// Parked counts the parked operations of each channel.
func (j *Journal) Parked(ctx context.Context) (map[id.Channel]int, error) {
	operations, err := j.ParkedOperations(ctx)
	parked := map[id.Channel]int{}
	for _, p := range operations {
		parked[p.Channel]++
	}
	return parked, err
}

// parkedRecords reads the last records under a filter, in the order of the log.
func (j *Journal) parkedRecords(ctx context.Context, filter string) ([]Parked, error) {
	records, err := j.store.Last(ctx, filter)
	if err != nil {
		return nil, fmt.Errorf("read parked operations: %w", err)
	}
	slices.SortFunc(records, func(a, b storage.Record) int { return int(int64(a.Sequence) - int64(b.Sequence)) })
	parked := make([]Parked, len(records))
	for i, r := range records {
		parked[i].Sequence = r.Sequence
		parked[i].Channel, err = subject.ParseChannel(r.Subject[:len(r.Subject)-len(subject.LastToken(r.Subject))-1])
		if err != nil {
			return nil, err
		}
		if parked[i].Record, err = decode(r, &journalv1.ParkedRecord{}); err != nil {
			return nil, err
		}
	}
	return parked, nil
}

func parkedSubject(c id.Channel, operation string) string {
	return subject.Join(subject.Parked, subject.Token(c.Network), subject.Token(c.Source), operation)
}
