package put_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/accept"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// once makes the plug answer the next Put of a text, and no other.
func (w *world) once(text string, answer *plugv1.PutResponse) {
	w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
		if shown(r.Action.GetMessage()) != text {
			return nil
		}
		w.plug.OnPut = nil
		return answer
	}
}

// putBack puts an operation back, and returns the new one's id.
func (w *world) putBack(parked string) id.OperationID {
	w.t.Helper()
	as, err := accept.New(w.journal).PutBack(w.t.Context(), id.OperationID(parked))
	if err != nil {
		w.t.Fatal(err)
	}
	return as
}

// D4: what was parked goes to the end of its channel, under a new id: the network knows
// the old one and would answer for it; whoever edits or answers the old operation finds
// the message all the same. The same again does nothing.
func TestPutBack(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		known := map[string]*plugv1.PutResponse{} // as a network that remembers ids
		refuse := true
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if known[r.OperationId] == nil && refuse && shown(r.Action.GetMessage()) == "no" {
				known[r.OperationId] = fails(plugv1.Verdict_VERDICT_REFUSED)
			}
			return known[r.OperationId]
		}
		op := say("", "ann", "no")
		op.Source, op.Expiry = nil, timestamppb.New(time.Now().Add(time.Minute)) // as a client's
		w.accept(op)
		w.want("say no")
		if w.parked() != 1 {
			t.Fatalf("%d are parked", w.parked())
		}
		time.Sleep(time.Hour)
		refuse = false
		_, by := w.outcomes()
		w.down()
		w.accept(say("n", "ann", "in front"))
		as, err := by.PutBack(w.t.Context(), id.OperationID(op.Id))
		again, errAgain := by.PutBack(w.t.Context(), id.OperationID(op.Id))
		if err != nil || errAgain != nil || as != again || as == id.OperationID(op.Id) {
			t.Fatalf("put back as %s %v, and again as %s %v", as, err, again, errAgain)
		}
		if err := by.Drop(w.t.Context(), id.OperationID(op.Id)); !errors.Is(err, accept.ErrPutBack) {
			t.Errorf("dropping it then: %v", err)
		}
		w.up()
		w.want("say in front", "say no")
		if w.parked() != 0 {
			t.Errorf("%d are still parked", w.parked())
		}
		r, err := by.Find(w.t.Context(), id.OperationID(op.Id))
		if err != nil || r.Outcome != journalv1.Outcome_OUTCOME_PARKED || r.PutBack != as || r.Reason != "no" {
			t.Errorf("the old one: %+v, %v", r, err)
		}
		if r, err := by.Find(w.t.Context(), as); err != nil || r.Outcome != journalv1.Outcome_OUTCOME_SENT {
			t.Errorf("the new one: %+v, %v", r, err)
		}
		answer := reply("r", "", "yes")
		answer.ReplyTo = &journalv1.MessageKey{Id: op.Id}
		change := edit("e", "ann", "changed")
		change.Target = &journalv1.MessageKey{Id: op.Id}
		w.accept(answer, change)
		w.want("say yes to 2", "edit 2 changed")
	})
}

// O5: an echo of an attempt that was given up doesn't settle what is put back, of which
// nothing may have been sent.
func TestOldEchoDoesNotSettle(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		w.once("perhaps", fails(plugv1.Verdict_VERDICT_REFUSED))
		op := say("m", "ann", "perhaps")
		w.accept(op)
		w.want("say perhaps")
		calls := 0
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if calls++; calls > 1 {
				return nil
			}
			w.stage.Appended(here, 0, &plugv1.Event{MessageId: "old", Own: plugv1.Own_OWN_YES, OperationId: op.Id})
			return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
		}
		w.putBack(op.Id)
		time.Sleep(time.Minute)
		w.want("say perhaps", "say perhaps")
	})
}

// A reply that was sent as a quote, with an edit in it, and was refused, is put back as the
// quote with the edit.
func TestPutBackQuote(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		verdict := plugv1.Verdict_VERDICT_REFUSED
		w.plug.OnPut = func(p *plugv1.PutRequest) *plugv1.PutResponse {
			switch {
			case p.Action.GetMessage().GetReplyTo() != nil:
				return fails(plugv1.Verdict_VERDICT_TARGET_GONE)
			case verdict != 0 && shown(p.Action.GetMessage()) == "> quote\nthree":
				return fails(verdict)
			}
			return nil
		}
		r := reply("n", "m", "two")
		r.Fallback.GetMessage().Text.Segments = []*plugv1.Segment{{Text: "> quote\n"}, {Text: "two"}}
		w.accept(say("m", "ann", "one"), r, edit("n", "bo", "three"))
		w.up()
		w.want("say one", "say three to 1", "say > quote\nthree", "say (edited) three")
		verdict = 0
		w.putBack(string(journal.FallbackID(id.OperationID(r.Id))))
		w.want("say > quote\nthree")
	})
}

// D3: what is put back goes on behind the parts that were sent, with the plug's
// continuation and the content as it was, and the message has each part once.
func TestPutBackParts(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		half := fails(plugv1.Verdict_VERDICT_REFUSED)
		half.Receipts, half.Failure.Continuation = []*plugv1.Receipt{{Id: "p1"}}, []byte("from 2")
		w.once("new", half)
		op := say("m", "ann", "old")
		w.accept(op, edit("m", "ann", "new")) // is folded in while it waits
		w.up()
		w.want("say new")
		for _, refused := range []bool{true, false} {
			w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
				if len(r.Sent) != 1 || r.Sent[0].Receipt.Id != "p1" || string(r.Continuation) != "from 2" || r.Attempt != 1 || r.FirstAttemptTime == nil {
					t.Errorf("asked with %v", r)
				}
				w.plug.OnPut = nil
				if refused {
					return half
				}
				return &plugv1.PutResponse{Receipts: []*plugv1.Receipt{{Id: "p1"}, {Id: "p2"}}}
			}
			w.down()
			op.Id = string(w.putBack(op.Id))
			w.restart()
			w.up()
			w.want("say new")
		}
		w.accept(remove("m"))
		w.want("delete p1,p2")
	})
}

