package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// Bounds of what one lane holds in memory, and of what a Handler is given at once.
const (
	LaneRecords = 64
	laneBytes   = 1 << 20
)

// Handler works on records of one channel, in order. It returns when it is
// finished with all of them or when ctx has ended.
type Handler func(ctx context.Context, c id.Channel, records []storage.Record)

// Lanes gives the records of one kind to a Handler, channel by channel: those of
// one channel in order and never two calls at once, different channels
// independent of each other. A channel whose handler is slow holds at most
// LaneRecords records or about laneBytes in memory; beyond that it remembers one
// sequence and reads on from the log when it gets there.
type Lanes struct {
	store  storage.Store
	kind   string
	from   id.Sequence
	behind map[id.Channel]span
}

// Waiting gives the channels that had something to be read when the lanes were made;
// of the only record of some, everything may be finished.
func (l *Lanes) Waiting() iter.Seq[id.Channel] { return maps.Keys(l.behind) }

// span is what a channel has to read before it joins the live records.
type span struct{ from, to id.Sequence }

// EventLanes returns the events that a hook is not done with. A hook that the
// journal has not seen before starts now: it is not given what was said before.
func (j *Journal) EventLanes(ctx context.Context, hook id.HookName) (*Lanes, error) {
	end, err := j.store.End(ctx)
	if err != nil {
		return nil, fmt.Errorf("read events for hook %s: %w", hook, err)
	}
	done, err := j.dones(ctx, hook)
	if err != nil {
		return nil, err
	}
	registered, known := done[id.Channel{}]
	if !known {
		// Its first record, under no channel, says where it begins, so that
		// a crash before it is done with anything loses nothing.
		registered = end
		if _, err := j.SaveDone(ctx, hook, map[id.Channel]id.Sequence{{}: registered}); err != nil {
			return nil, fmt.Errorf("register hook %s: %w", hook, err)
		}
	}
	return j.lanes(ctx, subject.Events, end, func(c id.Channel) id.Sequence {
		return max(done[c], registered) + 1
	})
}

func (j *Journal) dones(ctx context.Context, hook id.HookName) (map[id.Channel]id.Sequence, error) {
	records, err := j.store.Last(ctx, subject.Join(subject.Done, subject.Token(hook), "*", "*"))
	if err != nil {
		return nil, fmt.Errorf("read progress of hook %s: %w", hook, err)
	}
	done := make(map[id.Channel]id.Sequence, len(records))
	for _, r := range records {
		c, err := subject.ParseChannel(r.Subject)
		if err != nil {
			return nil, err
		}
		record, err := decode(r, &journalv1.DoneRecord{})
		if err != nil {
			return nil, err
		}
		if record.Removed {
			continue
		}
		done[c] = id.Sequence(record.Sequence)
	}
	return done, nil
}

// OperationLanes returns the operations that are not settled, and how far each
// channel has come. The first record of a channel may hold operations at or
// before its settled position: they are finished.
func (j *Journal) OperationLanes(ctx context.Context) (*Lanes, map[id.Channel]*journalv1.PutRecord, error) {
	end, err := j.store.End(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("read operations: %w", err)
	}
	puts, err := j.puts(ctx)
	if err != nil {
		return nil, nil, err
	}
	lanes, err := j.lanes(ctx, subject.Out, end, func(c id.Channel) id.Sequence {
		return id.Sequence(puts[c].GetSettled().GetPosition().GetSequence())
	})
	return lanes, puts, err
}

// lanes finds the channels that have records between their own start and end.
func (j *Journal) lanes(ctx context.Context, kind string, end id.Sequence, start func(id.Channel) id.Sequence) (*Lanes, error) {
	records, err := j.store.Last(ctx, subject.Join(kind, ">"))
	if err != nil {
		return nil, fmt.Errorf("read last records: %w", err)
	}
	l := &Lanes{store: j.store, kind: kind, from: end + 1, behind: map[id.Channel]span{}}
	for _, r := range records {
		c, err := subject.ParseChannel(r.Subject)
		if err != nil {
			return nil, err
		}
		// A lane reads on from where behind is not 0: at the first record at the
		// earliest, also where nothing has been settled yet.
		if from := max(1, start(c)); r.Sequence >= from {
			l.behind[c] = span{from, r.Sequence}
		}
	}
	return l, nil
}

