package put_test

import (
	"errors"
	"fmt"
	"strings"
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

// outcomes lists what Settled was told.
func (w *world) outcomes() (told *[]string, by *accept.Stage) {
	told, by = &[]string{}, accept.New(w.journal)
	w.stage.Settled = func(c id.Channel, asked id.OperationID, op *journalv1.Operation, s *journalv1.Settled, reason string) {
		r := by.Settled(c, asked, op, s, reason)
		*told = append(*told, fmt.Sprint(strings.TrimPrefix(r.Outcome.String(), "OUTCOME_"), " ", reason))
	}
	return told, by
}

// An expiry ends the wait at its time, be the plug down or slow, and not once something
// may have been sent.
func TestExpiryEndsTheWait(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		told, _ := w.outcomes()
		op := say("m", "ann", "down")
		op.Expiry = timestamppb.New(time.Now().Add(10 * time.Second))
		w.accept(op, say("n", "ann", "next"))
		time.Sleep(9 * time.Second)
		w.want() // and a second
		if got := strings.Join(*told, "|"); !strings.HasPrefix(got, "DROPPED given up: it was to be sent by ") {
			w.t.Errorf("told %s", got)
		}
		w.up()
		w.want("say next")

		w.plug.OnPut = func(*plugv1.PutRequest) *plugv1.PutResponse {
			return &plugv1.PutResponse{Failure: &plugv1.PutFailure{Verdict: plugv1.Verdict_VERDICT_NOT_SENT}}
		}
		op = say("o", "ann", "refuses")
		op.Expiry = timestamppb.New(time.Now().Add(100 * time.Millisecond)) // within the back-off
		w.accept(op)
		w.want("say refuses")
		w.plug.OnPut = func(*plugv1.PutRequest) *plugv1.PutResponse {
			w.plug.OnPut = nil
			return &plugv1.PutResponse{Failure: &plugv1.PutFailure{Verdict: plugv1.Verdict_VERDICT_UNCERTAIN}}
		}
		op = say("p", "ann", "perhaps")
		op.Expiry = timestamppb.New(time.Now().Add(100 * time.Millisecond))
		w.accept(op)
		time.Sleep(time.Minute)
		w.want("say perhaps", "say perhaps")
		if n := len(*told); n != 4 || !strings.HasPrefix((*told)[2], "DROPPED") || (*told)[3] != "SENT " {
			w.t.Errorf("told %q", *told)
		}
	})
}

// Who waits for an operation is told when its fallback is carried out in its place, and
// it is found by both ids, also after a restart.
func TestOutcomeOfFallback(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		_, by := w.outcomes()
		op := edit("never sent", "ann", "new")
		w.accept(op)
		w.up()
		asked := id.OperationID(op.Id)
		r, err := by.Wait(w.t.Context(), asked)
		if err != nil || r.ID != asked || r.CarriedOut != journal.FallbackID(asked) || r.Outcome != journalv1.Outcome_OUTCOME_SENT || len(r.Receipts) != 1 {
			w.t.Errorf("it became %+v, %v", r, err)
		}
		w.want("say (edited) new")
		for _, fresh := range []bool{false, true} {
			if fresh {
				w.restart()
				_, by = w.outcomes()
			}
			for _, name := range []id.OperationID{asked, journal.FallbackID(asked)} {
				if r, err := by.Find(w.t.Context(), name); err != nil || r.ID != asked || r.Outcome != journalv1.Outcome_OUTCOME_SENT || len(r.Receipts) != 1 {
					w.t.Errorf("%s became %+v, %v", name, r, err)
				}
			}
		}
		if _, err := by.Wait(w.t.Context(), "0000000000001abcdefg"); !errors.Is(err, storage.ErrNotFound) {
			w.t.Errorf("an operation that nobody accepted: %v", err)
		}
	})
}
