package put_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/put"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// migrates has the channel here go on as another, as the intake does.
func (w *world) migrates(to string) {
	w.t.Helper()
	if err := w.moves.Moved(w.t.Context(), here, id.ChannelSource(to)); err != nil {
		w.t.Fatal(err)
	}
	w.stage.Appended(here, 1, &plugv1.Event{Channel: string(here.Source), Kind: &plugv1.Event_ChannelMigrated{ChannelMigrated: &plugv1.ChannelMigrated{To: to}}})
}

// What waits when a channel migrates is asked for under its new source; what an echo
// tells of it there is edited there, also after a restart, and what was said before is
// edited where it was said; neither waits for the state of the old one.
func TestQueueFollowsAMigration(t *testing.T) {
	echoes := func(l *put.Live) {
		l.Abilities.Echo = plugv1.Echo_ECHO_OPERATION_ID
		l.Channels = []*plugv1.ChannelStatus{{Source: string(here.Source), State: plugv1.ChannelState_CHANNEL_STATE_READ_ONLY}}
	}
	inBubble(t, echoes, func(w *world) {
		var asked, targets []string
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			asked = append(asked, r.Channel)
			if e := r.Action.GetEdit(); e != nil {
				targets = append(targets, e.Target.Receipts[0].Channel)
				return nil
			}
			if r.Channel == string(here.Source) {
				return nil
			}
			w.stage.Appended(here, 2, &plugv1.Event{Channel: r.Channel, MessageId: "1", OperationId: r.OperationId, Own: plugv1.Own_OWN_YES,
				Time: timestamppb.Now(), Kind: &plugv1.Event_Message{Message: &plugv1.Message{}}})
			return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
		}
		live := w.live
		w.live.Channels = nil
		w.up()
		w.accept(say("m", "ann", "before"))
		w.want("say before")
		w.down()
		w.live = live
		w.up() // the plug finds that it can only be read
		w.accept(say("n", "ann", "after"))
		w.want()
		w.migrates("d")
		w.want("say after")
		w.stage.Appended(here, 3, &plugv1.Event{Channel: string(here.Source), Kind: &plugv1.Event_ChannelStateChanged{
			ChannelStateChanged: &plugv1.ChannelStateChanged{State: plugv1.ChannelState_CHANNEL_STATE_NOT_FOUND}}})
		w.accept(say("o", "ann", "later"))
		w.want("say later")
		w.restart()
		w.up() // it is asked for the old one again, and that doesn't count
		w.accept(edit("m", "ann", "x"), edit("n", "ann", "y"))
		w.want("edit 1 x", "edit 1 y")
		if want := []string{"c", "d", "d", "d", "d"}; !slices.Equal(asked, want) {
			t.Errorf("asked for %q, want %q", asked, want)
		}
		if want := []string{"c", "d"}; !slices.Equal(targets, want) {
			t.Errorf("edited in %q, want %q", targets, want)
		}
	})
}

// An operation that is uncertain when its channel migrates is looked up where it was
// asked for and where the channel is now, also after a restart.
func TestHistoryFollowsAMigration(t *testing.T) {
	for _, restart := range []bool{false, true} {
		lookedUp(t, func(w *world, h *fakeHistory) {
			w.plug.OnPut = func(*plugv1.PutRequest) *plugv1.PutResponse { return fails(plugv1.Verdict_VERDICT_UNCERTAIN) }
			w.migrates("d")
			w.accept(say("m", "ann", "one"))
			w.want("say one")
			w.migrates("e")
			if restart {
				w.restart()
				w.up()
				w.stage.StreamOpened(here.Network)
			}
			h.forget()
			time.Sleep(46 * time.Second)
			synctest.Wait()
			if len(h.in) < 2 || h.in[0] != "d" || h.in[1] != "e" {
				t.Errorf("restart %v: looked up in %q, want d and e", restart, h.in)
			}
		})
	}
}

