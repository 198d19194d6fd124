package intake

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/moves"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// refusing is a journal that refuses the second append of events.
type refusing struct {
	*journal.Journal
	appends *int
}

func (j refusing) AppendEvents(ctx context.Context, runs []journal.Run) ([]id.Sequence, error) {
	if *j.appends++; *j.appends == 2 {
		return make([]id.Sequence, len(runs)), errors.New("the disk is full")
	}
	return j.Journal.AppendEvents(ctx, runs)
}

// D1: an event that is refused doesn't count as stored because the last one in its channel
// has its id: one of another source that the channel has had, or one of history.
func TestRefusedBesideItsNamesake(t *testing.T) {
	message := func(channel string, history bool) *plugv1.Event {
		return &plugv1.Event{EventId: "e1", MessageId: "1", Channel: channel, History: history, Kind: &plugv1.Event_Message{Message: &plugv1.Message{}}}
	}
	for name, first := range map[string]*plugv1.Event{"another source": message("old", false), "history": message("new", true)} {
		synctest.Test(t, func(t *testing.T) {
			store := open(t)
			in := New(Options{Network: "n", Journal: refusing{store, new(int)}, Watcher: &watcher{}, Appended: func(id.NetworkID, id.Sequence) {}, Logger: hclog.NewNullLogger()})
			for _, e := range []*plugv1.Event{first, message("new", false)} {
				p, err := in.prepare(t.Context(), []*plugv1.Event{e})
				if err != nil {
					t.Fatal(err)
				}
				p.rounds[0][0].Channel.Source = "old" // its home
				if err := in.append(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			if err := store.ReadEvents(t.Context(), id.Channel{Network: "n", Source: "old"}, 1, func(_ id.Channel, r storage.Record) bool {
				record, err := journal.EventsOf(r)
				if err != nil {
					t.Error(err)
				}
				for _, e := range record.GetEvents() {
					got = append(got, e.Channel)
				}
				return true
			}); err != nil {
				t.Fatal(err)
			}
			if want := []string{first.Channel, "new"}; !slices.Equal(got, want) {
				t.Errorf("%s: stored are events of %q, want of %q", name, got, want)
			}
		})
	}
}

// What only a resume repeats is forgotten when the plug has caught up, also if it went on
// from the cursor of a source that its channel has left.
func TestCatchUpUnderANewSource(t *testing.T) {
	j := open(t)
	m, err := moves.Open(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	old := id.Channel{Network: "n", Source: "old"}
	if err := errors.Join(m.Moved(t.Context(), old, "new"), j.SaveCursors(t.Context(), "n", []journal.Cursor{{Cursor: &plugv1.Cursor{Scope: "old"}}})); err != nil {
		t.Fatal(err)
	}
	in := New(Options{Network: "n", Journal: j, Watcher: &watcher{}, Moves: m, Appended: func(id.NetworkID, id.Sequence) {}, Logger: hclog.NewNullLogger()})
	if _, err := in.Open(t.Context()); err != nil || in.known.resumed == nil {
		t.Fatalf("opened: %v", err)
	}
	s := &stream{answers: []*plugv1.StreamMessagesResponse{{Sequence: 1, CaughtUp: []string{"new"}}}}
	if err := in.Run(t.Context(), s, nil); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if in.known.resumed != nil {
		t.Error("what the plug might say again is still known, though it has caught up")
	}
}