// Run hands out records until ctx ends, and returns when every handler has
// returned. It is called once.
func (l *Lanes) Run(ctx context.Context, handle Handler) error {
	var running sync.WaitGroup
	defer running.Wait()
	lanes := map[string]*lane{}
	for c, s := range l.behind {
		ln := &lane{channel: c, subject: subject.Channel(l.kind, c), store: l.store, handle: handle, running: &running, behind: s.from, newest: s.to}
		lanes[ln.subject] = ln
		ln.active = true
		running.Go(func() { ln.run(ctx) })
	}
	err := l.store.Follow(ctx, l.from, func(r storage.Record) error {
		ln := lanes[r.Subject]
		if ln == nil {
			c, err := subject.ParseChannel(r.Subject)
			if err != nil {
				return err
			}
			// The subject is cloned, else it would keep the record it is part of.
			ln = &lane{channel: c, subject: strings.Clone(r.Subject), store: l.store, handle: handle, running: &running}
			lanes[ln.subject] = ln
		}
		ln.offer(ctx, r)
		return nil
	}, subject.Join(l.kind, ">"))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("follow the journal: %w", err)
}

// lane is one channel. Its goroutine runs while there is something to do, so
// there are never more of them than channels.
type lane struct {
	channel id.Channel
	subject string
	store   storage.Store
	handle  Handler
	running *sync.WaitGroup

	mu     sync.Mutex
	active bool             // its goroutine runs
	queue  []storage.Record // live records, complete as long as behind is 0
	bytes  int              // of queue
	newest id.Sequence      // last record known to be in the log for this channel
	behind id.Sequence      // if not 0: read on from here before the queue counts again
}

func (l *lane) offer(ctx context.Context, r storage.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Sequence <= l.newest {
		return
	}
	l.newest = r.Sequence
	switch {
	case l.behind != 0:
	case len(l.queue) < LaneRecords && l.bytes < laneBytes:
		l.queue = append(l.queue, r)
		l.bytes += len(r.Data)
	default:
		l.behind = r.Sequence
	}
	if !l.active {
		l.active = true
		l.running.Go(func() { l.run(ctx) })
	}
}

func (l *lane) run(ctx context.Context) {
	for ctx.Err() == nil {
		l.mu.Lock()
		switch {
		case len(l.queue) > 0:
			records := l.queue
			l.queue, l.bytes = nil, 0
			l.mu.Unlock()
			l.handle(ctx, l.channel, records)
		case l.behind != 0:
			from, newest := l.behind, l.newest
			l.mu.Unlock()
			records, ended, err := l.read(ctx, from)
			if err != nil {
				// The log is the host's, not the channel's: whoever appends
				// sees the same trouble and reports it. Here it is only waited
				// for.
				wait(ctx, time.Second)
				continue
			}
			l.caughtUp(records, ended, newest)
			if len(records) > 0 {
				l.handle(ctx, l.channel, records)
			}
		default:
			l.active = false
			l.mu.Unlock()
			return
		}
	}
}

// read reads up to a window of records from the log.
func (l *lane) read(ctx context.Context, from id.Sequence) (records []storage.Record, ended bool, err error) {
	for bytes := 0; len(records) < LaneRecords && bytes < laneBytes; {
		r, err := l.store.Next(ctx, l.subject, from)
		if errors.Is(err, storage.ErrNotFound) {
			return records, true, nil
		}
		if err != nil {
			return nil, false, err
		}
		records = append(records, r)
		bytes += len(r.Data)
		from = r.Sequence + 1
	}
	return records, false, nil
}

// caughtUp notes where the lane stands after a read that began when newest was
// the last record known. While it is behind, offers only move l.newest on, so
// the lane joins the live records once nothing lies between.
func (l *lane) caughtUp(records []storage.Record, ended bool, newest id.Sequence) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.behind - 1
	if len(records) > 0 {
		last = records[len(records)-1].Sequence
	}
	if last >= l.newest || ended && newest == l.newest {
		l.behind, l.newest = 0, max(last, l.newest)
		return
	}
	l.behind = last + 1
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
