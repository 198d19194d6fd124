package journal

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// D5: only what is finished expires, and a quiet channel keeps its place.
func TestRetain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := storage.NewMemory()
		j := openMemory(t, m)
		hooks := []id.HookName{"fast", "slow"}
		for _, h := range hooks {
			if _, err := j.EventLanes(t.Context(), h); err != nil {
				t.Fatal(err)
			}
		}
		var sequences []id.Sequence
		for i := range 5 {
			sequences = append(sequences, said(t, j, laneA, fmt.Sprint(i)))
		}
		quiet := said(t, j, laneB, "quiet")
		for _, c := range []id.Channel{laneA, laneB} {
			if err := j.Accept(t.Context(), []Accepted{{c, []*journalv1.Operation{{Id: "x"}}}}); err != nil {
				t.Fatal(err)
			}
		}
		for s := range 3 {
			if _, err := j.SaveDone(t.Context(), "fast", map[id.Channel]id.Sequence{laneA: sequences[s+2]}); err != nil {
				t.Fatal(err)
			}
		}
		for _, done := range []struct {
			h id.HookName
			c id.Channel
			s id.Sequence
		}{{"slow", laneA, sequences[1]}, {"fast", laneB, quiet}, {"slow", laneB, quiet}} {
			if _, err := j.SaveDone(t.Context(), done.h, map[id.Channel]id.Sequence{done.c: done.s}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		if err := j.Retain(t.Context(), time.Now().Add(-time.Minute), hooks); err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, c := range []id.Channel{laneA, laneB} {
			if err := j.ReadEvents(t.Context(), c, 1, func(_ id.Channel, r storage.Record) bool {
				record, err := EventsOf(r)
				if err != nil {
					t.Fatal(err)
				}
				left = append(left, record.Events[0].EventId)
				return true
			}); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Join(left, " "); got != "2 3 4 quiet" {
			t.Errorf("left: %q; want what the slow hook is not done with, and the last of the quiet channel", got)
		}
		// Both hooks go on where they were, and what waits to be sent still does.
		lanes, _, err := j.OperationLanes(t.Context())
		if err != nil || len(lanes.behind) != 2 {
			t.Errorf("%d channels have operations waiting, %v; want 2", len(lanes.behind), err)
		}
		slow, err := j.EventLanes(t.Context(), "slow")
		if err != nil || len(slow.behind) != 1 || slow.behind[laneA].from != sequences[1]+1 {
			t.Errorf("the slow hook goes on at %v, %v", slow.behind, err)
		}
		fast, err := j.EventLanes(t.Context(), "fast")
		if err != nil || len(fast.behind) != 0 {
			t.Errorf("the fast hook goes on at %v, %v", fast.behind, err)
		}
	})
}

// D2: what a plug said after its cursor may be said again, so it does not expire,
// whether the cursor is the channel's or the whole plug's.
func TestRetainKeepsWhatFollowsTheCursor(t *testing.T) {
	for _, scope := range []string{"", string(laneA.Source)} {
		synctest.Test(t, func(t *testing.T) {
			j := openMemory(t, storage.NewMemory())
			var sequences []id.Sequence
			for i := range 4 {
				sequences = append(sequences, said(t, j, laneA, fmt.Sprint(i)))
			}
			cursor := Cursor{Cursor: &plugv1.Cursor{Scope: scope, Value: []byte("at 1")}, Follows: sequences[1]}
			if err := j.SaveCursors(t.Context(), laneA.Network, []Cursor{cursor}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if err := j.Retain(t.Context(), time.Now(), nil); err != nil {
				t.Fatal(err)
			}
			var left []id.Sequence
			if err := j.ReadEvents(t.Context(), laneA, 1, func(_ id.Channel, r storage.Record) bool {
				left = append(left, r.Sequence)
				return true
			}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(left, sequences[2:]) {
				t.Errorf("scope %q: of %v there are %v left", scope, sequences, left)
			}
		})
	}
}

// D3: what was made of an event that a hook isn't noted as done with is found to stand
// when the event is yielded again, however long ago it was settled.
func TestRetainKeepsWhatStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := openMemory(t, storage.NewMemory())
		if _, err := j.EventLanes(t.Context(), "hook"); err != nil {
			t.Fatal(err)
		}
		var events []id.Sequence
		var operations []id.OperationID
		for i := range 3 {
			event := said(t, j, laneA, fmt.Sprint(i))
			operation := j.OperationID(event, 0, "hook", laneB, 0)
			must(t, j.Accept(t.Context(), []Accepted{{laneB, []*journalv1.Operation{{Id: string(operation)}}}}))
			events, operations = append(events, event), append(operations, operation)
		}
		must(t, j.SavePut(t.Context(), laneB, &journalv1.PutRecord{Settled: &journalv1.Settled{Position: &journalv1.Position{Sequence: uint64(events[2] + 1)}}}))
		retain := func() map[id.OperationID]bool {
			time.Sleep(time.Hour) // in the bubble
			must(t, j.Retain(t.Context(), time.Now(), []id.HookName{"hook"}))
			standing, err := j.Standing(t.Context(), laneB, 0)
			must(t, err)
			return standing
		}
		for finished, event := range events {
			standing := retain()
			for i, operation := range operations[finished:] {
				if !standing[operation] {
					t.Errorf("with %d of 3 events done, the operation of event %d is gone", finished, finished+i)
				}
			}
			done(t, j, "hook", map[id.Channel]id.Sequence{laneA: event})
		}
		if n := len(retain()); n != 1 {
			t.Errorf("with all events done %d operations are left, want the last of the channel", n)
		}
	})
}
