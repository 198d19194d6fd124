package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Stream is the output end of a plug's queue.
type Stream interface {
	// Recv blocks for the next answer.
	Recv() (*plugv1.StreamMessagesResponse, error)
	// Ack says that everything up to an answer is stored. idle is true when
	// nothing received remains unstored.
	Ack(through uint64, idle bool)
}

// Journal is where events go.
type Journal interface {
	AppendEvents(ctx context.Context, runs []journal.Run) ([]id.Sequence, error)
	SaveCursors(ctx context.Context, n id.NetworkID, cursors []*plugv1.Cursor) error
	SaveGap(ctx context.Context, n id.NetworkID, gap *plugv1.Gap) error
	Cursors(ctx context.Context, n id.NetworkID) ([]journal.StoredCursor, error)
	ReadEvents(ctx context.Context, c id.Channel, from id.Sequence, yield func(id.Channel, journal.Record) bool) error
	LastEvents(ctx context.Context, c id.Channel) (journal.Record, error)
	Room() error
	End(ctx context.Context) (id.Sequence, error)

	SaveOriginal(ctx context.Context, c id.Channel, r *journalv1.OriginalRecord) error
	SaveFelt(ctx context.Context, c id.Channel, reaction string, r *journalv1.FeltRecord) error
	Felt(ctx context.Context, c id.Channel, reaction string) (*journalv1.FeltRecord, error)
	SaveFeels(ctx context.Context, m id.Message, user string, r *journalv1.FeelsRecord) error
	Feels(ctx context.Context, m id.Message, user string) (*journalv1.FeelsRecord, error)
}

// Watcher is told what has come in. Its methods don't block.
type Watcher interface {
	// Appended is called once per event, in order, after it is in the journal.
	Appended(c id.Channel, s id.Sequence, e *plugv1.Event)
	// CaughtUp says that a scope's catch-up has reached the present.
	CaughtUp(n id.NetworkID, scope id.ChannelSource)
	// Outcome reports a Put whose RPC was given up.
	Outcome(n id.NetworkID, o *plugv1.PutOutcome)
}

// Files takes files out of a plug's spool.
type Files interface {
	// Names gives the names that an event has there. It is asked before Receive.
	Names(e *plugv1.Event) []string
	// Receive takes the files of an event that is no repeat, before it is stored. Its
	// error is the context's.
	Receive(ctx context.Context, e *plugv1.Event) error
	// Forget removes names, once the event is stored and before it is acknowledged.
	Forget(names []string)
}

// Options of an intake. BestEffort may be nil.
type Options struct {
	Network id.NetworkID
	Journal Journal
	Watcher Watcher
	// Appended is told the sequence of each record before the watcher is.
	Appended func(id.NetworkID, id.Sequence)
	// BestEffort is given the events that are never stored. It doesn't block.
	BestEffort func(c id.Channel, e *plugv1.Event)
	Logger     hclog.Logger
}

// Intake is the intake of one network, over all lives of its plug.
type Intake struct {
	o   Options
	log hclog.Logger

	files    Files // of the present stream; nil: none
	loaded   bool
	events   *known
	messages *known
}

// New makes the intake of a network.
func New(o Options) *Intake {
	return &Intake{o: o, log: o.Logger, events: newKnown(knownEvents), messages: newKnown(knownEvents)}
}

// Open returns the cursors with which the plug resumes. It is called before each
// Run.
func (in *Intake) Open(ctx context.Context) ([]*plugv1.Cursor, error) {
	stored, err := in.o.Journal.Cursors(ctx, in.o.Network)
	if err != nil {
		return nil, err
	}
	if !in.loaded {
		if err := in.load(ctx, stored); err != nil {
			return nil, fmt.Errorf("read known events of %s: %w", in.o.Network, err)
		}
		in.loaded = true
	}
	cursors := make([]*plugv1.Cursor, len(stored))
	for i, c := range stored {
		cursors[i] = c.Cursor
	}
	return cursors, nil
}

