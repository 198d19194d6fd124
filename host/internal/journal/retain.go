package journal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// Retain removes what is finished and older than a time: events that all the
// named hooks are done with, operations that are settled, if that holds also of the events
// before them, parked ones that are resolved, and cursors and gaps that have a newer
// record. The last record of any other
// subject always stays, and so does whatever waits or is parked, however old it is (D5),
// and what came after its plug's cursor: it may be said again, and is to be known then (D2).
func (j *Journal) Retain(ctx context.Context, before time.Time, hooks []id.HookName) error {
	old, err := j.store.Before(ctx, before)
	if err != nil {
		return fmt.Errorf("expire the journal: %w", err)
	}
	return j.removeFinished(ctx, old, hooks, true)
}

// roomSteps is in how many parts the log is looked at for what can give way.
const roomSteps = 8

// MakeRoom removes what is finished, oldest first, whatever its age, while the log is
// nearly full: until an eighth of its bound is free, or nothing finished is left. What
// came after a plug's cursor gives way last: a plug that never moves its cursor must not
// stop all others.
func (j *Journal) MakeRoom(ctx context.Context, hooks []id.HookName) error {
	first, err := j.store.Next(ctx, subject.Join(subject.Events, ">"), 1)
	if errors.Is(err, storage.ErrNotFound) {
		first, err = j.store.Next(ctx, ">", 1)
	}
	if err != nil {
		return fmt.Errorf("make room in the journal: %w", err)
	}
	end, err := j.store.End(ctx)
	if err != nil {
		return fmt.Errorf("make room in the journal: %w", err)
	}
	step := (end-first.Sequence)/roomSteps + 1
	for _, holding := range []bool{true, false} {
		for old := first.Sequence; old < end+step && !j.store.Look(ctx).Roomy(); old += step {
			if err := j.removeFinished(ctx, min(old, end), hooks, holding); err != nil {
				return err
			}
		}
	}
	j.store.Look(ctx)
	return nil
}

// removeFinished removes what is finished up to a sequence; with holding, but for what
// came after a plug's cursor.
func (j *Journal) removeFinished(ctx context.Context, old id.Sequence, hooks []id.HookName, holding bool) (err error) {
	dones := make([]map[id.Channel]id.Sequence, len(hooks))
	for i, hook := range hooks {
		if dones[i], err = j.dones(ctx, hook); err != nil {
			return err
		}
	}
	finished := func(c id.Channel) id.Sequence {
		least := id.Sequence(math.MaxInt64)
		for _, done := range dones {
			least = min(least, max(done[c], done[id.Channel{}]))
		}
		return least
	}
	homes, err := j.homes(ctx)
	if err != nil {
		return err
	}
	passed := map[id.Channel]id.Sequence{}
	if err := j.purge(ctx, subject.Cursor, func(r storage.Record, c id.Channel) (id.Sequence, error) {
		record, err := decode(r, &journalv1.CursorRecord{})
		if record.Cursor == nil {
			return r.Sequence, err // dropped: it holds nothing
		}
		// The events of a channel that has moved are kept under its home.
		kept := []id.Channel{c}
		if home, moved := homes[c]; moved {
			kept = append(kept, home)
		}
		for _, at := range kept {
			if s, ok := passed[at]; !ok || follows(r, record) < s {
				passed[at] = follows(r, record)
			}
		}
		return r.Sequence, err
	}); err != nil {
		return err
	}
	undone := id.Sequence(math.MaxInt64) // no event before it has a hook that is not done with it
	if err := j.purge(ctx, subject.Events, func(r storage.Record, c id.Channel) (id.Sequence, error) {
		if s := finished(c); s < r.Sequence {
			undone = min(undone, s+1)
		}
		limit := min(old, finished(c))
		for _, scope := range []id.Channel{c, {Network: c.Network}} {
			if s, ok := passed[scope]; ok && holding {
				limit = min(limit, s)
			}
		}
		return limit + 1, nil
	}); err != nil {
		return err
	}
	settled := map[id.Channel]id.Sequence{}
	if err := j.purge(ctx, subject.Put, func(r storage.Record, c id.Channel) (id.Sequence, error) {
		record, err := decode(r, &journalv1.PutRecord{})
		settled[c] = id.Sequence(record.GetSettled().GetPosition().GetSequence())
		return old + 1, err
	}); err != nil {
		return err
	}
	if err := j.purge(ctx, subject.Out, func(r storage.Record, c id.Channel) (id.Sequence, error) {
		// The record of the settled position may hold operations after it. What an event
		// caused that is yielded again after a crash must be found to stand (D3).
		return min(old+1, settled[c], undone), nil
	}); err != nil {
		return err
	}
	for _, kind := range []string{subject.Done, subject.Gap, subject.Instance, subject.Moved} {
		if err := j.purge(ctx, kind, func(r storage.Record, _ id.Channel) (id.Sequence, error) {
			return r.Sequence, nil
		}); err != nil {
			return err
		}
	}
	return j.retainParked(ctx, old)
}

// retainParked removes what is resolved of the parked operations: their content at
// once, that they were resolved when that is old. What is parked stays (D5).
func (j *Journal) retainParked(ctx context.Context, old id.Sequence) error {
	records, err := j.parkedRecords(ctx, subject.Join(subject.Parked, ">"))
	if err != nil {
		return err
	}
	for _, p := range records {
		switch {
		case p.Record.Resolution == journalv1.Resolution_RESOLUTION_UNSPECIFIED:
			continue
		case p.Sequence <= old:
			err = j.store.Remove(ctx, parkedSubject(p.Channel, p.Record.Operation.GetId()))
		default:
			err = j.store.Purge(ctx, parkedSubject(p.Channel, p.Record.Operation.GetId()), p.Sequence)
		}
		if err != nil {
			return fmt.Errorf("expire parked operations: %w", err)
		}
	}
	return nil
}

// purge goes over the last record of each subject of a kind.
func (j *Journal) purge(ctx context.Context, kind string, before func(storage.Record, id.Channel) (id.Sequence, error)) error {
	records, err := j.store.Last(ctx, subject.Join(kind, ">"))
	if err != nil {
		return fmt.Errorf("expire the journal: %w", err)
	}
	for _, r := range records {
		var c id.Channel
		if strings.Count(r.Subject, ".") >= 2 {
			if c, err = subject.ParseChannel(r.Subject); err != nil {
				return err
			}
		}
		limit, err := before(r, c)
		if err != nil {
			return err
		}
		if err := j.store.Purge(ctx, r.Subject, limit); err != nil {
			return fmt.Errorf("expire %s: %w", r.Subject, err)
		}
	}
	return nil
}
