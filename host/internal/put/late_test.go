package put_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/accept"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// park has an operation parked because nobody said what became of it, and the channel
// gone on behind it.
func (w *world) park(op *journalv1.Operation) {
	w.t.Helper()
	w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
		if r.OperationId == op.Id {
			return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
		}
		return nil
	}
	w.accept(op)
	time.Sleep(5 * time.Minute)
	synctest.Wait()
	w.plug.did()
	if w.parked() != 1 {
		w.t.Fatalf("%d operations are parked", w.parked())
	}
}

// echo is the event in which the network shows what an operation made.
func echo(op *journalv1.Operation, message string) *plugv1.Event {
	e := &plugv1.Event{EventId: "e" + message, MessageId: message, Channel: string(here.Source), Own: plugv1.Own_OWN_YES, OperationId: op.Id}
	switch k := op.Action.Kind.(type) {
	case *plugv1.Action_Message:
		e.Kind = &plugv1.Event_Message{Message: k.Message}
	case *plugv1.Action_Edit:
		e.Kind = &plugv1.Event_Edit{Edit: k.Edit}
	case *plugv1.Action_Delete:
		e.Kind = &plugv1.Event_Delete{Delete: k.Delete}
	case *plugv1.Action_ReactionAdded:
		e.Kind = &plugv1.Event_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{Reaction: k.ReactionAdded.Reaction, ReactionId: "r" + message}}
	}
	return e
}

// store puts an event into the journal, without a word to the stage.
func (w *world) stores(e *plugv1.Event) id.Sequence {
	w.t.Helper()
	sequences, err := w.journal.AppendEvents(w.t.Context(), []journal.Run{{Channel: here, Record: &journalv1.EventsRecord{Events: []*plugv1.Event{e}}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return sequences[0]
}

func (w *world) hears(e *plugv1.Event) { w.stage.Appended(here, w.stores(e), e) }

// O4, O5, D4: what is parked and turns out to have been sent is settled, whoever says so
// and whenever: its receipts are known, what is done to the message arrives at the copy,
// the echo is ours, and nothing can be put back. After a restart all that is the same.
func TestLateWord(t *testing.T) {
	said := func(w *world, op *journalv1.Operation) {
		w.stage.Outcome(here.Network, &plugv1.PutOutcome{OperationId: op.Id, Attempt: 1, Response: &plugv1.PutResponse{Receipts: []*plugv1.Receipt{{Id: "late"}}}})
	}
	for name, word := range map[string]func(*world, *journalv1.Operation){
		"an echo": func(w *world, op *journalv1.Operation) { w.hears(echo(op, "late")) },
		"an echo after a restart": func(w *world, op *journalv1.Operation) {
			w.restart()
			w.up()
			w.hears(echo(op, "late"))
		},
		"an echo, and a restart before more": func(w *world, op *journalv1.Operation) {
			e := echo(op, "late")
			w.stores(e)
			w.restart()
			w.up()
			if _, err := w.stage.Origin(w.t.Context(), here, e); err != nil { // it is yielded
				w.t.Error(err)
			}
		},
		"the plug": said,
		"the plug after a restart": func(w *world, op *journalv1.Operation) {
			w.restart()
			w.up()
			said(w, op)
		},
		"all at once": func(w *world, op *journalv1.Operation) {
			e := echo(op, "late")
			said(w, op)
			w.hears(e)
			if _, err := w.stage.Origin(w.t.Context(), here, e); err != nil {
				w.t.Error(err)
			}
			w.hears(e)
			said(w, op)
		},
		"the plug, of several attempts at once": func(w *world, op *journalv1.Operation) {
			said(w, op)
			for _, less := range []*plugv1.PutResponse{fails(plugv1.Verdict_VERDICT_UNCERTAIN), fails(plugv1.Verdict_VERDICT_REFUSED)} {
				w.stage.Outcome(here.Network, &plugv1.PutOutcome{OperationId: op.Id, Attempt: 2, Response: less})
			}
		},
		"an echo while the journal refuses": func(w *world, op *journalv1.Operation) {
			w.refuses.Store(new("parked."))
			w.hears(echo(op, "late"))
			time.Sleep(time.Minute)
			w.refuses.Store(nil)
			time.Sleep(time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(w *world) {
				w.up()
				op := say("m", "ann", "one")
				w.park(op)
				told, by := w.outcomes()
				word(w, op)
				w.want()
				if w.stage.Settled == nil { // there was a restart
					_, by = w.outcomes()
				}
				if w.parked() != 0 {
					t.Fatal("it is still parked")
				}
				if len(*told) > 1 || len(*told) == 1 && (*told)[0] != "SENT " {
					t.Errorf("told was %q", *told)
				}
				for range 2 {
					r, err := by.Find(w.t.Context(), id.OperationID(op.Id))
					if err != nil || r.Outcome != journalv1.Outcome_OUTCOME_SENT || len(r.Receipts) != 1 || r.Receipts[0].Id != "late" || r.Reason != "" {
						t.Errorf("it became %+v, %v", r, err)
					}
					if _, err := by.PutBack(w.t.Context(), id.OperationID(op.Id)); !errors.Is(err, accept.ErrSent) {
						t.Errorf("putting it back: %v", err)
					}
					if err := by.Drop(w.t.Context(), id.OperationID(op.Id)); !errors.Is(err, accept.ErrSent) {
						t.Errorf("dropping it: %v", err)
					}
					for _, own := range []*plugv1.Event{echo(op, "late"), {MessageId: "late", Own: plugv1.Own_OWN_YES}} {
						o, err := w.stage.Origin(w.t.Context(), here, own)
						if err != nil || o == nil || string(o.Operation) != op.Id || !o.Primary || o.Source == nil || o.Source.ID != "m" {
							t.Errorf("the origin of %v is %+v, %v", own, o, err)
						}
					}
					w.accept(edit("m", "ann", "two"))
					w.want("edit late two")
					w.restart()
					w.up()
					_, by = w.outcomes()
				}
				answer := reply("n", "m", "yes")
				w.accept(answer, remove("m"))
				w.want("say yes to late", "delete late")
			})
		})
	}
}

// O1: whoever waits for the outcome, or is told of it, is told before the echo is yielded.
func TestLateWordIsToldBeforeTheEcho(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		op := say("m", "ann", "one")
		w.park(op)
		told, _ := w.outcomes()
		w.store.Delay = func(storage.Entry) time.Duration { return 3 * time.Second }
		e := echo(op, "late")
		for range 3 { // hooks and subscribers
			if _, err := w.stage.Origin(w.t.Context(), here, e); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(*told, []string{"SENT "}) {
				t.Fatalf("told was %q when the echo was yielded", *told)
			}
		}
	})
}

