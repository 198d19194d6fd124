package journal

import (
	"context"
	"fmt"
	"math"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Unfinished gives everything that is not finished yet: the events that one of the
// named hooks is not done with, and the operations that wait, are uncertain or are
// parked. What it takes grows with what waits. The order means nothing, and something
// that is finished just now may be given or not.
func (j *Journal) Unfinished(ctx context.Context, hooks []id.HookName, event func(*plugv1.Event), operation func(*journalv1.Operation)) error {
	if err := j.unfinishedEvents(ctx, hooks, event); err != nil {
		return err
	}
	puts := map[string]id.Sequence{}
	settled, err := j.store.Last(ctx, subject.Join(subject.Put, ">"))
	if err != nil {
		return fmt.Errorf("read puts: %w", err)
	}
	for _, r := range settled {
		record, err := decode(r, &journalv1.PutRecord{})
		if err != nil {
			return err
		}
		puts[r.Subject[len(subject.Put):]] = id.Sequence(record.GetSettled().GetPosition().GetSequence())
	}
	waiting, err := j.store.Last(ctx, subject.Join(subject.Out, ">"))
	if err != nil {
		return fmt.Errorf("read operations: %w", err)
	}
	for _, last := range waiting {
		// The record of the settled position may hold operations after it.
		if err := j.read(ctx, last.Subject, max(1, puts[last.Subject[len(subject.Out):]]), func(r storage.Record) (bool, error) {
			record, err := OperationsOf(r)
			for _, op := range record.GetOperations() {
				operation(op)
			}
			return true, err
		}); err != nil {
			return err
		}
	}
	parked, err := j.ParkedOperations(ctx)
	if err != nil {
		return err
	}
	for _, p := range parked {
		operation(p.Record.Operation)
	}
	return nil
}

func (j *Journal) unfinishedEvents(ctx context.Context, hooks []id.HookName, event func(*plugv1.Event)) error {
	least := map[id.Channel]id.Sequence{}
	channels, err := j.store.Last(ctx, subject.Join(subject.Events, ">"))
	if err != nil {
		return fmt.Errorf("read last events: %w", err)
	}
	for _, last := range channels {
		c, err := subject.ParseChannel(last.Subject)
		if err != nil {
			return err
		}
		least[c] = math.MaxInt64
	}
	for _, hook := range hooks {
		done, err := j.dones(ctx, hook)
		if err != nil {
			return err
		}
		for c := range least {
			least[c] = min(least[c], max(done[c], done[id.Channel{}]))
		}
	}
	for c, from := range least {
		if from == math.MaxInt64 {
			continue // there is no hook
		}
		if err := j.ReadEvents(ctx, c, from+1, func(_ id.Channel, r storage.Record) bool {
			record, err := EventsOf(r)
			for _, e := range record.GetEvents() {
				event(e)
			}
			return err == nil
		}); err != nil {
			return err
		}
	}
	return nil
}
