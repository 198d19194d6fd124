package host

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Queue is what waits for one channel, and what is parked.
type Queue struct {
	Channel hook.Channel
	// Waiting operations, counted up to 10,000. The oldest was accepted at
	// WaitingSince, was tried Attempts times, and is Uncertain while nobody knows
	// whether it was sent.
	Waiting      int
	WaitingSince time.Time
	Attempts     int
	Uncertain    bool
	// Parked operations, the oldest of which was parked at ParkedSince.
	Parked      int
	ParkedSince time.Time
}

// Queues tells what waits for each channel and what is parked, by the channels'
// names. Channels with nothing of either are left out.
func (h *Host) Queues(ctx context.Context) ([]Queue, error) {
	if _, err := h.run(); err != nil {
		return nil, err
	}
	queues, err := h.journal.Queues(ctx)
	if err != nil {
		return nil, explain(err)
	}
	all := make([]Queue, len(queues))
	for i, q := range queues {
		all[i] = Queue{Channel: h.Label(q.Channel), Waiting: q.Waiting, WaitingSince: q.Since, Attempts: int(q.Attempts),
			Uncertain: q.Uncertain, Parked: q.Parked, ParkedSince: q.ParkedSince}
	}
	slices.SortFunc(all, func(a, b Queue) int { return cmp.Compare(a.Channel.String(), b.Channel.String()) })
	return all, nil
}

// ParkedOperation is an action that could not be delivered, and is kept for a person.
type ParkedOperation struct {
	hook.Operation
	Action  *plugv1.Action
	Verdict plugv1.Verdict // what the plug said last
	Time    time.Time      // when it was parked
}

// Parked lists what is parked, oldest first.
func (h *Host) Parked(ctx context.Context) ([]ParkedOperation, error) {
	if _, err := h.run(); err != nil {
		return nil, err
	}
	parked, err := h.journal.ParkedOperations(ctx)
	if err != nil {
		return nil, explain(err)
	}
	all := make([]ParkedOperation, len(parked))
	for i, p := range parked {
		all[i] = ParkedOperation{
			Operation: hook.Operation{ID: id.OperationID(p.Record.Operation.GetId()), Channel: h.Label(p.Channel), State: states[journalv1.Outcome_OUTCOME_PARKED],
				Reason: p.Record.Reason, Attempts: int(p.Record.Attempts), Hook: id.HookName(p.Record.Operation.GetHook()), Accepted: p.Record.Operation.GetAcceptedTime().AsTime()},
			Action: p.Record.Operation.GetAction(), Verdict: p.Record.Verdict, Time: p.Record.Time.AsTime(),
		}
		for _, s := range p.Record.Sent {
			all[i].Receipts = append(all[i].Receipts, s.Receipt)
		}
	}
	return all, nil
}
