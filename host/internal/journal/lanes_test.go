package journal

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

var (
	laneA = id.Channel{Network: "net.one", Source: "#a b"}
	laneB = id.Channel{Network: "net.one", Source: "*"}
)

func openMemory(t *testing.T, m *storage.Memory) *Journal {
	t.Helper()
	j, err := Open(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// said appends one event.
func said(t *testing.T, j *Journal, c id.Channel, text string) id.Sequence {
	t.Helper()
	s, err := j.AppendEvents(t.Context(), []Run{{Channel: c, Record: &journalv1.EventsRecord{Events: []*plugv1.Event{{EventId: text, MessageId: text, Channel: string(c.Source)}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return s[0]
}

// take runs a hook's event lanes until stop is called.
func take(t *testing.T, j *Journal, hook id.HookName, handle func(id.Channel, string)) (stop func()) {
	t.Helper()
	lanes, err := j.EventLanes(t.Context(), hook)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = lanes.Run(ctx, func(ctx context.Context, c id.Channel, records []storage.Record) {
			for _, r := range records {
				record, err := EventsOf(r)
				if err != nil {
					t.Error(err)
					return
				}
				for _, e := range record.Events {
					handle(c, e.EventId)
				}
			}
		})
	}()
	return func() { cancel(); <-ended }
}

// O6, O7, D5: a channel whose handler is stuck holds a bounded number of records
// in memory and delays no other channel; when it goes on it is given everything,
// once and in order, what came meanwhile too.
func TestStuckLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := openMemory(t, storage.NewMemory())
		free := make(chan struct{})
		var a, b []string
		stop := take(t, j, "h", func(c id.Channel, text string) {
			if c == laneA {
				<-free
				a = append(a, text)
				return
			}
			b = append(b, text)
		})
		defer stop()
		var want []string
		const many = 5 * LaneRecords
		for i := range many {
			text := fmt.Sprint(i)
			said(t, j, laneA, text)
			said(t, j, laneB, text)
			want = append(want, text)
			if i%10 == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		if strings.Join(b, " ") != strings.Join(want, " ") {
			t.Fatalf("the other channel got %d of %d, or out of order", len(b), many)
		}
		for i := range many { // while it catches up, more comes
			free <- struct{}{}
			if i%7 == 0 {
				text := fmt.Sprint("later ", i)
				said(t, j, laneA, text)
				want = append(want, text)
			}
		}
		close(free)
		synctest.Wait()
		if strings.Join(a, " ") != strings.Join(want, " ") {
			t.Errorf("the stuck channel got %d of %d, or out of order", len(a), len(want))
		}
	})
}

// D5: what a lane holds is bounded, whatever waits in the log.
func TestLaneIsBounded(t *testing.T) {
	l := &lane{active: true}
	for s := range id.Sequence(10 * LaneRecords) {
		l.offer(t.Context(), storage.Record{Sequence: s + 1, Data: make([]byte, 10)})
	}
	if len(l.queue) != LaneRecords || l.behind != LaneRecords+1 {
		t.Errorf("%d records are held, and it reads on from %d", len(l.queue), l.behind)
	}
	l = &lane{active: true}
	for s := range id.Sequence(10) {
		l.offer(t.Context(), storage.Record{Sequence: s + 1, Data: make([]byte, storage.MaxRecordBytes)})
	}
	if l.bytes > laneBytes+storage.MaxRecordBytes {
		t.Errorf("%d bytes are held", l.bytes)
	}
}

// D1, D3: a hook goes on where it was done, whatever crashed; a new hook starts
// now, and from then on misses nothing, even if the host is killed before it is
// done with anything.
func TestWhereAHookGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := storage.NewMemory()
		j := openMemory(t, m)
		said(t, j, laneA, "before")
		collect := func(j *Journal) (string, func()) {
			var got []string
			stop := take(t, j, "new", func(_ id.Channel, text string) { got = append(got, text) })
			synctest.Wait()
			return strings.Join(got, " "), stop
		}
		if got, stop := collect(j); got != "" {
			t.Errorf("a new hook was given %q", got)
		} else {
			stop()
		}
		done := said(t, j, laneA, "first")
		said(t, j, laneA, "second")
		m = m.Restart()
		j = openMemory(t, m)
		got, stop := collect(j)
		stop()
		if got != "first second" {
			t.Errorf("after a crash: %q", got)
		}
		if _, err := j.SaveDone(t.Context(), "new", map[id.Channel]id.Sequence{laneA: done}); err != nil {
			t.Fatal(err)
		}
		j = openMemory(t, m.Restart())
		got, stop = collect(j)
		stop()
		if got != "second" {
			t.Errorf("after it was done with the first: %q", got)
		}
	})
}

// Operations of one channel keep their order, however many and however large.
func TestAcceptInOrder(t *testing.T) {
	j := openMemory(t, storage.NewMemory())
	var operations []*journalv1.Operation
	for i := range 150 {
		text := strings.Repeat("x", 20<<10)
		operations = append(operations, &journalv1.Operation{Id: fmt.Sprint(i), Action: &plugv1.Action{Kind: &plugv1.Action_Message{
			Message: &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: text}}}}}}})
	}
	if err := j.Accept(t.Context(), []Accepted{{laneA, operations}}); err != nil {
		t.Fatal(err)
	}
	next := 0
	if err := j.read(t.Context(), subject.Channel(subject.Out, laneA), 1, func(r storage.Record) (bool, error) {
		if len(r.Data) > storage.MaxRecordBytes {
			t.Errorf("a record of %d bytes", len(r.Data))
		}
		record, err := OperationsOf(r)
		for _, op := range record.GetOperations() {
			if op.Id != fmt.Sprint(next) || !proto.Equal(op, operations[next]) {
				t.Errorf("operation %d is %s", next, op.Id)
			}
			next++
		}
		return true, err
	}); err != nil || next != len(operations) {
		t.Errorf("%d operations, %v", next, err)
	}
	standing, err := j.Standing(t.Context(), laneA, 0)
	if err != nil || len(standing) != len(operations) {
		t.Errorf("%d operations stand, %v", len(standing), err)
	}
}