// D4: the other acts as well: what they did is known, and what follows builds on it.
func TestLateWordOfActs(t *testing.T) {
	for name, c := range map[string]struct {
		op   *journalv1.Operation
		then *journalv1.Operation
		want []string
	}{
		"edit":     {edit("m", "ann", "two"), edit("m", "ann", "three"), []string{"edit 1 three"}},
		"delete":   {remove("m"), remove("m"), nil},
		"reaction": {react("m", "bo", "👍", true), react("m", "bo", "👍", false), []string{"remove 👍 from 1 of  by r1"}},
		"fallback": {reply("r", "x", "yes"), edit("r", "bo", "no"), []string{"edit 1 no"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(w *world) {
				w.up()
				w.accept(say("m", "ann", "one"))
				w.want("say one")
				w.park(c.op)
				w.hears(echo(c.op, "1"))
				w.want()
				if w.parked() != 0 {
					t.Fatal("it is still parked")
				}
				w.accept(c.then)
				w.want(c.want...)
			})
		})
	}
}

// What was asked for is told of where its fallback was carried out, parked, and found.
func TestLateWordOfAFallback(t *testing.T) {
	for _, restart := range []bool{false, true} {
		inBubble(t, can(plugv1.ActionKind_ACTION_KIND_DELETE), func(w *world) { // no edits
			w.up()
			w.accept(say("m", "ann", "one"))
			w.want("say one")
			op := edit("m", "ann", "two")
			w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse { return fails(plugv1.Verdict_VERDICT_UNCERTAIN) }
			w.accept(op)
			time.Sleep(5 * time.Minute)
			w.want("say (edited) two", "say (edited) two")
			w.plug.OnPut = nil
			if restart {
				w.restart()
				w.up()
			}
			synctest.Wait()
			_, by := w.outcomes()
			instead := say("m", "ann", "(edited) two")
			instead.Id = string(journal.FallbackID(id.OperationID(op.Id)))
			w.hears(echo(instead, "late"))
			w.want()
			for _, name := range []string{op.Id, instead.Id} {
				if r, err := by.Find(w.t.Context(), id.OperationID(name)); err != nil || string(r.ID) != op.Id || r.Outcome != journalv1.Outcome_OUTCOME_SENT || len(r.Receipts) != 1 {
					t.Errorf("restart %v: %s became %+v, %v", restart, name, r, err)
				}
			}
			w.accept(remove("m"))
			w.want("delete 1,late")
		})
	}
}

