package drain

import (
	"context"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// FeedJournal is where a feed's events come from.
type FeedJournal interface {
	EventLanes(ctx context.Context, h id.HookName) (*journal.Lanes, error)
	LanesFrom(ctx context.Context, from id.Sequence) (*journal.Lanes, error)
}

// Taker is given what a feed yields. Calls for one channel come one after another,
// in order; those for different channels at once. While Take waits, only its
// channel does.
type Taker interface {
	// Wants tells whether the events of a channel are wanted.
	Wants(c id.Channel) bool
	// Take takes an event. Its error is the context's.
	Take(ctx context.Context, d *hook.Delivery) error
	// Passed is told that all events of a channel up to a sequence were taken, or
	// are not wanted.
	Passed(c id.Channel, s id.Sequence)
}

// Feed yields events to a subscriber as a Drain does to a hook, each after the
// gate lets it pass, and leaves it to the subscriber to store how far it is.
type Feed struct {
	drain *Drain
	lanes *journal.Lanes
	taker Taker
}

// OpenFeed makes a feed of what a registered hook is not done with, or without a
// name of all from a sequence on, from now if that is 0.
func OpenFeed(ctx context.Context, name id.HookName, from id.Sequence, j FeedJournal, g Gate, o Origins, d Directory, t Taker, log hclog.Logger) (*Feed, error) {
	f := &Feed{taker: t, drain: &Drain{gate: g, origins: o, directory: d, log: log.Named("feed").With("subscription", string(name))}}
	var err error
	if name != "" {
		f.lanes, err = j.EventLanes(ctx, name)
	} else {
		f.lanes, err = j.LanesFrom(ctx, from)
	}
	return f, err
}

// Run yields until ctx ends. It is called once.
func (f *Feed) Run(ctx context.Context) error { return f.lanes.Run(ctx, f.handle) }

// handle yields records of one channel.
func (f *Feed) handle(ctx context.Context, c id.Channel, records []storage.Record) {
	if !f.taker.Wants(c) {
		f.taker.Passed(c, records[len(records)-1].Sequence)
		return
	}
	b := &batch{Drain: f.drain, channel: c}
	for _, r := range records {
		record, err := journal.EventsOf(r)
		if err != nil {
			f.drain.log.Error("journal record not readable; passed over", "error", err)
		}
		for i, e := range record.GetEvents() {
			if slices.Contains(record.Withheld, uint32(i)) {
				continue
			}
			if f.drain.gate.Wait(ctx, c, r.Sequence, e.Own != plugv1.Own_OWN_NO) != nil {
				return
			}
			delivery, err := b.delivery(ctx, r.Sequence, i, e)
			if err != nil {
				return
			}
			if delivery != nil && f.taker.Take(ctx, delivery) != nil {
				return
			}
		}
		f.taker.Passed(c, r.Sequence)
	}
}
