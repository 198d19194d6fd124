package put_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/accept"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// D3: parts that turn out to have been sent are not sent again with what is put back, and
// what puts it back keeps its id, so that nothing is put back twice.
func TestLateParts(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		op := say("m", "ann", "one")
		w.park(op)
		before, err := w.journal.ParkedOperation(w.t.Context(), id.OperationID(op.Id))
		if err != nil {
			t.Fatal(err)
		}
		of := func(part int) *plugv1.Event {
			e := echo(op, fmt.Sprint("part", part))
			e.OperationId += fmt.Sprint("-", part)
			return e
		}
		w.hears(of(2))
		w.want()
		w.hears(of(1))
		w.restart()
		w.up()
		if _, err := w.stage.Origin(w.t.Context(), here, of(1)); err != nil {
			t.Fatal(err)
		}
		w.want()
		if w.parked() != 1 {
			t.Fatal("it is not parked any more")
		}
		var sent []string
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			for _, s := range r.Sent {
				sent = append(sent, fmt.Sprint(s.Part, s.Receipt.Id))
			}
			return nil
		}
		if as := w.putBack(op.Id); as != id.OperationID(w.journal.PutBack(before).Id) {
			t.Errorf("it is put back as %s, and would have been as another before", as)
		}
		w.want("say one")
		if got := strings.Join(sent, " "); got != "1part1 2part2" {
			t.Errorf("put back with %q", got)
		}
	})
}

// D3, D4: of a person who puts it back and of what says that it was sent, one wins: it is
// sent again and the word counts no more, or it can't be put back any more.
func TestPutBackOrLateWord(t *testing.T) {
	won := map[bool]int{}
	for pause := range 40 {
		inBubble(t, nil, func(w *world) {
			w.up()
			op := say("m", "ann", "one")
			w.park(op)
			told, by := w.outcomes()
			w.store.Refuse = func(storage.Entry) error {
				time.Sleep(10 * time.Millisecond) // each record takes its time, in the bubble
				return nil
			}
			first, second := time.Duration(pause)*time.Millisecond, 20*time.Millisecond
			stored := id.Sequence(1)
			time.AfterFunc(first, func() { w.stage.Appended(here, stored, echo(op, "late")) })
			time.Sleep(second)
			_, err := by.PutBack(w.t.Context(), id.OperationID(op.Id))
			putBack := err == nil
			won[putBack]++
			switch {
			case err != nil && !errors.Is(err, accept.ErrSent):
				t.Errorf("after %v: %v", first, err)
			case putBack:
				w.want("say one")
			default:
				w.want()
			}
			if sent := slices.Contains(*told, "SENT "); !sent || len(*told) != 1 {
				t.Errorf("after %v: put back %v, told %q", first, putBack, *told)
			}
			if w.parked() != 0 {
				t.Errorf("after %v it is still parked", first)
			}
		})
	}
	if won[true] == 0 || won[false] == 0 {
		t.Errorf("won by a person: %v", won)
	}
}