// D3: the id of an operation is the same whenever it is made again, and another
// for anything else; it says where its cause is.
func TestOperationID(t *testing.T) {
	j := openMemory(t, storage.NewMemory())
	seen := map[id.OperationID]bool{}
	for _, event := range []id.Sequence{1, 2, 1 << 40} {
		for index := range 64 {
			for _, hook := range []id.HookName{"a", "b"} {
				for _, c := range []id.Channel{laneA, laneB} {
					for ordinal := range 3 {
						op := j.OperationID(event, index, hook, c, ordinal)
						if op != j.OperationID(event, index, hook, c, ordinal) || len(op) != 20 || strings.Trim(string(op), "0123456789abcdefghijklmnopqrstuv") != "" {
							t.Fatalf("id %q", op)
						}
						if seen[op] {
							t.Fatalf("id %q twice", op)
						}
						seen[op] = true
						if cause, ok := Cause(op); !ok || cause != event {
							t.Fatalf("cause of %q is %d, %v; want %d", op, cause, ok, event)
						}
					}
				}
			}
		}
	}
	if other := openMemory(t, storage.NewMemory()); other.OperationID(1, 0, "a", laneA, 0) == j.OperationID(1, 0, "a", laneA, 0) {
		t.Error("two journals make the same ids")
	}
}

// The map is keyed by network, channel and id together.
func TestMessageMap(t *testing.T) {
	j := openMemory(t, storage.NewMemory())
	source := &journalv1.MessageKey{NetworkId: "src", Channel: "c", Id: "1"}
	for i, c := range []id.Channel{laneA, laneB} {
		err := j.SaveCopies(t.Context(), c, &journalv1.Settled{OperationId: fmt.Sprint("op", i), Hook: "h", Source: source,
			Receipts: []*plugv1.Receipt{{Id: "7", Aliases: []string{"seven"}}, {Id: "8", Channel: "elsewhere"}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		channel   id.Channel
		id        id.MessageID
		operation string
		primary   bool
	}{
		{laneA, "7", "op0", true}, {laneA, "seven", "op0", true}, {laneB, "7", "op1", true},
		{id.Channel{Network: laneA.Network, Source: "elsewhere"}, "8", "op1", false},
	} {
		got, err := j.CopyOf(t.Context(), id.Message{Channel: c.channel, ID: c.id})
		if err != nil || got.OperationId != c.operation || got.Primary != c.primary || !proto.Equal(got.Source, source) {
			t.Errorf("%s in %s: %v, %v", c.id, c.channel, got, err)
		}
	}
	if _, err := j.CopyOf(t.Context(), id.Message{Channel: laneA, ID: "8"}); err == nil {
		t.Error("a copy was found in a channel in which it is not")
	}
	copies, err := j.CopiesOf(t.Context(), &journalv1.MessageKey{NetworkId: "src", Channel: "c", Id: "1"})
	if err != nil || len(copies) != 2 {
		t.Errorf("%d copies, %v", len(copies), err)
	}
}
