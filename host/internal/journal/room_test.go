package journal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// openBounded opens a journal with a bound of bytes, over a real server.
func openBounded(t *testing.T, bytes int64) *Journal {
	t.Helper()
	s, err := OpenJetStream(t.Context(), Options{Dir: t.TempDir(), MaxBytes: bytes, Logger: hclog.New(&hclog.LoggerOptions{Output: t.Output(), Level: hclog.Warn})})
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
	for i := 0; ; i++ {
		record := &journalv1.EventsRecord{Events: []*plugv1.Event{{EventId: fmt.Sprint(i), MessageId: strings.Repeat("x", 4000)}}}
		sequences, err := j.AppendEvents(t.Context(), []Run{{c, record}})
		switch {
		case errors.Is(err, ErrFull):
			return said
		case err != nil:
			t.Fatal(err)
		}
		said = append(said, sequences[0])
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
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
	must(t, j.SaveCursors(t.Context(), laneB.Network, []Cursor{{Cursor: &plugv1.Cursor{Scope: "b", Value: []byte("cursor")}}}))
	quiet := said(t, j, laneB, "not done")
	parked := &journalv1.ParkedRecord{Operation: &journalv1.Operation{Id: "parked"}}
	must(t, j.Park(t.Context(), laneB, parked))
	must(t, j.Accept(t.Context(), []Accepted{{laneB, []*journalv1.Operation{{Id: "waits"}}}}))

	first := speak(t, j, laneA)
	if s := j.State(); s.Bytes < bound || s.Bytes > bound+8192 {
		t.Errorf("no more was taken at %d bytes, the bound is %d", s.Bytes, bound)
	}
	if err := j.Room(); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "2.0 MiB of at most 2.0 MiB") {
		t.Errorf("the reason is %v", err)
	}
	// Nothing is finished: nothing may give way, and nothing does.
	if room, err := j.MakeRoom(t.Context(), hooks); room || err != nil {
		t.Errorf("there is room: %v, %v", room, err)
	}
	if got := kept(t, j, laneA); len(got) != len(first) {
		t.Errorf("%d of %d records are left, none of which was finished", len(got), len(first))
	}
	// The first three quarters are: as many of them go as are needed, oldest first.
	must(t, j.SaveDone(t.Context(), "hook", laneA, first[len(first)*3/4]))
	if room, err := j.MakeRoom(t.Context(), hooks); !room || err != nil {
		t.Fatalf("there is room: %v, %v", room, err)
	}
	got := kept(t, j, laneA)
	gone := len(first) - len(got)
	if gone < len(first)/8 || gone > len(first)*3/8 || got[0] != first[gone] {
		t.Errorf("%d of %d records went, and the oldest left is %d, not %d", gone, len(first), got[0], first[gone])
	}
	must(t, j.Room())
	if more := speak(t, j, laneA); len(more) < gone/2 {
		t.Errorf("%d more were taken, %d had gone", len(more), gone)
	}

	if left := kept(t, j, laneB); len(left) != 1 || left[0] != quiet {
		t.Errorf("of what the hook is not done with, %v is left", left)
	}
	if list, err := j.ParkedOperations(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("parked: %v, %v", list, err)
	}
	if queues, err := j.Queues(t.Context()); err != nil || len(queues) != 1 || queues[0].Waiting != 1 {
		t.Errorf("waiting: %v, %v", queues, err)
	}
	if cursors, err := j.Cursors(t.Context(), laneB.Network); err != nil || len(cursors) != 1 {
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
	if room, err := j.MakeRoom(t.Context(), nil); !room || err != nil {
		t.Fatalf("there is room: %v, %v", room, err)
	}
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
	for ; ; n++ {
		operation := &journalv1.Operation{Id: fmt.Sprint(n), ActorId: strings.Repeat("x", 1000)}
		err := j.Accept(t.Context(), []Accepted{{laneB, []*journalv1.Operation{operation}}})
		if errors.Is(err, ErrFull) {
			break
		}
		must(t, err)
	}
	if s := j.State(); n == 0 || s.Bytes < bound+bound/headRoom || s.Bytes > bound+bound/headRoom+8192 {
		t.Errorf("%d operations were taken, and the log has %d bytes", n, s.Bytes)
	}
	must(t, j.SavePut(t.Context(), laneB, &journalv1.PutRecord{Attempt: &journalv1.Attempt{OperationId: "0"}}))
	must(t, j.SaveDone(t.Context(), "hook", laneA, 1))
	must(t, j.Park(t.Context(), laneB, &journalv1.ParkedRecord{Operation: &journalv1.Operation{Id: "0"}}))
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
	must(t, j.read(t.Context(), ">", 1, func(r Record) (bool, error) {
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
	must(t, j.ReadEvents(t.Context(), c, 1, func(_ id.Channel, r Record) bool {
		sequences = append(sequences, r.Sequence)
		return true
	}))
	return sequences
}