// D3: a put-back that was accepted has won, though a crash came before that was noted. What
// it puts back is not sent again all the same, if that turns out to have been sent while it
// waited its turn: before the crash or after, while the plug is there or not.
func TestPutBackThatNeedNotBeSent(t *testing.T) {
	for name, c := range map[string]struct {
		before, after bool // an echo comes before the crash, after it
		want          []string
	}{
		"an echo before": {before: true, want: []string{"say in front"}},
		"an echo after":  {after: true, want: []string{"say in front"}},
		"no echo":        {want: []string{"say in front", "say one"}},
	} {
		inBubble(t, nil, func(w *world) {
			w.up()
			op := say("m", "ann", "one")
			w.park(op)
			w.down()
			w.accept(say("n", "ann", "in front")) // so that its turn comes later
			w.refuses.Store(new("parked."))
			if as, err := accept.New(w.journal).PutBack(w.t.Context(), id.OperationID(op.Id)); err == nil {
				t.Fatalf("%s: it was put back as %s without a record", name, as)
			}
			e := echo(op, "late")
			if c.before {
				w.stores(e)
			}
			w.store = w.store.Restart()
			w.stop()
			w.refuses.Store(nil)
			w.start()
			if c.after {
				w.stage.Appended(here, w.stores(e), e)
			}
			w.want()
			w.up()
			w.want(c.want...)
			p, err := w.journal.ParkedOperation(w.t.Context(), id.OperationID(op.Id))
			if err != nil || p.Record.Resolution != journalv1.Resolution_RESOLUTION_PUT_BACK {
				t.Fatalf("%s: it became %v, %v", name, p, err)
			}
			r, err := accept.New(w.journal).Find(w.t.Context(), id.OperationID(p.Record.PutBackId))
			if err != nil || r.Outcome != journalv1.Outcome_OUTCOME_SENT {
				t.Errorf("%s: what put it back became %+v, %v", name, r, err)
			}
			if c.before || c.after {
				if len(r.Receipts) != 1 || r.Receipts[0].Id != "late" {
					t.Errorf("%s: its receipts are %v", name, r.Receipts)
				}
				if k, err := w.stage.Canonical(w.t.Context(), id.Message{Channel: here, ID: "late"}); err != nil || k.Id != op.Source.Id {
					t.Errorf("%s: the message is known as %v, %v", name, k, err)
				}
			}
		})
	}
}

// D3: parts that were heard of while it waited are not sent again.
func TestPutBackInPart(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		op := say("m", "ann", "one")
		w.park(op)
		w.down()
		w.putBack(op.Id)
		e := echo(op, "part2")
		e.OperationId += "-2"
		w.stores(e)
		var sent []string
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			for _, s := range r.Sent {
				sent = append(sent, fmt.Sprint(s.Part, s.Receipt.Id))
			}
			return nil
		}
		w.up()
		w.want("say one")
		if got := strings.Join(sent, " "); got != "2part2" {
			t.Errorf("put back with %q", got)
		}
	})
}

// D3: before what was parked is sent again, the network's history is asked: what it has
// is not sent.
func TestPutBackAsksHistory(t *testing.T) {
	for name, c := range map[string]struct {
		found []*plugv1.FoundPart
		want  []string
		sent  int
	}{
		"all":     {[]*plugv1.FoundPart{part(0, "7")}, nil, 0},
		"a part":  {[]*plugv1.FoundPart{part(1, "7")}, []string{"say one"}, 1},
		"nothing": {nil, []string{"say one"}, 0},
	} {
		lookedUp(t, func(w *world, h *fakeHistory) {
			op := say("m", "ann", "one")
			h.fails = slices.Repeat([]error{errors.New("not connected")}, 100)
			w.park(op)
			h.fails = nil
			h.has(c.found...)
			sent := 0
			w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
				sent = len(r.Sent)
				return nil
			}
			_, by := w.outcomes()
			as, err := by.PutBack(w.t.Context(), id.OperationID(op.Id))
			if err != nil {
				t.Fatal(err)
			}
			w.want(c.want...)
			if r, err := by.Find(w.t.Context(), as); err != nil || r.Outcome != journalv1.Outcome_OUTCOME_SENT || sent != c.sent {
				t.Errorf("%s: it became %+v, %v; told that %d parts were sent", name, r, err, sent)
			}
		})
	}
}

// D3: the parts that the history found are not sent again after a crash either, when it
// can't be asked any more.
func TestFoundPartsOutliveACrash(t *testing.T) {
	lookedUp(t, func(w *world, h *fakeHistory) {
		op := say("m", "ann", "one")
		h.fails = slices.Repeat([]error{errors.New("not connected")}, 100)
		w.park(op)
		h.fails = nil
		h.has(part(1, "7"))
		var sent []int
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			h.has()
			if sent = append(sent, len(r.Sent)); r.Attempt == 1 {
				return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
			}
			return nil
		}
		w.putBack(op.Id)
		w.want("say one")
		w.restart()
		w.up()
		w.stage.StreamOpened(here.Network)
		time.Sleep(time.Minute)
		w.want("say one")
		if !slices.Equal(sent, []int{1, 1}) {
			t.Errorf("%d parts were known to be sent", sent)
		}
	})
}
