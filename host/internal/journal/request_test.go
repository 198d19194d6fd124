package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// onBoth runs a test over a journal in either store.
func onBoth(t *testing.T, test func(t *testing.T, j *journal.Journal)) {
	stores := map[string]func(t *testing.T) storage.Store{
		"JetStream": func(t *testing.T) storage.Store { return openJetStream(t, storage.Options{Dir: t.TempDir()}) },
		"Memory":    func(*testing.T) storage.Store { return storage.NewMemory() },
	}
	for kind, open := range stores {
		t.Run(kind, func(t *testing.T) {
			s := open(t)
			defer func() { check(t, s.Close()) }()
			j, err := journal.Open(t.Context(), s)
			check(t, err)
			test(t, j)
		})
	}
}

var dev = id.Channel{Network: "irc:alice", Source: "#dev"}

func accept(t *testing.T, j *journal.Journal, c id.Channel, at time.Time, ids ...id.OperationID) {
	t.Helper()
	a := journal.Accepted{Channel: c}
	for _, name := range ids {
		a.Operations = append(a.Operations, &journalv1.Operation{Id: string(name), Hook: "api", AcceptedTime: timestamppb.New(at)})
	}
	check(t, j.Accept(t.Context(), []journal.Accepted{a}))
}

// Decision 5: a request's id makes the operation's, whose form is that of any other,
// and the same request is known again, whenever a crash came.
func TestRequests(t *testing.T) {
	onBoth(t, func(t *testing.T, j *journal.Journal) {
		ctx := t.Context()
		op := j.RequestID("api:bot", dev, "1")
		if len(op) != 20 || op != j.RequestID("api:bot", dev, "1") {
			t.Errorf("operation %q", op)
		}
		for _, other := range []id.OperationID{
			j.RequestID("api:other", dev, "1"), j.RequestID("api:bot", dev, "2"),
			j.RequestID("api:bot", id.Channel{Network: dev.Network, Source: "#de"}, "v1"),
		} {
			if other == op {
				t.Errorf("two requests have operation %s", op)
			}
		}
		if from, ok := journal.Cause(op); !ok || from != 0 {
			t.Errorf("its cause is %d, %v", from, ok)
		}
		if _, err := j.Find(ctx, op); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("found before it was there: %v", err)
		}
		for i, want := range []bool{false, false, true, true} { // a crash between the calls, before and behind Accept
			accepted, err := j.BeginRequest(ctx, op, dev)
			if err != nil || accepted != want {
				t.Errorf("begin %d: %v, %v", i, accepted, err)
			}
			if i == 1 {
				accept(t, j, dev, time.Now(), op)
			}
			if i == 2 {
				check(t, j.EndRequest(ctx, op))
			}
		}
		p, err := j.Find(ctx, op)
		if err != nil || p.Channel != dev || p.Operation.Id != string(op) || p.Settled != nil {
			t.Errorf("found %+v, %v", p, err)
		}
	})
}

// place is where an operation was accepted.
func place(t *testing.T, j *journal.Journal, c id.Channel, op id.OperationID) *journalv1.Position {
	t.Helper()
	lanes, _, err := j.OperationLanes(t.Context())
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var found *journalv1.Position
	_ = lanes.Run(ctx, func(_ context.Context, of id.Channel, records []storage.Record) {
		for _, r := range records {
			record, err := journal.OperationsOf(r)
			check(t, err)
			if i := slices.IndexFunc(record.Operations, func(o *journalv1.Operation) bool { return o.Id == string(op) }); i >= 0 && of == c {
				found = &journalv1.Position{Sequence: uint64(r.Sequence), Index: uint32(i)}
				cancel()
			}
		}
	})
	return found
}

