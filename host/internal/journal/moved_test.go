package journal_test

import (
	"slices"
	"testing"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// D2: what came after the cursor of a channel that has moved doesn't expire, though it is
// kept under the channel's first source; a cursor that was dropped holds nothing.
func TestCursorOfAMovedChannelHolds(t *testing.T) {
	ctx := t.Context()
	j, err := journal.Open(ctx, storage.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	home, now := id.Channel{Network: "n", Source: "a"}, id.Channel{Network: "n", Source: "b"}
	var said []id.Sequence
	say := func() {
		t.Helper()
		s, err := j.AppendEvents(ctx, []journal.Run{{Channel: home, Record: &journalv1.EventsRecord{Events: []*plugv1.Event{{Channel: "b"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, s...)
	}
	for range 3 {
		say()
	}
	if err := j.SaveMove(ctx, journal.Move{To: now, Home: home.Source}); err != nil {
		t.Fatal(err)
	}
	if err := j.SaveCursors(ctx, "n", []journal.Cursor{{Cursor: &plugv1.Cursor{Scope: "b", Value: []byte("1")}, Follows: said[0]}}); err != nil {
		t.Fatal(err)
	}
	left := func() (left []id.Sequence) {
		t.Helper()
		if err := j.Retain(ctx, time.Now().Add(time.Hour), nil); err != nil {
			t.Fatal(err)
		}
		err := j.ReadEvents(ctx, home, 1, func(_ id.Channel, r storage.Record) bool {
			left = append(left, r.Sequence)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		return left
	}
	if got := left(); !slices.Equal(got, said[1:]) {
		t.Errorf("with a cursor %v are left, want %v", got, said[1:])
	}
	if err := j.DropCursor(ctx, "n", "b"); err != nil {
		t.Fatal(err)
	}
	if cursors, err := j.Cursors(ctx, "n"); err != nil || len(cursors) != 0 {
		t.Errorf("cursors %v, %v", cursors, err)
	}
	say()
	say()
	if got := left(); !slices.Equal(got, said[4:]) {
		t.Errorf("without one %v are left, want %v", got, said[4:])
	}
	moves, err := j.Moves(ctx)
	if err != nil || len(moves) != 1 || moves[0] != (journal.Move{To: now, Home: home.Source}) {
		t.Errorf("moves %v, %v", moves, err)
	}
}
