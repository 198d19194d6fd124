package put

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// leastAge is how old a message is at the least that catch_up gives up: a burst, or a
// plug that is restarted, costs nothing.
const leastAge = time.Minute

// catchUp is the decision to give the message up because it comes too late, or because
// too many wait; nil if it is to be sent. Its error is that, or the context's.
func (o *operation) catchUp(ctx context.Context) error {
	limits := o.record.CatchUp
	if limits == nil || o.record.Action.GetMessage() == nil || !o.unsent() {
		return nil
	}
	age := time.Since(limits.SaidTime.AsTime())
	if age < leastAge {
		return nil
	}
	if most := limits.MaxAge.AsDuration(); most > 0 && age > most {
		return dropped(fmt.Sprintf("given up by catch_up: it was %v old, and max_age is %v", age.Round(time.Second), most))
	}
	most := int(limits.MaxMessages)
	if most == 0 {
		return nil
	}
	if err := o.progress.flush(ctx); err != nil { // to count may take a while
		return err
	}
	waiting, err := o.waiting(ctx, most+1)
	if err == nil && waiting > most {
		err = dropped(fmt.Sprintf("given up by catch_up: more than max_messages, %d, were waiting", most))
	}
	return err
}

// waiting counts the messages that wait in the channel, this one among them, up to a
// limit. Its error is the context's.
func (o *operation) waiting(ctx context.Context, limit int) (n int, err error) {
	errEnough := errors.New("enough")
	err = o.must(ctx, func(ctx context.Context) error {
		n = 0
		err := o.stage.Journal.ReadOperations(ctx, o.channel, id.Sequence(o.position.Sequence), func(r storage.Record) error {
			record, err := journal.OperationsOf(r)
			for i, op := range record.GetOperations() {
				if here := (&journalv1.Position{Sequence: uint64(r.Sequence), Index: uint32(i)}); op.Action.GetMessage() != nil && !after(o.position, here) {
					n++
				}
			}
			if err == nil && n >= limit {
				err = errEnough
			}
			return err
		})
		if errors.Is(err, errEnough) {
			err = nil
		}
		return err
	})
	return n, err
}

// givenUp tells whether the operation's target was given up here. Its error is the
// context's.
func (o *operation) givenUp(ctx context.Context) (given bool, err error) {
	if o.record.Target == nil {
		return false, nil
	}
	err = o.must(ctx, func(ctx context.Context) (err error) {
		given, err = o.stage.Journal.Dropped(ctx, o.channel, o.record.Target)
		return err
	})
	return given, err
}

// GivenUp counts what was given up for a channel since the host started.
type GivenUp struct {
	Count  int
	Reason string // of the last one
}

// count counts an operation that was given up.
func (o *operation) count(settled *journalv1.Settled) {
	if settled.Outcome != journalv1.Outcome_OUTCOME_DROPPED {
		return
	}
	o.stage.mu.Lock()
	defer o.stage.mu.Unlock()
	o.stage.gaveUp[o.channel] = GivenUp{Count: o.stage.gaveUp[o.channel].Count + 1, Reason: o.reason}
}

// GivenUp tells what was given up, for each channel that had any.
func (s *Stage) GivenUp() map[id.Channel]GivenUp {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.gaveUp)
}
