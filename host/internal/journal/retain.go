package journal

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// Retain removes what is finished and older than a time: events that all the
// named hooks are done with, operations that are settled, and cursors and gaps that
// have a newer record. The last record of a subject always stays, and so does whatever
// waits, however old it is (D5).
func (j *Journal) Retain(ctx context.Context, before time.Time, hooks []id.HookName) error {
	old, err := j.store.Before(ctx, before)
	if err != nil {
		return fmt.Errorf("expire the journal: %w", err)
	}
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
	if err := j.purge(ctx, kindEvents, func(r Record, c id.Channel) (id.Sequence, error) {
		return min(old, finished(c)) + 1, nil
	}); err != nil {
		return err
	}
	settled := map[id.Channel]id.Sequence{}
	if err := j.purge(ctx, kindPut, func(r Record, c id.Channel) (id.Sequence, error) {
		record, err := decode(r, &journalv1.PutRecord{})
		settled[c] = id.Sequence(record.GetSettled().GetPosition().GetSequence())
		return old + 1, err
	}); err != nil {
		return err
	}
	if err := j.purge(ctx, kindOut, func(r Record, c id.Channel) (id.Sequence, error) {
		// The record of the settled position may hold operations after it.
		return min(old+1, settled[c]), nil
	}); err != nil {
		return err
	}
	for _, kind := range []string{kindDone, kindCursor, kindGap, kindMoved} {
		if err := j.purge(ctx, kind, func(r Record, _ id.Channel) (id.Sequence, error) {
			return r.Sequence, nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// purge goes over the last record of each subject of a kind.
func (j *Journal) purge(ctx context.Context, kind string, before func(Record, id.Channel) (id.Sequence, error)) error {
	records, err := j.store.Last(ctx, subject(kind, ">"))
	if err != nil {
		return fmt.Errorf("expire the journal: %w", err)
	}
	for _, r := range records {
		var c id.Channel
		if strings.Count(r.Subject, ".") >= 2 {
			if c, err = parseChannel(r.Subject); err != nil {
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
