package host

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/plughost/plughost/host/hook"
)

// Queue is what waits for one channel, what is parked, and what was given up.
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
	// GivenUp counts what was given up since the host started: by catch_up, by an expiry,
	// or because nothing was left to do. GivenUpReason is that of the last one.
	GivenUp       int
	GivenUpReason string
}

// Queues tells what waits for each channel, what is parked and what was given up, by
// the channels' names. Channels with nothing of these are left out.
func (h *Host) Queues(ctx context.Context) ([]Queue, error) {
	if _, err := h.run(); err != nil {
		return nil, err
	}
	queues, err := h.journal.Queues(ctx)
	if err != nil {
		return nil, explain(err)
	}
	given := h.put.GivenUp()
	var all []Queue
	for _, q := range queues {
		g := given[q.Channel]
		delete(given, q.Channel)
		all = append(all, Queue{Channel: h.Label(q.Channel), Waiting: q.Waiting, WaitingSince: q.Since, Attempts: int(q.Attempts),
			Uncertain: q.Uncertain, Parked: q.Parked, ParkedSince: q.ParkedSince, GivenUp: g.Count, GivenUpReason: g.Reason})
	}
	for c, g := range given {
		all = append(all, Queue{Channel: h.Label(c), GivenUp: g.Count, GivenUpReason: g.Reason})
	}
	slices.SortFunc(all, func(a, b Queue) int { return cmp.Compare(a.Channel.String(), b.Channel.String()) })
	return all, nil
}
