package intake

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// appendEvents stores the events that are not repeats, and takes their files. fresh tells
// whether there were any; the error is the context's.
func (in *Intake) appendEvents(ctx context.Context, events []*plugv1.Event) (fresh bool, err error) {
	names := in.names(events)
	if len(names) > 0 {
		// On a full disk the files would be lost, while their event waits.
		if err := in.until(ctx, in.o.Journal.Room); err != nil {
			return false, err
		}
	}
	rounds, err := in.runs(ctx, events)
	if err == nil {
		err = in.append(ctx, rounds)
	}
	if err != nil {
		// What was not stored must not count as known: learn anew.
		in.loaded, in.known = false, newKnowledge(in.limit)
		return false, err
	}
	in.forget(names)
	return len(rounds) > 0, nil
}

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
// of a size that the journal takes. Its error is the context's.
func (in *Intake) runs(ctx context.Context, events []*plugv1.Event) ([][]journal.Run, error) {
	now := timestamppb.Now()
	var rounds [][]journal.Run // a channel has at most one run in each
	type open struct{ round, run, bytes int }
	current := map[id.Channel]*open{}
	for _, e := range events {
		at := id.Channel{Network: in.o.Network, Source: id.ChannelSource(e.Channel)}
		c := in.o.Moves.Home(at)
		if plugv1.BestEffort(e) {
			if in.o.BestEffort != nil {
				in.o.BestEffort(c, e)
			}
			continue
		}
		if in.known.repeats(at.Source, e) {
			continue
		}
		if err := in.complete(ctx, at, e); err != nil {
			return nil, err
		}
		size := proto.Size(e) + 8
		o := current[c]
		switch {
		case o == nil:
			o = &open{round: 0}
			current[c] = o
			rounds, o.run = place(rounds, o.round, journal.Run{Channel: c, Record: &journalv1.EventsRecord{ReceivedTime: now}})
		case o.bytes+size > storage.MaxRecordBytes || len(rounds[o.round][o.run].Record.Events) == plugv1.MaxBatchEvents:
			o.round, o.bytes = o.round+1, 0
			rounds, o.run = place(rounds, o.round, journal.Run{Channel: c, Record: &journalv1.EventsRecord{ReceivedTime: now}})
		}
		record := rounds[o.round][o.run].Record
		if in.known.said(at.Source, e) {
			record.Withheld = append(record.Withheld, uint32(len(record.Events)))
		}
		record.Events = append(record.Events, e)
		o.bytes += size
	}
	return rounds, nil
}

func place(rounds [][]journal.Run, round int, run journal.Run) ([][]journal.Run, int) {
	for len(rounds) <= round {
		rounds = append(rounds, nil)
	}
	rounds[round] = append(rounds[round], run)
	return rounds, len(rounds[round]) - 1
}

// append stores round after round. What was refused is tried again by itself;
// what stands is not touched.
func (in *Intake) append(ctx context.Context, rounds [][]journal.Run) error {
	for _, runs := range rounds {
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
		if err == nil && len(record.Events) > 0 && record.Events[0].EventId == run.Record.Events[0].EventId {
			s = r.Sequence
		}
		return nil
	})
	return s, err
}

func (in *Intake) stored(run journal.Run, s id.Sequence) {
	in.last = max(in.last, s)
	in.o.Appended(in.o.Network, s)
	for _, e := range run.Record.Events {
		in.o.Watcher.Appended(run.Channel, s, e)
	}
}

// until tries something until it succeeds: a journal that refuses stops the
// plug, and loses nothing.
func (in *Intake) until(ctx context.Context, try func() error) error {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = 50*time.Millisecond, 5*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, try() },
		backoff.WithBackOff(b), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, next time.Duration) {
			in.log.Error("the journal refused; the plug waits", "error", err, "next_try", next)
		}))
	return err
}