// Contract, "Settling by echo": nobody else's word settles what is parked.
func TestLateWordOfOthers(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		op := say("m", "ann", "one")
		w.park(op)
		for _, own := range []plugv1.Own{plugv1.Own_OWN_NO, plugv1.Own_OWN_UNKNOWN} {
			e := echo(op, "late")
			e.Own = own
			w.hears(e)
		}
		w.stage.Appended(there, 1, echo(op, "late"))
		w.stage.Outcome(there.Network, &plugv1.PutOutcome{OperationId: op.Id, Attempt: 1, Response: &plugv1.PutResponse{Receipts: []*plugv1.Receipt{{Id: "late"}}}})
		for _, nothing := range []*plugv1.PutResponse{nil, {}, fails(plugv1.Verdict_VERDICT_UNCERTAIN), fails(plugv1.Verdict_VERDICT_NOT_SENT)} {
			w.stage.Outcome(here.Network, &plugv1.PutOutcome{OperationId: op.Id, Attempt: 2, Response: nothing})
		}
		unknown := echo(op, "late")
		unknown.OperationId = "0123456789abcdefghij"
		w.hears(unknown)
		w.want()
		if w.parked() != 1 {
			t.Error("it is not parked any more")
		}
	})
}

// D3: a crash between the record that it is parked and the one that it is settled: what is
// told in between settles it all the same, and that is what is told last.
func TestLateWordBeforeItIsSettledAsParked(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		op := say("m", "ann", "one")
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if r.Attempt == 2 {
				w.refuses.Store(new("put."))
			}
			return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
		}
		w.accept(op)
		time.Sleep(5 * time.Minute)
		w.want("say one", "say one")
		w.hears(echo(op, "late"))
		synctest.Wait()
		w.refuses.Store(nil)
		var told []string
		w.settled = func(_ id.Channel, _ id.OperationID, _ *journalv1.Operation, s *journalv1.Settled, _ string) {
			told = append(told, s.Outcome.String())
		}
		w.restart()
		w.up()
		w.want()
		if !slices.Equal(told, []string{"OUTCOME_SENT"}) {
			t.Errorf("told was %q", told)
		}
		if r, err := accept.New(w.journal).Find(w.t.Context(), id.OperationID(op.Id)); err != nil || r.Outcome != journalv1.Outcome_OUTCOME_SENT || len(r.Receipts) != 1 {
			t.Errorf("it became %+v, %v", r, err)
		}
		if w.parked() != 0 {
			t.Error("it is still parked")
		}
	})
}

// D3: what is told while the record is written that it is parked is not lost.
func TestLateWordWhileItIsParked(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		op := say("m", "ann", "one")
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse { return fails(plugv1.Verdict_VERDICT_UNCERTAIN) }
		var parks atomic.Bool
		w.store.Delay = func(e storage.Entry) time.Duration {
			if !strings.HasPrefix(e.Subject, "parked.") || parks.Swap(true) {
				return 0
			}
			time.AfterFunc(time.Second, func() { w.hears(echo(op, "late")) })
			return 2 * time.Second
		}
		w.accept(op)
		time.Sleep(5 * time.Minute)
		w.want("say one", "say one")
		if w.parked() != 0 {
			t.Error("it is still parked")
		}
	})
}
