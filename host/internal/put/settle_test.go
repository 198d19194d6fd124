package put_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/put"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// O5: the clock of an uncertain operation runs out while another Put has the only slot,
// and then the plug is restarted: its new process may still have the echo to tell, so
// the clock runs anew.
func TestNewProcessMayStillTell(t *testing.T) {
	resumable := func(l *put.Live) {
		l.Abilities.Echo, l.Abilities.Resumable = plugv1.Echo_ECHO_OPERATION_ID, true
		l.Abilities.IdempotentPut = &plugv1.IdempotentPut{Window: durationpb.New(time.Hour)}
	}
	inBubble(t, resumable, func(w *world) {
		other := id.Channel{Network: here.Network, Source: "other"}
		ends := make(chan struct{})
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if r.Channel == string(other.Source) {
				<-ends
				return fails(plugv1.Verdict_VERDICT_REFUSED)
			}
			if r.Attempt == 1 {
				return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
			}
			return nil
		}
		attached := func() {
			w.up()
			w.stage.StreamOpened(here.Network)
			w.stage.CaughtUp(here.Network, "")
		}
		attached()
		w.accept(say("m", "ann", "one"))
		w.want("say one")
		w.acceptIn(other, say("n", "ann", "long"))
		w.want("say long")
		time.Sleep(time.Minute) // the clock has run out, and there is no slot
		w.want()
		w.down()
		close(ends)
		attached()
		time.Sleep(put.SettleTimeout - 2*time.Second)
		w.want()
		time.Sleep(5 * time.Second)
		w.want("say one")
	})
}

// O5: that one attempt was sent settles the operation, whatever the plug says of another at
// the same time.
func TestOutcomesOfSeveralAttempts(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if r.Attempt == 2 {
				for attempt, said := range []*plugv1.PutResponse{{Receipts: []*plugv1.Receipt{{Id: "1"}}}, fails(plugv1.Verdict_VERDICT_UNCERTAIN)} {
					w.stage.Outcome(here.Network, &plugv1.PutOutcome{OperationId: r.OperationId, Attempt: uint32(attempt + 1), Response: said})
				}
			}
			return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
		}
		w.accept(say("m", "ann", "one"))
		time.Sleep(5 * time.Minute)
		w.want("say one", "say one")
		if w.parked() != 0 {
			t.Error("it is parked, though its first attempt was sent")
		}
	})
}
