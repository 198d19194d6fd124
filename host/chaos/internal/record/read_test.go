package record

import (
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Everything about an operation is read: its place, attempts, end and why it is parked,
// and the event that caused it.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	store, err := storage.OpenJetStream(t.Context(), storage.Options{Dir: filepath.Join(dir, "journal")})
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	from, to := id.Channel{Network: "net:a", Source: "c"}, id.Channel{Network: "net:b", Source: "d"}
	must(j.BindInstance(t.Context(), "a", &journalv1.InstanceRecord{NetworkId: "net:a"}))
	must(j.BindInstance(t.Context(), "b", &journalv1.InstanceRecord{NetworkId: "net:b"}))
	content := &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: "m00001.0 "}, {Text: "hi"}}}}
	_, err = j.AppendEvents(t.Context(), []journal.Run{{Channel: from, Record: &journalv1.EventsRecord{
		Events: []*plugv1.Event{{EventId: "e", MessageId: "m", Channel: "c", Own: plugv1.Own_OWN_NO, Kind: &plugv1.Event_Message{Message: content}}}, Withheld: []uint32{0},
	}}})
	must(err)
	_, err = j.AppendEvents(t.Context(), []journal.Run{{Channel: from, Record: &journalv1.EventsRecord{Events: []*plugv1.Event{
		{EventId: "f", Channel: "c", Own: plugv1.Own_OWN_NO, Kind: &plugv1.Event_ChannelMigrated{ChannelMigrated: &plugv1.ChannelMigrated{To: "c2"}}},
		{EventId: "e", MessageId: "m", Channel: "c2", Own: plugv1.Own_OWN_NO, Kind: &plugv1.Event_Message{Message: content}},
	}}}})
	must(err)
	op := &journalv1.Operation{Id: "0123456789abcdefghij", Hook: "h", Source: &journalv1.MessageKey{NetworkId: "net:a", Channel: "c", Id: "m"},
		Action: &plugv1.Action{Kind: &plugv1.Action_Message{Message: content}}, AcceptedTime: timestamppb.Now()}
	must(j.Accept(t.Context(), []journal.Accepted{{Channel: to, Operations: []*journalv1.Operation{op}}}))
	end, err := j.End(t.Context())
	must(err)
	position := &journalv1.Position{Sequence: uint64(end)}
	attempt := &journalv1.Attempt{Position: position, OperationId: op.Id, Number: 1, Uncertain: 1, Deadline: timestamppb.Now()}
	must(j.SavePut(t.Context(), to, &journalv1.PutRecord{Attempt: attempt}))
	again := proto.CloneOf(attempt)
	again.Number, again.Channel = 2, "d2"
	must(j.SavePut(t.Context(), to, &journalv1.PutRecord{Attempt: again}))
	must(j.Park(t.Context(), to, &journalv1.ParkedRecord{Operation: op, Verdict: plugv1.Verdict_VERDICT_UNCERTAIN, Reason: "why"}))
	must(j.SavePut(t.Context(), to, &journalv1.PutRecord{Settled: &journalv1.Settled{Position: position, OperationId: op.Id,
		Outcome: journalv1.Outcome_OUTCOME_PARKED, By: journalv1.SettledBy_SETTLED_BY_HOST}}))
	must(j.Close())

	r, err := Read(t.Context(), dir, []string{"a", "b"}, func(shown, _ time.Time) time.Time { return shown })
	must(err)
	if len(r.Events) != 3 || len(r.Operations) != 1 {
		t.Fatalf("%d events and %d operations", len(r.Events), len(r.Operations))
	}
	a, b := ledger.Member{Plug: "a", Source: "c"}, ledger.Member{Plug: "b", Source: "d"}
	if e := r.Events[0]; e.Member != a || e.ID != "e" || e.MessageID != "m" || e.Kind != ledger.Said || e.Text != "m00001.0 hi" || !e.Withheld {
		t.Errorf("event %+v", e)
	}
	if e := r.Events[1]; e.Member != a || e.Kind != ledger.Moved || e.Text != "c2" {
		t.Errorf("migration %+v", e)
	}
	if e := r.Events[2]; e.Source != "c2" || e.Kind != ledger.Said {
		t.Errorf("event after it %+v", e)
	}
	o := r.Operations[0]
	if o.Member != b || o.About != a || o.AboutID != "m" || o.Kind != ledger.Said || o.Accepted != 1 || r.ByID[o.Fallback] != o {
		t.Errorf("operation %+v", o)
	}
	if len(o.Attempts) != 2 || o.Attempts[0].Source != "d" || o.Attempts[1].Source != "d2" || o.Uncertain() != 1 || o.Outcome() != journalv1.Outcome_OUTCOME_PARKED || o.Parked == nil || o.Parked.Reason != "why" {
		t.Errorf("its end: %+v, %+v, %+v", o.Attempts, o.Settled, o.Parked)
	}
}
