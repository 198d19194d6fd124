package journal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// D4: an operation is parked once and resolved once, whatever is written twice because
// an answer was lost. D5: what is parked stays; what is resolved is forgotten with age.
func TestParked(t *testing.T) {
	onBoth(t, func(t *testing.T, j *journal.Journal) {
		ctx := t.Context()
		op, other := j.OperationID(1, 0, "h", dev, 0), j.OperationID(1, 0, "h", dev, 1)
		park := func(op id.OperationID, reason string) {
			t.Helper()
			check(t, j.Park(ctx, dev, &journalv1.ParkedRecord{Operation: &journalv1.Operation{Id: string(op), Hook: "h"}, Reason: reason}))
		}
		park(op, "first")
		park(other, "stays")
		park(op, "second")
		p, err := j.ParkedOperation(ctx, op)
		check(t, err)
		if p.Channel != dev || p.Record.Reason != "first" {
			t.Errorf("parked: %v", p)
		}
		as := id.OperationID(j.PutBack(p).Id)
		if cause, ok := journal.Cause(as); len(as) != 20 || !ok || cause != p.Sequence || as == op {
			t.Errorf("put back as %s, with cause %d", as, cause)
		}
		check(t, j.Unpark(ctx, dev, op, as))
		check(t, j.Unpark(ctx, dev, op, ""))
		park(op, "third")
		p, err = j.ParkedOperation(ctx, op)
		check(t, err)
		if p.Record.Resolution != journalv1.Resolution_RESOLUTION_PUT_BACK || p.Record.PutBackId != string(as) {
			t.Errorf("resolved: %v", p)
		}
		for _, before := range []time.Time{time.Now().Add(-time.Hour), time.Now().Add(time.Hour)} {
			check(t, j.Retain(ctx, before, nil))
			list, err := j.ParkedOperations(ctx)
			check(t, err)
			if len(list) != 1 || list[0].Record.Operation.Id != string(other) {
				t.Errorf("parked: %v", list)
			}
			_, err = j.ParkedOperation(ctx, op)
			if old := before.After(time.Now()); errors.Is(err, storage.ErrNotFound) != old {
				t.Errorf("the resolved one: %v; it is old: %v", err, old)
			}
		}
	})
}
