package journal

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
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

// operationDigits is base32hex in lower case.
var operationDigits = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// OperationID makes the id of the operation that a hook makes of an event: the
// same whenever the hook runs again for it (D3), never the same for anything
// else. The first 13 digits are the event's place in the journal, the last 7 a
// hash over the journal's epoch, the hook, the target and the ordinal.
func (j *Journal) OperationID(event id.Sequence, index int, hook id.HookName, target id.Channel, ordinal int) id.OperationID {
	var place [8]byte
	binary.BigEndian.PutUint64(place[:], uint64(event)<<6|uint64(index)&63)
	h := sha256.New()
	for _, part := range []string{string(j.epoch(event)), string(hook), string(target.Network), string(target.Source)} {
		_ = binary.Write(h, binary.BigEndian, uint32(len(part)))
		h.Write([]byte(part))
	}
	_ = binary.Write(h, binary.BigEndian, uint32(ordinal))
	return id.OperationID(operationDigits.EncodeToString(place[:]) + operationDigits.EncodeToString(h.Sum(nil)[:5])[:7])
}

// FallbackID makes the id of the operation that is carried out in place of one
// that the network can't.
func FallbackID(operation id.OperationID) id.OperationID {
	sum := sha256.Sum256([]byte("fallback " + operation))
	return operation[:len(operation)-7] + id.OperationID(operationDigits.EncodeToString(sum[:5])[:7])
}

// Fallback makes the operation that is carried out in place of one that the network
// can't, or whose target is gone. What is sent in place of an edit is one more copy of
// the edited message, under the name that it has in the map.
func Fallback(op *journalv1.Operation) *journalv1.Operation {
	made := proto.CloneOf(op)
	made.Id = string(FallbackID(id.OperationID(op.Id)))
	made.Source = SourceKey(op.Source, op.Id)
	if op.Target != nil {
		made.Source = op.Target
	}
	made.Action, made.Fallback, made.Target, made.ReplyTo, made.PutBack = made.Fallback, nil, nil, nil, nil
	return made
}

// Cause returns the journal sequence of the event that an operation was made of, 0
// for one of a request that has an id: no operation is accepted before its cause.
func Cause(operation id.OperationID) (id.Sequence, bool) {
	if len(operation) != 20 {
		return 0, false
	}
	place, err := operationDigits.DecodeString(string(operation[:13]))
	if err != nil {
		return 0, false
	}
	if place[0]&requestBit != 0 {
		return 0, true
	}
	return id.Sequence(binary.BigEndian.Uint64(place) >> 6), true
}

// OperationsOf decodes a record of operation Lanes.
func OperationsOf(r storage.Record) (*journalv1.OperationsRecord, error) {
	return decode(r, &journalv1.OperationsRecord{})
}

// Accepted are operations for one channel.
type Accepted struct {
	Channel    id.Channel
	Operations []*journalv1.Operation
}

// Accept stores operations for several channels. From its return they will be
// carried out, in order per channel, whatever crashes (D3). On an error some
// channels' operations may have been stored; Standing tells which. With ErrFull none was.
func (j *Journal) Accept(ctx context.Context, accepted []Accepted) error {
	if err := j.roomForOperations(); err != nil {
		return fmt.Errorf("accept operations: %w", err)
	}
	var entries []storage.Entry
	for _, a := range accepted {
		// A record holds at most 64 operations and MaxRecordBytes.
		for part := range slices.Chunk(a.Operations, 64) {
			for len(part) > 0 {
				record, n := &journalv1.OperationsRecord{}, 0
				for size := 0; n < len(part); n++ {
					if size += proto.Size(part[n]) + 8; n > 0 && size > storage.MaxRecordBytes {
						break
					}
				}
				record.Operations, part = part[:n], part[n:]
				data, err := proto.Marshal(record)
				if err != nil {
					return fmt.Errorf("encode operations: %w", err)
				}
				entries = append(entries, storage.Entry{Subject: subject.Channel(subject.Out, a.Channel), Data: data})
			}
		}
	}
	return j.appendInOrder(ctx, entries)
}

// appendInOrder appends entries so that those of one subject keep their order:
// together where all subjects differ, else one after another.
func (j *Journal) appendInOrder(ctx context.Context, entries []storage.Entry) error {
	seen := make(map[string]bool, len(entries))
	for _, e := range entries {
		if seen[e.Subject] {
			for _, e := range entries {
				if _, err := j.store.Append(ctx, e); err != nil {
					return err
				}
			}
			return nil
		}
		seen[e.Subject] = true
	}
	_, err := j.store.Append(ctx, entries...)
	return err
}

// ReadOperations gives the records of operations of a channel from a sequence to the
// log's present end, in order, until yield returns an error.
func (j *Journal) ReadOperations(ctx context.Context, c id.Channel, from id.Sequence, yield func(storage.Record) error) error {
	return j.read(ctx, subject.Channel(subject.Out, c), from, func(r storage.Record) (bool, error) { return true, yield(r) })
}

// Standing returns which operations of a channel were accepted after a sequence.
// It is for the first events that a hook sees again after a crash.
func (j *Journal) Standing(ctx context.Context, c id.Channel, after id.Sequence) (map[id.OperationID]bool, error) {
	standing := map[id.OperationID]bool{}
	err := j.read(ctx, subject.Channel(subject.Out, c), after+1, func(r storage.Record) (bool, error) {
		record, err := OperationsOf(r)
		for _, op := range record.GetOperations() {
			standing[id.OperationID(op.Id)] = true
		}
		return true, err
	})
	return standing, err
}

// putOf returns how far the puts of a channel have come; empty if none was begun.
func (j *Journal) putOf(ctx context.Context, c id.Channel) (*journalv1.PutRecord, error) {
	put := &journalv1.PutRecord{}
	err := j.last(ctx, subject.Channel(subject.Put, c), put)
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	return put, err
}

// SavePut stores how far the puts of a channel have come.
func (j *Journal) SavePut(ctx context.Context, c id.Channel, record *journalv1.PutRecord) error {
	_, err := j.append(ctx, subject.Channel(subject.Put, c), record)
	return err
}

// Issued returns an accepted operation of a network, settled or not; ErrNotFound
// if there is none of this id. The id says where in the journal its cause is, so
// it is looked for from there.
func (j *Journal) Issued(ctx context.Context, n id.NetworkID, operation id.OperationID) (*journalv1.Operation, error) {
	cause, ok := Cause(operation)
	if !ok {
		return nil, storage.ErrNotFound
	}
	var found *journalv1.Operation
	err := j.read(ctx, subject.Join(subject.Out, subject.Token(n), "*"), cause+1, func(r storage.Record) (bool, error) {
		record, err := OperationsOf(r)
		for _, op := range record.GetOperations() {
			switch {
			case op.Id == string(operation):
				found = op
			case op.Fallback != nil && FallbackID(id.OperationID(op.Id)) == operation:
				found = Fallback(op)
			}
		}
		return found == nil, err
	})
	if err == nil && found == nil {
		err = storage.ErrNotFound
	}
	return found, err
}