// load learns what the plug may say again: the newest records of the network,
// and for each cursor all that came after it, however long ago.
func (in *Intake) load(ctx context.Context, cursors []journal.StoredCursor) error {
	end, err := in.o.Journal.End(ctx)
	if err != nil {
		return err
	}
	from := id.Sequence(1)
	if end > knownEvents {
		from = end - knownEvents
	}
	learn := func(c id.Channel, r journal.Record) bool {
		record, err := journal.EventsOf(r)
		if err != nil {
			in.log.Error("journal record not readable", "sequence", r.Sequence, "error", err)
			return true
		}
		for _, e := range record.Events {
			in.repeated(c, e)
			in.known(c, e)
		}
		return true
	}
	for _, c := range cursors {
		if c.Sequence >= from {
			continue
		}
		if c.Scope == "" {
			from = c.Sequence
			continue
		}
		channel := id.Channel{Network: in.o.Network, Source: id.ChannelSource(c.Scope)}
		if err := in.o.Journal.ReadEvents(ctx, channel, c.Sequence, learn); err != nil {
			return err
		}
	}
	return in.o.Journal.ReadEvents(ctx, id.Channel{Network: in.o.Network}, from, learn)
}

// Run stores what a stream says until it ends, and returns why. files may be nil.
func (in *Intake) Run(ctx context.Context, s Stream, files Files) error {
	in.files = files
	for {
		answer, err := s.Recv()
		if err != nil {
			return fmt.Errorf("read the plug's stream: %w", err)
		}
		if err := in.store(ctx, answer); err != nil {
			// What was not stored must not count as known: learn anew.
			in.loaded, in.events, in.messages = false, newKnown(knownEvents), newKnown(knownEvents)
			return err
		}
		s.Ack(answer.Sequence, true)
	}
}

func (in *Intake) store(ctx context.Context, answer *plugv1.StreamMessagesResponse) error {
	var names []string
	if in.files != nil {
		for _, e := range answer.Events {
			names = append(names, in.files.Names(e)...)
		}
	}
	if len(names) > 0 {
		// On a full disk the files would be lost, while their event waits.
		if err := in.until(ctx, in.o.Journal.Room); err != nil {
			return err
		}
	}
	rounds, err := in.runs(ctx, answer.Events)
	if err == nil {
		err = in.append(ctx, rounds)
	}
	if err != nil {
		return err
	}
	if len(names) > 0 {
		in.files.Forget(names)
	}
	for _, gap := range answer.Gaps {
		in.log.Warn("a time could not be resumed", "scope", gap.Scope, "since", gap.Since.AsTime(), "until", gap.Until.AsTime(), "reason", gap.Reason)
		if err := in.until(ctx, func() error { return in.o.Journal.SaveGap(ctx, in.o.Network, gap) }); err != nil {
			return err
		}
	}
	if len(answer.Cursors) > 0 {
		if err := in.until(ctx, func() error { return in.o.Journal.SaveCursors(ctx, in.o.Network, answer.Cursors) }); err != nil {
			return err
		}
	}
	for _, scope := range answer.CaughtUp {
		in.o.Watcher.CaughtUp(in.o.Network, id.ChannelSource(scope))
	}
	for _, outcome := range answer.Outcomes {
		in.o.Watcher.Outcome(in.o.Network, outcome)
	}
	return nil
}

// runs groups the events that are not repeats by channel, in order, into records
// of a size that the journal takes. Its error is the context's.
func (in *Intake) runs(ctx context.Context, events []*plugv1.Event) ([][]journal.Run, error) {
	now := timestamppb.Now()
	var rounds [][]journal.Run // a channel has at most one run in each
	type open struct{ round, run, bytes int }
	current := map[string]*open{}
	for _, e := range events {
		c := id.Channel{Network: in.o.Network, Source: id.ChannelSource(e.Channel)}
		if plugv1.BestEffort(e) {
			if in.o.BestEffort != nil {
				in.o.BestEffort(c, e)
			}
			continue
		}
		if in.repeated(c, e) {
			continue
		}
		if err := in.complete(ctx, c, e); err != nil {
			return nil, err
		}
		size := proto.Size(e) + 8
		o := current[e.Channel]
		switch {
		case o == nil:
			o = &open{round: 0}
			current[e.Channel] = o
			rounds, o.run = place(rounds, o.round, journal.Run{Channel: c, Record: &journalv1.EventsRecord{ReceivedTime: now}})
		case o.bytes+size > journal.MaxRecordBytes || len(rounds[o.round][o.run].Record.Events) == plugv1.MaxBatchEvents:
			o.round, o.bytes = o.round+1, 0
			rounds, o.run = place(rounds, o.round, journal.Run{Channel: c, Record: &journalv1.EventsRecord{ReceivedTime: now}})
		}
		record := rounds[o.round][o.run].Record
		if in.known(c, e) {
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
		if errors.Is(err, journal.ErrNotFound) {
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