// What the plug tells late of a Put is of the source where that was asked for, though its
// receipt doesn't name it: it is edited there, also if it was parked, and if the channel has
// gone on meanwhile.
func TestLateWordFollowsAMigration(t *testing.T) {
	for _, parked := range []bool{false, true} {
		inBubble(t, nil, func(w *world) {
			w.up()
			w.migrates("d")
			op := say("m", "ann", "one")
			if parked {
				w.park(op)
			} else {
				w.plug.OnPut = func(*plugv1.PutRequest) *plugv1.PutResponse { return fails(plugv1.Verdict_VERDICT_UNCERTAIN) }
				w.accept(op)
				w.want("say one")
			}
			w.migrates("e")
			edited := ""
			w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
				edited = r.Action.GetEdit().GetTarget().GetReceipts()[0].Channel
				return nil
			}
			w.stage.Outcome(here.Network, &plugv1.PutOutcome{OperationId: op.Id, Attempt: 1, Response: &plugv1.PutResponse{Receipts: []*plugv1.Receipt{{Id: "7"}}}})
			synctest.Wait()
			w.accept(edit("m", "ann", "two"))
			w.want("edit 7 two")
			if edited != "d" {
				t.Errorf("parked %v: edited in %q, want d", parked, edited)
			}
		})
	}
}

// A part that was sent before its channel migrated stands where it was sent: the plug is
// told so with the attempt that completes it.
func TestSentPartsFollowAMigration(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		var sent []*plugv1.SentPart
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if sent = r.Sent; r.Attempt > 1 {
				return nil
			}
			return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
		}
		w.up()
		w.stage.StreamOpened(here.Network)
		op := say("m", "ann", "one")
		w.accept(op)
		w.want("say one")
		first := echo(op, "7")
		first.OperationId += "-1"
		w.stage.Appended(here, 1, first)
		w.migrates("d")
		time.Sleep(time.Minute)
		w.want("say one")
		if len(sent) != 1 || sent[0].Receipt.Channel != string(here.Source) {
			t.Errorf("sent are %v, want one part in %s", sent, here.Source)
		}
	})
}

// A receipt without a channel landed in the one asked for, and an echo's names its own: an
// edit finds each message where it is, before and after a migration, and its answer leaves
// it there; also over a restart.
func TestReceiptsWithoutAChannel(t *testing.T) {
	for _, by := range []string{"answer", "echo", "outcome"} {
		inBubble(t, func(l *put.Live) { l.Abilities.Echo = plugv1.Echo_ECHO_OPERATION_ID }, func(w *world) {
			var targets []string
			w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
				if e := r.Action.GetEdit(); e != nil {
					target := e.Target.Receipts[0]
					targets = append(targets, r.Channel+": "+target.Channel+" "+target.Id)
					return &plugv1.PutResponse{Receipts: []*plugv1.Receipt{{Id: target.Id}}}
				}
				said := &plugv1.PutResponse{Receipts: []*plugv1.Receipt{{Id: "1"}}} // ids begin anew
				switch by {
				case "answer":
					return said
				case "echo":
					w.stage.Appended(here, 2, &plugv1.Event{Channel: r.Channel, MessageId: "1", OperationId: r.OperationId, Own: plugv1.Own_OWN_YES,
						Kind: &plugv1.Event_Message{Message: &plugv1.Message{}}})
				default:
					w.stage.Outcome(here.Network, &plugv1.PutOutcome{OperationId: r.OperationId, Attempt: r.Attempt, Response: said})
				}
				return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
			}
			w.up()
			w.accept(say("m", "ann", "one"))
			w.want("say one")
			w.migrates("d")
			w.accept(say("n", "ann", "two"))
			w.want("say two")
			for range 2 {
				w.accept(edit("m", "ann", "x"), edit("n", "ann", "y"))
				w.want("edit 1 x", "edit 1 y")
				w.restart()
				w.up()
			}
			if want := []string{"d: c 1", "d: d 1", "d: c 1", "d: d 1"}; !slices.Equal(targets, want) {
				t.Errorf("told by %s: edited %q, want %q", by, targets, want)
			}
		})
	}
}
