package journal_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
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

// D3, D4: what turns out to have been sent is parked no more, unless it was put back; in
// part it stays parked, and what puts it back is the same as before.
func TestFoundSent(t *testing.T) {
	onBoth(t, func(t *testing.T, j *journal.Journal) {
		ctx := t.Context()
		still := func(op id.OperationID) *journal.Parked {
			t.Helper()
			done, err := j.Resolving(ctx)
			check(t, err)
			defer done()
			p, err := j.StillParked(ctx, op)
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				t.Fatal(err)
			}
			return p
		}
		park := func(n int) (id.OperationID, *journal.Parked) {
			t.Helper()
			op := j.OperationID(1, 0, "h", dev, n)
			check(t, j.Park(ctx, dev, &journalv1.ParkedRecord{Operation: &journalv1.Operation{Id: string(op), Hook: "h"}}))
			return op, still(op)
		}
		part := func(n uint32) *plugv1.SentPart {
			return &plugv1.SentPart{Part: n, Receipt: &plugv1.Receipt{Id: fmt.Sprint(n)}}
		}
		op, p := park(0)
		as := j.PutBack(p).Id
		for n := range uint32(2) {
			check(t, j.FoundSent(ctx, p, []*plugv1.SentPart{part(1), part(2)}[:n+1], false))
			p = still(op)
			if back := j.PutBack(p); back.Id != as || len(back.PutBack.Sent) != int(n+1) || back.Hook != "h" {
				t.Errorf("put back as %v, and was as %s", back, as)
			}
		}
		check(t, j.FoundSent(ctx, p, []*plugv1.SentPart{part(1)}, true))
		if p := still(op); p != nil {
			t.Errorf("still parked: %v", p)
		}
		check(t, j.Unpark(ctx, dev, op, ""))
		p, err := j.ParkedOperation(ctx, op)
		check(t, err)
		if p.Record.Resolution != journalv1.Resolution_RESOLUTION_SENT || len(p.Record.Sent) != 1 || p.Record.Operation.Hook != "" {
			t.Errorf("it became %v", p.Record)
		}

		op, p = park(1)
		check(t, j.Accept(ctx, []journal.Accepted{{Channel: dev, Operations: []*journalv1.Operation{j.PutBack(p)}}}))
		if p := still(op); p != nil {
			t.Errorf("put back, and still parked: %v", p)
		}
		if p := still("0123456789abcdefghij"); p != nil {
			t.Errorf("parked: %v", p)
		}

		// One at a time.
		done, err := j.Resolving(ctx)
		check(t, err)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := j.Resolving(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("two resolve at once: %v", err)
		}
		done()
		done()
		again, err := j.Resolving(ctx)
		check(t, err)
		again()
	})
}
