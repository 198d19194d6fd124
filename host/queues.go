package host

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/plughost/plughost/host/hook"
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