// What waits and since when, and what is parked; and what became of each.
func TestQueuesAndOutcomes(t *testing.T) {
	onBoth(t, func(t *testing.T, j *journal.Journal) {
		ctx := t.Context()
		end, err := j.End(ctx)
		check(t, err)
		var ops []id.OperationID
		for i := range 4 {
			ops = append(ops, j.OperationID(end, 63, "api", dev, i))
		}
		at := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
		accept(t, j, dev, at, ops[0], ops[1])
		accept(t, j, dev, at.Add(time.Minute), ops[2], ops[3])
		quiet := id.Channel{Network: "irc:alice", Source: "#quiet"}
		accept(t, j, quiet, at, "0000000000000abcdefg")
		check(t, j.SavePut(ctx, quiet, &journalv1.PutRecord{Settled: &journalv1.Settled{Position: place(t, j, quiet, "0000000000000abcdefg")}}))

		queues, err := j.Queues(ctx)
		check(t, err)
		if want := (journal.Queue{Channel: dev, Waiting: 4, Since: at}); len(queues) != 1 || queues[0] != want {
			t.Errorf("queues %+v, want %+v", queues, want)
		}
		check(t, j.SavePut(ctx, dev, &journalv1.PutRecord{Settled: &journalv1.Settled{
			Position: place(t, j, dev, ops[0]), OperationId: string(ops[0]), Outcome: journalv1.Outcome_OUTCOME_SENT,
			Receipts: []*plugv1.Receipt{{Id: "m1"}},
		}}))
		parkedAt := time.Now().Truncate(time.Second).UTC()
		check(t, j.Park(ctx, dev, &journalv1.ParkedRecord{Operation: &journalv1.Operation{Id: string(ops[1])}, Reason: "no", Time: timestamppb.New(parkedAt)}))
		check(t, j.SavePut(ctx, dev, &journalv1.PutRecord{Settled: &journalv1.Settled{
			Position: place(t, j, dev, ops[1]), OperationId: string(ops[1]), Outcome: journalv1.Outcome_OUTCOME_PARKED,
		}}))
		check(t, j.SavePut(ctx, dev, &journalv1.PutRecord{
			Settled: &journalv1.Settled{Position: place(t, j, dev, ops[1]), OperationId: string(ops[1]), Outcome: journalv1.Outcome_OUTCOME_PARKED},
			Attempt: &journalv1.Attempt{OperationId: string(ops[2]), Number: 3, Uncertain: 1},
		}))
		queues, err = j.Queues(ctx)
		check(t, err)
		want := journal.Queue{Channel: dev, Waiting: 2, Since: at.Add(time.Minute), Attempts: 3, Uncertain: true, Parked: 1, ParkedSince: parkedAt}
		if len(queues) != 1 || queues[0] != want {
			t.Errorf("queues %+v, want %+v", queues, want)
		}
		var got []string
		for _, op := range ops {
			p, err := j.Find(ctx, op)
			if err != nil {
				t.Fatalf("%s: %v", op, err)
			}
			got = append(got, fmt.Sprint(p.Settled.GetOutcome(), " ", len(p.Settled.GetReceipts()), " ", p.Parked.GetReason(), " ", p.Attempts))
		}
		if want := []string{"OUTCOME_SENT 1  0", "OUTCOME_PARKED 0 no 0", "OUTCOME_UNSPECIFIED 0  3", "OUTCOME_UNSPECIFIED 0  0"}; !slices.Equal(got, want) {
			t.Errorf("outcomes %q, want %q", got, want)
		}
	})
}

// A subscription's place is kept until it is forgotten; then it begins anew.
func TestRegistrations(t *testing.T) {
	onBoth(t, func(t *testing.T, j *journal.Journal) {
		ctx := t.Context()
		touch := func(want bool) {
			t.Helper()
			if known, err := j.Touch(ctx, "api:bot"); err != nil || known != want {
				t.Errorf("touch: %v, %v", known, err)
			}
		}
		say := func(event string) {
			t.Helper()
			_, err := j.AppendEvents(ctx, []journal.Run{{Channel: dev, Record: &journalv1.EventsRecord{Events: []*plugv1.Event{{EventId: event}}}}})
			check(t, err)
		}
		first := func(want string) {
			t.Helper()
			lanes, err := j.EventLanes(ctx, "api:bot")
			check(t, err)
			running, cancel := context.WithCancel(ctx)
			_ = lanes.Run(running, func(_ context.Context, _ id.Channel, records []storage.Record) {
				record, err := journal.EventsOf(records[0])
				check(t, err)
				if running.Err() == nil && record.Events[0].EventId != want {
					t.Errorf("the first event is %q, want %q", record.Events[0].EventId, want)
				}
				cancel()
			})
		}
		say("before")
		touch(false)
		say("one")
		touch(true)
		first("one")
		all, err := j.Registrations(ctx, "api:")
		if err != nil || len(all) != 1 || all[0].Hook != "api:bot" {
			t.Errorf("registrations %+v, %v", all, err)
		}
		check(t, j.Forget(ctx, "api:bot"))
		if all, err := j.Registrations(ctx, ""); err != nil || len(all) != 0 {
			t.Errorf("registrations %+v, %v", all, err)
		}
		say("two")
		touch(false)
		say("three")
		first("three")
	})
}
