package journal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// requestBit is set in the first byte of the place of a request's operation. No
// place in the journal is that far.
const requestBit = 0x80

// RequestID makes the id of the operation that a client's request with an id of
// its own makes: the same whenever it is made again, never the same for anything
// else. It holds no place, only 98 bits of a hash over the journal's first epoch, the
// client, the target and the request's id.
func (j *Journal) RequestID(client id.HookName, target id.Channel, request string) id.OperationID {
	h := sha256.New()
	for _, part := range []string{string(j.epochs[0].value), "request", string(client), string(target.Network), string(target.Source), request} {
		_ = binary.Write(h, binary.BigEndian, uint32(len(part)))
		h.Write([]byte(part))
	}
	sum := h.Sum(nil)
	sum[0] |= requestBit
	return id.OperationID(operationDigits.EncodeToString(sum[:8]) + operationDigits.EncodeToString(sum[8:13])[:7])
}

// BeginRequest notes a request, unless it was noted before, and tells whether its
// operation was accepted then. It is called before the operation is accepted, and
// for one id by one caller at a time.
func (j *Journal) BeginRequest(ctx context.Context, operation id.OperationID, c id.Channel) (accepted bool, err error) {
	record, err := j.request(ctx, operation)
	if err == nil {
		if record.Accepted {
			return true, nil
		}
		// A crash may have come before EndRequest.
		standing, err := j.Standing(ctx, c, id.Sequence(record.Sequence))
		return standing[operation], err
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return false, err
	}
	end, err := j.End(ctx)
	if err != nil {
		return false, err
	}
	return false, j.setRequest(ctx, operation, &journalv1.RequestRecord{NetworkId: string(c.Network), Channel: string(c.Source), Sequence: uint64(end)})
}

// EndRequest notes that a request's operation was accepted, so that this is known
// for longer than the operation is kept.
func (j *Journal) EndRequest(ctx context.Context, operation id.OperationID) error {
	record, err := j.request(ctx, operation)
	if err != nil {
		return err
	}
	record.Accepted = true
	return j.setRequest(ctx, operation, record)
}

func (j *Journal) setRequest(ctx context.Context, operation id.OperationID, record *journalv1.RequestRecord) error {
	data, err := proto.Marshal(record)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	return j.store.Set(ctx, storage.Entry{Subject: subject.Join(subject.Request, string(operation)), Data: data})
}

func (j *Journal) request(ctx context.Context, operation id.OperationID) (*journalv1.RequestRecord, error) {
	records, err := j.store.Get(ctx, subject.Join(subject.Request, string(operation)))
	if err != nil {
		return nil, fmt.Errorf("look up request %s: %w", operation, err)
	}
	if len(records) == 0 {
		return nil, storage.ErrNotFound
	}
	return decode(records[0], &journalv1.RequestRecord{})
}

// Progress is how far an operation has come.
type Progress struct {
	Channel   id.Channel
	Operation *journalv1.Operation
	// Settled is nil while it waits.
	Settled *journalv1.Settled
	// Parked is set for one that is kept for a person, or was until they resolved it.
	Parked *journalv1.ParkedRecord
	// Attempts made so far.
	Attempts uint32
}

// Find returns an accepted operation of any channel, by its own id or its
// fallback's, and how far it has come;
// ErrNotFound if there is none, or if it was finished so long ago that it is no
// longer kept.
func (j *Journal) Find(ctx context.Context, operation id.OperationID) (*Progress, error) {
	from, ok := Cause(operation)
	if !ok {
		return nil, storage.ErrNotFound
	}
	filter := subject.Join(subject.Out, "*", "*")
	if from == 0 {
		request, err := j.request(ctx, operation)
		if err != nil {
			return nil, err
		}
		from = id.Sequence(request.Sequence)
		filter = subject.Channel(subject.Out, id.Channel{Network: id.NetworkID(request.NetworkId), Source: id.ChannelSource(request.Channel)})
	}
	p := &Progress{}
	position := &journalv1.Position{}
	err := j.read(ctx, filter, from+1, func(r storage.Record) (bool, error) {
		record, err := OperationsOf(r)
		i := slices.IndexFunc(record.GetOperations(), func(op *journalv1.Operation) bool {
			return op.Id == string(operation) || op.Fallback != nil && FallbackID(id.OperationID(op.Id)) == operation
		})
		if err != nil || i < 0 {
			return err == nil, err
		}
		p.Operation, position.Sequence, position.Index = record.Operations[i], uint64(r.Sequence), uint32(i)
		p.Channel, err = subject.ParseChannel(r.Subject)
		return false, err
	})
	if err == nil && p.Operation == nil {
		err = storage.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return p, j.progress(ctx, p, position)
}

// progress looks up what became of an operation.
func (j *Journal) progress(ctx context.Context, p *Progress, position *journalv1.Position) error {
	last, err := j.putOf(ctx, p.Channel)
	if err != nil {
		return err
	}
	if a := last.Attempt; a != nil && a.OperationId == p.Operation.Id {
		p.Attempts = a.Number
	}
	if Later(position, last.Settled.GetPosition()) {
		return nil
	}
	err = j.read(ctx, subject.Channel(subject.Put, p.Channel), id.Sequence(position.Sequence), func(r storage.Record) (bool, error) {
		record, err := decode(r, &journalv1.PutRecord{})
		if s := record.GetSettled(); err == nil && s.GetOperationId() == p.Operation.Id || s.GetOperationId() == string(FallbackID(id.OperationID(p.Operation.Id))) {
			p.Settled, p.Attempts = s, s.Attempts
		}
		return p.Settled == nil, err
	})
	if err == nil && p.Settled == nil {
		err = storage.ErrNotFound
	}
	if err != nil || p.Settled.Outcome != journalv1.Outcome_OUTCOME_PARKED {
		return err
	}
	// Of one that was resolved so long ago that its record has gone, nothing is said.
	parked, err := j.ParkedOperation(ctx, id.OperationID(p.Settled.OperationId))
	if err == nil {
		p.Parked = parked.Record
	}
	return err
}

// Later tells whether a place in a channel's operations is behind another, or
// behind nothing.
func Later(a, b *journalv1.Position) bool {
	return b == nil || a.Sequence > b.Sequence || a.Sequence == b.Sequence && a.Index > b.Index
}