// D4: wherever a crash comes, what is put back is sent once, and what is parked is not
// sent by itself.
func TestPutBackOverCrashes(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		// The host ends between the record that it is parked and the one that it is settled.
		w.plug.OnPut = func(*plugv1.PutRequest) *plugv1.PutResponse {
			w.plug.OnPut = nil
			w.refuses.Store(new("put."))
			return fails(plugv1.Verdict_VERDICT_REFUSED)
		}
		op := say("m", "ann", "no")
		w.accept(op, say("n", "ann", "next"))
		w.want("say no")
		w.refuses.Store(nil)
		w.restart()
		w.up()
		w.want("say next")

		// It ends between the acceptance and the record that it is resolved; the command
		// is repeated before its turn, and after it.
		w.refuses.Store(new("parked."))
		w.down()
		if as, err := accept.New(w.journal).PutBack(w.t.Context(), id.OperationID(op.Id)); err == nil {
			t.Fatalf("it was put back as %s without a record", as)
		}
		if err := accept.New(w.journal).Drop(w.t.Context(), id.OperationID(op.Id)); err == nil {
			t.Error("it was dropped, though it had been put back")
		}
		w.refuses.Store(nil)
		w.restart()
		var as []id.OperationID
		as = append(as, w.putBack(op.Id))
		w.up()
		w.want("say no")
		w.restart()
		w.up()
		as = append(as, w.putBack(op.Id))
		w.want()
		if as[0] != as[1] || w.parked() != 0 {
			t.Errorf("put back as %s; %d are still parked", as, w.parked())
		}
	})
}

// D4: what nobody repeats the command for is resolved when its turn comes, before it
// can be forgotten.
func TestPutBackIsResolvedInItsTurn(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		w.once("no", fails(plugv1.Verdict_VERDICT_REFUSED))
		op := say("m", "ann", "no")
		w.accept(op)
		w.want("say no")
		parked, err := w.journal.ParkedOperation(w.t.Context(), id.OperationID(op.Id))
		if err != nil {
			t.Fatal(err)
		}
		again := w.journal.PutBack(parked)
		if err := w.journal.Accept(w.t.Context(), []journal.Accepted{{Channel: here, Operations: []*journalv1.Operation{again}}}); err != nil {
			t.Fatal(err)
		}
		w.want("say no")
		if w.parked() != 0 {
			t.Error("it is still parked")
		}
	})
}

// D4, D5: what is dropped is settled for good; what is parked outlives every age, and
// what is resolved doesn't.
func TestDropParked(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		_, by := w.outcomes()
		w.plug.OnPut = func(*plugv1.PutRequest) *plugv1.PutResponse { return fails(plugv1.Verdict_VERDICT_REFUSED) }
		keep, drop := say("m", "ann", "keep"), say("n", "ann", "drop")
		w.accept(keep, drop)
		w.want("say keep", "say drop")
		for range 2 {
			if err := by.Drop(w.t.Context(), id.OperationID(drop.Id)); err != nil {
				t.Fatal(err)
			}
		}
		if r, err := by.Find(w.t.Context(), id.OperationID(drop.Id)); err != nil || r.Outcome != journalv1.Outcome_OUTCOME_DROPPED || r.Reason != "dropped by an operator; it had been parked: no" {
			t.Errorf("it became %+v, %v", r, err)
		}
		w.restart()
		w.up()
		_, by = w.outcomes()
		if r, err := by.Find(w.t.Context(), id.OperationID(drop.Id)); err != nil || r.Outcome != journalv1.Outcome_OUTCOME_DROPPED || r.Reason != "dropped by an operator; it had been parked: no" {
			t.Errorf("after a restart it is %+v, %v", r, err)
		}
		if _, err := by.PutBack(w.t.Context(), id.OperationID(drop.Id)); !errors.Is(err, accept.ErrDropped) {
			t.Errorf("putting it back: %v", err)
		}
		w.want()
		records := func() (n int) {
			parked, err := w.store.Last(w.t.Context(), "parked.>")
			if err != nil {
				t.Fatal(err)
			}
			return len(parked)
		}
		var left []string
		for _, age := range []time.Duration{time.Hour, 0} {
			time.Sleep(time.Minute)
			if err := w.journal.Retain(w.t.Context(), time.Now().Add(-age), nil); err != nil {
				t.Fatal(err)
			}
			left = append(left, fmt.Sprint(records(), " ", w.parked()))
		}
		if want := []string{"2 1", "1 1"}; !slices.Equal(left, want) {
			t.Errorf("records left, and parked: %q, want %q", left, want)
		}
		if _, err := by.PutBack(w.t.Context(), id.OperationID(drop.Id)); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("putting back what is forgotten: %v", err)
		}
		w.plug.OnPut = nil
		w.putBack(keep.Id)
		w.want("say keep")
		for _, wrong := range []id.OperationID{"", "*", ">", "0000000000001abcdef*", "0000000000001.bcdefg"} {
			if _, err := by.PutBack(w.t.Context(), wrong); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("putting back %q: %v", wrong, err)
			}
		}
	})
}
