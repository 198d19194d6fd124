package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// maxCounted bounds how many waiting operations of a channel are counted.
const maxCounted = 10_000

// Queue is what waits for one channel, and what is parked.
type Queue struct {
	Channel id.Channel
	// Waiting operations, up to 10,000, the one under way among them; the oldest
	// was accepted at Since, and had so many Attempts.
	Waiting   int
	Since     time.Time
	Attempts  uint32
	Uncertain bool
	// Parked operations; the oldest was parked at ParkedSince.
	Parked      int
	ParkedSince time.Time
}

// Queues tells what waits and what is parked, for each channel that has any, in
// no particular order.
func (j *Journal) Queues(ctx context.Context) ([]Queue, error) {
	outs, err := j.store.Last(ctx, subject.Join(subject.Out, ">"))
	if err != nil {
		return nil, fmt.Errorf("read operations: %w", err)
	}
	puts, err := j.puts(ctx)
	if err != nil {
		return nil, err
	}
	queues := map[id.Channel]*Queue{}
	for _, r := range outs {
		c, err := subject.ParseChannel(r.Subject)
		if err != nil {
			return nil, err
		}
		if position := puts[c].GetSettled().GetPosition(); r.Sequence >= id.Sequence(position.GetSequence()) {
			q := &Queue{Channel: c}
			if err := j.count(ctx, q, position); err != nil {
				return nil, err
			}
			if a := puts[c].GetAttempt(); a != nil && q.Waiting > 0 {
				q.Attempts, q.Uncertain = a.Number, a.Uncertain > 0
			}
			queues[c] = q
		}
	}
	parked, err := j.ParkedOperations(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range parked {
		q := queues[p.Channel]
		if q == nil {
			q = &Queue{Channel: p.Channel}
			queues[p.Channel] = q
		}
		if t := p.Record.Time.AsTime(); q.Parked == 0 || t.Before(q.ParkedSince) {
			q.ParkedSince = t
		}
		q.Parked++
	}
	var all []Queue
	for _, q := range queues {
		if q.Waiting > 0 || q.Parked > 0 {
			all = append(all, *q)
		}
	}
	return all, nil
}

// puts returns how far each channel has come.
func (j *Journal) puts(ctx context.Context) (map[id.Channel]*journalv1.PutRecord, error) {
	records, err := j.store.Last(ctx, subject.Join(subject.Put, ">"))
	if err != nil {
		return nil, fmt.Errorf("read puts: %w", err)
	}
	puts := make(map[id.Channel]*journalv1.PutRecord, len(records))
	for _, r := range records {
		c, err := subject.ParseChannel(r.Subject)
		if err != nil {
			return nil, err
		}
		if puts[c], err = decode(r, &journalv1.PutRecord{}); err != nil {
			return nil, err
		}
	}
	return puts, nil
}

// count counts the operations of a channel behind what is settled.
func (j *Journal) count(ctx context.Context, q *Queue, settled *journalv1.Position) error {
	return j.read(ctx, subject.Channel(subject.Out, q.Channel), max(1, id.Sequence(settled.GetSequence())), func(r storage.Record) (bool, error) {
		record, err := OperationsOf(r)
		for i, op := range record.GetOperations() {
			if !Later(&journalv1.Position{Sequence: uint64(r.Sequence), Index: uint32(i)}, settled) {
				continue
			}
			if q.Waiting == 0 {
				q.Since = op.AcceptedTime.AsTime()
			}
			q.Waiting++
		}
		return q.Waiting < maxCounted, err
	})
}
