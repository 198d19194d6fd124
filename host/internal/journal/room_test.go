package journal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// tooMuch is more records than any bound here allows.
const tooMuch = 10_000

// quiet is a channel of another network than laneA.
var quiet = id.Channel{Network: "quiet", Source: "c"}

// openBounded opens a journal with a bound of bytes, over a real server.
func openBounded(t *testing.T, bytes int64) *Journal {
	t.Helper()
	s, err := storage.OpenJetStream(t.Context(), storage.Options{Dir: t.TempDir(), MaxBytes: bytes, Logger: hclog.New(&hclog.LoggerOptions{Output: t.Output(), Level: hclog.Warn})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	j, err := Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// speak has a channel say something long until the journal takes no more.
func speak(t *testing.T, j *Journal, c id.Channel) (said []id.Sequence) {
	t.Helper()
	for i := range tooMuch {
		record := &journalv1.EventsRecord{Events: []*plugv1.Event{{EventId: fmt.Sprint(i), MessageId: strings.Repeat("x", 4000)}}}
		sequences, err := j.AppendEvents(t.Context(), []Run{{Channel: c, Record: record}})
		switch {
		case errors.Is(err, storage.ErrFull):
			return said
		case err != nil:
			t.Fatal(err)
		}
		said = append(said, sequences[0])
	}
	t.Fatal("there is no end of what the journal takes")
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func done(t *testing.T, j *Journal, hook id.HookName, through map[id.Channel]id.Sequence) {
	t.Helper()
	_, err := j.SaveDone(t.Context(), hook, through)
	must(t, err)
}

// D5: at the bound of bytes finished records go, oldest first, even before their age;
// only when nothing finished is left is nothing more taken in. What waits, is parked
// or holds a cursor stays, and how far it has come can always be noted.
func TestRoom(t *testing.T) {
	const bound = 2 << 20
	j := openBounded(t, bound)
	hooks := []id.HookName{"hook"}
	_, err := j.EventLanes(t.Context(), "hook")
	must(t, err)
	must(t, j.SaveCursors(t.Context(), quiet.Network, []Cursor{{Cursor: &plugv1.Cursor{Scope: "b", Value: []byte("cursor")}}}))
	notDone := said(t, j, quiet, "not done")
	parked := &journalv1.ParkedRecord{Operation: &journalv1.Operation{Id: "parked"}}
	must(t, j.Park(t.Context(), quiet, parked))
	must(t, j.Accept(t.Context(), []Accepted{{quiet, []*journalv1.Operation{{Id: "waits"}}}}))

	first := speak(t, j, laneA)
	if s := j.State(); s.Bytes < bound || s.Bytes > bound+8192 {
		t.Errorf("no more was taken at %d bytes, the bound is %d", s.Bytes, bound)
	}
	if err := j.Room(); !errors.Is(err, storage.ErrFull) || !strings.Contains(err.Error(), "2.0 MiB of at most 2.0 MiB") {
		t.Errorf("the reason is %v", err)
	}
	// Nothing is finished: nothing may give way, and nothing does.
	must(t, j.MakeRoom(t.Context(), hooks))
	if j.Room() == nil {
		t.Error("there is room, and nothing was finished")
	}
	if got := kept(t, j, laneA); len(got) != len(first) {
		t.Errorf("%d of %d records are left, none of which was finished", len(got), len(first))
	}
	// The first three quarters are: as many of them go as are needed, oldest first.
	done(t, j, "hook", map[id.Channel]id.Sequence{laneA: first[len(first)*3/4]})
	must(t, j.MakeRoom(t.Context(), hooks))
	got := kept(t, j, laneA)
	gone := len(first) - len(got)
	if gone < len(first)/8 || gone > len(first)*3/8 || got[0] != first[gone] {
		t.Errorf("%d of %d records went, and the oldest left is %d, not %d", gone, len(first), got[0], first[gone])
	}
	must(t, j.Room())
	if more := speak(t, j, laneA); len(more) < gone/2 {
		t.Errorf("%d more were taken, %d had gone", len(more), gone)
	}

	if left := kept(t, j, quiet); len(left) != 1 || left[0] != notDone {
		t.Errorf("of what the hook is not done with, %v is left", left)
	}
	if list, err := j.ParkedOperations(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("parked: %v, %v", list, err)
	}
	if queues, err := j.Queues(t.Context()); err != nil || len(queues) != 1 || queues[0].Waiting != 1 {
		t.Errorf("waiting: %v, %v", queues, err)
	}
	if cursors, err := j.Cursors(t.Context(), quiet.Network); err != nil || len(cursors) != 1 {
		t.Errorf("cursors: %v, %v", cursors, err)
	}
}

// D5, I1: what came after a plug's cursor gives way last, but it does: a plug that never
// moves its cursor doesn't stop the others.
func TestRoomAfterTheCursor(t *testing.T) {
	j := openBounded(t, 1<<20)
	stays := Cursor{Cursor: &plugv1.Cursor{Scope: string(laneA.Source), Value: []byte("here")}, Follows: 1}
	must(t, j.SaveCursors(t.Context(), laneA.Network, []Cursor{stays}))
	first := speak(t, j, laneA)
	must(t, j.MakeRoom(t.Context(), nil))
	must(t, j.Room())
	if got := kept(t, j, laneA); len(got) == 0 || got[0] == first[0] {
		t.Errorf("%d of %d records are left", len(got), len(first))
	}
}

// D5: above the bound, operations of what is there are taken for an eighth more, and
// what says how far they have come always is: else nothing could be finished.
func TestHeadRoom(t *testing.T) {
	const bound = 1 << 20
	j := openBounded(t, bound)
	speak(t, j, laneA)
	n := 0
	for ; n < tooMuch; n++ {
		operation := &journalv1.Operation{Id: fmt.Sprint(n), ActorId: strings.Repeat("x", 1000)}
		err := j.Accept(t.Context(), []Accepted{{quiet, []*journalv1.Operation{operation}}})
		if errors.Is(err, storage.ErrFull) {
			break
		}
		must(t, err)
	}
	if s := j.State(); n == 0 || s.Bytes < bound+bound/8 || s.Bytes > bound+bound/8+8192 {
		t.Errorf("%d operations were taken, and the log has %d bytes", n, s.Bytes)
	}
	// Of operations for several channels all are refused, or none.
	both := []Accepted{{laneA, []*journalv1.Operation{{Id: "a"}}}, {quiet, []*journalv1.Operation{{Id: "b"}}}}
	if err := j.Accept(t.Context(), both); !errors.Is(err, storage.ErrFull) {
		t.Errorf("more operations: %v", err)
	}
	must(t, j.SavePut(t.Context(), quiet, &journalv1.PutRecord{Attempt: &journalv1.Attempt{OperationId: "0"}}))
	done(t, j, "hook", map[id.Channel]id.Sequence{laneA: 1})
	must(t, j.Park(t.Context(), quiet, &journalv1.ParkedRecord{Operation: &journalv1.Operation{Id: "0"}}))
}

// D5: a network for which operations wait may have to say something before they can be
// finished, and is heard above the bound, so that the two don't wait for each other.
func TestRoomForWhatFinishes(t *testing.T) {
	const bound = 1 << 20
	j := openBounded(t, bound)
	must(t, j.Accept(t.Context(), []Accepted{{quiet, []*journalv1.Operation{{Id: "waits"}}}}))
	out, err := j.End(t.Context())
	must(t, err)
	speak(t, j, laneA)
	if len(speak(t, j, quiet)) == 0 {
		t.Error("a network for which an operation waits is not heard")
	}
	if s := j.State(); !s.Beyond() || s.Bytes > bound+bound/8+8192 {
		t.Errorf("it was heard until the log had %d bytes", s.Bytes)
	}
	must(t, j.SavePut(t.Context(), quiet, &journalv1.PutRecord{Settled: &journalv1.Settled{Position: &journalv1.Position{Sequence: uint64(out)}}}))
	if waits, err := j.waits(t.Context(), quiet.Network); waits || err != nil {
		t.Errorf("when all is settled, operations wait: %v, %v", waits, err)
	}
}

// D5: of a network's gaps, and of what an instance was, only the last record is kept.
func TestRetainSmallRecords(t *testing.T) {
	j := openBounded(t, 0)
	for i := range 5 {
		must(t, j.SaveGaps(t.Context(), laneA.Network, []*journalv1.GapRecord{{Gap: &plugv1.Gap{Reason: fmt.Sprint(i)}}}))
		must(t, j.BindInstance(t.Context(), "left", &journalv1.InstanceRecord{NetworkId: fmt.Sprint(i)}))
	}
	must(t, j.Retain(t.Context(), time.Now(), nil))
	n := 0
	must(t, j.read(t.Context(), ">", 1, func(r storage.Record) (bool, error) {
		n++
		return true, nil
	}))
	instance, err := j.Instance(t.Context(), "left")
	if n != 3 || err != nil || instance.NetworkId != "4" { // and the journal's own
		t.Errorf("%d records are left, and the instance is %v, %v", n, instance, err)
	}
}

// kept lists the records of events that are left of a channel.
func kept(t *testing.T, j *Journal, c id.Channel) (sequences []id.Sequence) {
	t.Helper()
	must(t, j.ReadEvents(t.Context(), c, 1, func(_ id.Channel, r storage.Record) bool {
		sequences = append(sequences, r.Sequence)
		return true
	}))
	return sequences
}
