package storage

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/subject"
)

// inFlightBytes bounds what was sent and not answered yet, each record counted
// with recordOverhead: well below the 128 MiB and the 100,000 records that the
// server queues before it refuses. A call that is bigger alone goes alone.
const (
	inFlightBytes  = 16 << 20
	recordOverhead = 512
)

// Append implements Store. An entry of which nobody knows whether it was stored,
// because ctx ended or the server did not answer within 5 s, is reported as not
// stored.
func (s *jetStream) Append(ctx context.Context, entries ...Entry) ([]id.Sequence, error) {
	sequences, err := s.publish(ctx, subject.Log, entries)
	if err != nil {
		return sequences, fmt.Errorf("append to the journal: %w", err)
	}
	return sequences, nil
}

// Set implements Store.
func (s *jetStream) Set(ctx context.Context, entries ...Entry) error {
	if _, err := s.publish(ctx, subject.Map, entries); err != nil {
		return fmt.Errorf("write the message map: %w", err)
	}
	return nil
}

// publish sends entries, in order, and waits for the answers to all. The one
// connection makes batches of what its callers send meanwhile. The sequence of
// an entry that was refused or not answered is 0.
func (s *jetStream) publish(ctx context.Context, subjects []string, entries []Entry) ([]id.Sequence, error) {
	sequences := make([]id.Sequence, len(entries))
	if !s.enter() {
		return sequences, ErrClosed
	}
	defer s.leave()
	weight, err := s.reserve(ctx, entries)
	if err != nil {
		return sequences, err
	}
	defer s.inFlight.Release(weight)
	answers := make([]jetstream.PubAckFuture, len(entries))
	var refused error // the first reason
	for i, e := range entries {
		err := checkEntry(e, subjects)
		if err == nil {
			answers[i], err = s.js.PublishMsgAsync(&nats.Msg{Subject: e.Subject, Data: e.Data})
		}
		if refused == nil {
			refused = err
		}
	}
	for i, answer := range answers {
		if answer == nil {
			continue
		}
		err = nil
		select {
		case ack := <-answer.Ok():
			sequences[i] = id.Sequence(ack.Sequence)
		case err = <-answer.Err():
		case <-ctx.Done():
			err = fmt.Errorf("wait for the acknowledgement: %w", ctx.Err())
		}
		if refused == nil {
			refused = err
		}
	}
	return sequences, refused
}

// reserve waits until there is room for entries among those in flight.
func (s *jetStream) reserve(ctx context.Context, entries []Entry) (weight int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	for _, e := range entries {
		weight += int64(len(e.Data)) + recordOverhead
	}
	weight = min(weight, inFlightBytes)
	if s.inFlight.TryAcquire(weight) {
		return weight, nil
	}
	waiting, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := s.inFlight.Acquire(waiting, weight); err != nil {
		return 0, fmt.Errorf("wait for earlier records: %w", err)
	}
	return weight, nil
}
