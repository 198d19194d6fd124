package intake

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// prepared are events that are ready to be stored.
type prepared struct {
	rounds [][]journal.Run // those that are no repeats; a channel has at most one run in each
	names  []string        // of the files of all of them in the plug's spool
}

// prepare makes records of the events that are not repeats, and takes their files. From
// here on they count as known. Its error is that of runs.
func (in *Intake) prepare(ctx context.Context, events []*plugv1.Event) (p prepared, err error) {
	if p.names = in.names(events); len(p.names) > 0 {
		// On a full disk the files would be lost, while their event waits.
		if err := in.until(ctx, in.o.Journal.Room); err != nil {
			return p, err
		}
	}
	if p.rounds, err = in.runs(ctx, events); err != nil {
		in.forgetKnown()
	}
	return p, err
}

// forgetKnown is called when events that count as known were not stored: all is learned
// anew before anything else is taken.
func (in *Intake) forgetKnown() { in.loaded, in.known = false, newKnowledge(in.limit) }

// names gives the names that events have in the plug's spool; forget forgets them.
func (in *Intake) names(events []*plugv1.Event) (names []string) {
	if in.files != nil {
		for _, e := range events {
			names = append(names, in.files.Names(e)...)
		}
	}
	return names
}

func (in *Intake) forget(names []string) {
	if len(names) > 0 {
		in.files.Forget(names)
	}
}

// runs groups the events that are not repeats by channel, in order, into records
// of a size that the journal takes. Its error is the context's, or says what can't be
// encoded.
func (in *Intake) runs(ctx context.Context, events []*plugv1.Event) ([][]journal.Run, error) {
	now := timestamppb.Now()
	var all []journal.Run // one of each channel
	at := map[id.Channel]int{}
	for _, e := range events {
		said := id.Channel{Network: in.o.Network, Source: id.ChannelSource(e.Channel)}
		c := in.o.Moves.Home(said)
		if plugv1.BestEffort(e) {
			if in.o.BestEffort != nil {
				in.o.BestEffort(c, e)
			}
			continue
		}
		if in.known.repeats(said.Source, e) {
			continue
		}
		if err := in.complete(ctx, said, e); err != nil {
			return nil, err
		}
		i, ok := at[c]
		if !ok {
			i, at[c] = len(all), len(all)
			all = append(all, journal.Run{Channel: c, Record: &journalv1.EventsRecord{ReceivedTime: now}})
		}
		record := all[i].Record
		if in.known.said(said.Source, e) {
			record.Withheld = append(record.Withheld, uint32(len(record.Events)))
		}
		record.Events = append(record.Events, e)
	}
	var rounds [][]journal.Run
	for _, run := range all {
		parts, err := fit(run)
		if err != nil {
			return nil, err
		}
		for round, part := range parts {
			if round == len(rounds) {
				rounds = append(rounds, nil)
			}
			rounds[round] = append(rounds[round], part)
		}
	}
	return rounds, nil
}

// fit encodes a run, in as many parts as the journal needs to take it.
func fit(run journal.Run) ([]journal.Run, error) {
	size, err := run.Encode()
	if err != nil {
		return nil, err
	}
	events, half := run.Record.Events, len(run.Record.Events)/2
	if half == 0 || size <= storage.MaxRecordBytes && len(events) <= plugv1.MaxBatchEvents {
		return []journal.Run{run}, nil
	}
	first := &journalv1.EventsRecord{ReceivedTime: run.Record.ReceivedTime, Events: events[:half]}
	second := &journalv1.EventsRecord{ReceivedTime: run.Record.ReceivedTime, Events: events[half:]}
	for _, i := range run.Record.Withheld {
		if int(i) < half {
			first.Withheld = append(first.Withheld, i)
		} else {
			second.Withheld = append(second.Withheld, i-uint32(half))
		}
	}
	before, err := fit(journal.Run{Channel: run.Channel, Record: first})
	if err != nil {
		return nil, err
	}
	after, err := fit(journal.Run{Channel: run.Channel, Record: second})
	return append(before, after...), err
}

// append stores round after round, and then removes the files. What was refused is tried
// again by itself; what stands is not touched.
func (in *Intake) append(ctx context.Context, p prepared) error {
	for _, runs := range p.rounds {
		err := in.until(ctx, func() error {
			sequences, err := in.o.Journal.AppendEvents(ctx, runs)
			var refused []journal.Run
			for i, s := range sequences {
				if s == 0 {
					// An answer that got lost looks like a refusal. What
					// stands must not be appended again, so this waits
					// until it is known (D2).
					var unknown error
					if s, unknown = in.standing(ctx, runs[i]); unknown != nil {
						return unknown
					}
				}
				if s == 0 {
					refused = append(refused, runs[i])
					continue
				}
				in.stored(runs[i], s)
			}
			if runs = refused; len(runs) == 0 {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	in.forget(p.names)
	return nil
}

// standing returns where a run stands if it is the last of its channel, 0 if it
// is not. It asks until it is answered; its error is the context's.
func (in *Intake) standing(ctx context.Context, run journal.Run) (s id.Sequence, err error) {
	err = in.until(ctx, func() error {
		r, err := in.o.Journal.LastEvents(ctx, run.Channel)
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		record, err := journal.EventsOf(r)
		if err == nil && len(record.Events) > 0 && same(record.Events[0], run.Record.Events[0]) {
			s = r.Sequence
		}
		return nil
	})
	return s, err
}

// same tells whether two events of a channel are one: under another source that it has had
// the same id is another's, and what came as history may come live.
func same(a, b *plugv1.Event) bool {
	return a.EventId == b.EventId && a.Channel == b.Channel && a.History == b.History
}

func (in *Intake) stored(run journal.Run, s id.Sequence) {
	in.last = max(in.last, s)
	in.o.Appended(in.o.Network, s)
	for _, e := range run.Record.Events {
		in.o.Watcher.Appended(run.Channel, s, e)
	}
}

// A journal that refuses is tried again after at most refusedAgain, since there may be
// room at any moment; that it refuses is logged each refusedLog.
const (
	refusedAgain = time.Second
	refusedLog   = time.Minute
)

// until tries something until it succeeds: a journal that refuses stops the
// plug, and loses nothing.
func (in *Intake) until(ctx context.Context, try func() error) error {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = 50*time.Millisecond, refusedAgain
	var logged time.Time
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, try() },
		backoff.WithBackOff(b), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, _ time.Duration) {
			if time.Since(logged) >= refusedLog {
				logged = time.Now()
				in.log.Error("the journal refused; the plug waits, and it is tried again about every second", "error", err)
			}
		}))
	return err
}
