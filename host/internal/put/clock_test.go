package put_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/put"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// O5: a clock that was set while the host was down changes nothing about what is
// uncertain: what the next attempt waits for is the new process's stream and
// settle_timeout, whatever times the last attempt's record has.
func TestClockJump(t *testing.T) {
	resumable := func(l *put.Live) {
		l.Abilities.Echo, l.Abilities.Resumable = plugv1.Echo_ECHO_OPERATION_ID, true
		l.Abilities.IdempotentPut = &plugv1.IdempotentPut{Window: durationpb.New(time.Hour)}
	}
	for name, jump := range map[string]time.Duration{"back": 24 * time.Hour, "ahead": -24 * time.Hour, "none": 0} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, resumable, func(w *world) {
				attached := func() {
					w.up()
					w.stage.StreamOpened(here.Network)
					w.stage.CaughtUp(here.Network, "")
				}
				attached()
				hangs := make(chan struct{})
				w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
					if r.Attempt == 1 {
						<-hangs // it was under way when the host died
					}
					return nil
				}
				w.accept(say("m", "ann", "one"))
				w.want("say one")
				w.store = w.store.Restart()
				close(hangs)
				w.stop()
				w.shift(jump)
				w.start()
				attached()
				time.Sleep(put.SettleTimeout - 2*time.Second)
				w.want()
				time.Sleep(2 * time.Second)
				w.want("say one")
			})
		})
	}
}

// shift makes the times of the last attempt's record those of a clock that was ahead.
func (w *world) shift(ahead time.Duration) {
	w.t.Helper()
	_, puts, err := w.open().OperationLanes(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	record := puts[here]
	for _, at := range []*timestamppb.Timestamp{record.Attempt.Deadline, record.Attempt.FirstTime} {
		at.Seconds += int64(ahead / time.Second)
	}
	if err := w.open().SavePut(w.t.Context(), here, record); err != nil {
		w.t.Fatal(err)
	}
}

// open opens the journal for the test itself.
func (w *world) open() *journal.Journal {
	w.t.Helper()
	j, err := journal.Open(w.t.Context(), w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}
