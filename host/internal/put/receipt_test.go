package put_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// puts are the records of how far the puts of channel here have come.
func (w *world) puts() (records []*journalv1.PutRecord) {
	w.t.Helper()
	for from := id.Sequence(1); ; {
		r, err := w.store.Next(w.t.Context(), "put.>", from)
		if err == storage.ErrNotFound {
			return records
		}
		if err != nil {
			w.t.Fatal(err)
		}
		record := &journalv1.PutRecord{}
		if err := proto.Unmarshal(r.Data, record); err != nil {
			w.t.Fatal(err)
		}
		records, from = append(records, record), r.Sequence+1
	}
}

// A receipt and the attempt that follows at once are one record.
func TestReceiptAndNextAttempt(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		w.together(say("1", "ann", "one"), say("2", "ann", "two"), say("3", "ann", "three"))
		w.want("say one", "say two", "say three")
		records := w.puts()
		if len(records) != 4 {
			t.Fatalf("%d records for three messages, want 4", len(records))
		}
		for i, r := range records {
			if settled, attempt := i > 0, i < 3; (r.Settled != nil) != settled || (r.Attempt != nil) != attempt {
				t.Errorf("record %d is %v", i, r)
			}
			if s := r.Settled; s != nil && s.Receipts[0].Id != []string{"", "1", "2", "3"}[i] {
				t.Errorf("record %d has the receipt of %s", i, s.Receipts[0].Id)
			}
		}
	})
}

// O1, O7: a receipt doesn't wait for the next operation, whatever that one waits for.
func TestReceiptWaitsForNoOther(t *testing.T) {
	for what, hinder := range map[string]func(w *world){
		"the plug": (*world).down,
		"the channel": func(w *world) {
			w.stage.Appended(here, 1, &plugv1.Event{Channel: string(here.Source), Kind: &plugv1.Event_ChannelStateChanged{
				ChannelStateChanged: &plugv1.ChannelStateChanged{State: plugv1.ChannelState_CHANNEL_STATE_PENDING}}})
		},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, nil, func(w *world) {
				w.plug.OnPut = func(*plugv1.PutRequest) *plugv1.PutResponse { hinder(w); return nil }
				w.up()
				w.together(say("1", "ann", "one"), say("2", "ann", "two"))
				w.want("say one")
				records := w.puts()
				if last := records[len(records)-1]; len(last.GetSettled().GetReceipts()) != 1 || last.Attempt != nil {
					t.Errorf("while the next operation waits, the journal has %v", last)
				}
				if _, err := w.journal.CopyOf(t.Context(), id.Message{Channel: here, ID: "1"}); err != nil {
					t.Errorf("while the next operation waits, the message map: %v", err)
				}
			})
		})
	}
}

// What needs the map finds there what was sent just before.
func TestReceiptBeforeWhatNeedsIt(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.slow.Store(true)
		w.up()
		w.together(say("1", "ann", "one"), reply("2", "1", "two"))
		w.want("say one", "say two to 1")
		var thread string
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if shown(r.Action.GetMessage()) == "three" {
				thread = ids(r.Action.Thread)
			}
			return nil
		}
		inThread := say("3", "ann", "three")
		inThread.Thread = key("4")
		w.together(say("4", "ann", "four"), inThread, react("3", "ann", "👍", true))
		w.want("say four", "say three", "add 👍 to 4 of 👍")
		if thread != "3" {
			t.Errorf("three is in the thread of %q, want that of message 3", thread)
		}
	})
}
