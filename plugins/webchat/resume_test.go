package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

// On a first start nothing old is emitted, and "now" is a cursor before the first
// message; after a restart comes exactly what followed the cursors (D1), each room
// from its own, in order (O6), then what is live.
func TestResume(t *testing.T) {
	dir := t.TempDir()
	h, _ := start(t, dir)
	h.visit().say("lobby", "old")
	s := h.open(nil)
	s.untilCaughtUp()
	if len(s.events) != 0 || len(s.cursors) != 2 || len(s.gaps) != 0 {
		t.Fatalf("a first start: %v, cursors %v, gaps %v", s.texts(), s.cursors, s.gaps)
	}
	now := s.cursors
	h.stop()

	// Said while nobody listened: the plug was up, the host was not.
	h, _ = start(t, dir)
	ann := h.visit()
	var lobby, den []string
	for i := range 3 * batch {
		ann.say("lobby", fmt.Sprint("l", i))
		lobby = append(lobby, fmt.Sprint("l", i))
		if i%3 == 0 {
			ann.say("den", fmt.Sprint("d", i))
			den = append(den, fmt.Sprint("d", i))
		}
	}
	h.stop()

	h, _ = start(t, dir)
	s = h.open(now)
	s.untilCaughtUp()
	if want := strings.Join(append(lobby, den...), " "); s.texts() != want {
		t.Errorf("caught up with %d events, want %d; in order, without repeats", len(s.events), len(lobby)+len(den))
	}
	h.visit().say("den", "live")
	s.untilEvents(len(lobby) + len(den) + 1)
	if !strings.HasSuffix(s.texts(), " live") {
		t.Errorf("after catching up: %s", s.texts())
	}
	after := s.cursors
	h.stop()

	// One room further than the other; the new cursors leave nothing to repeat.
	h, _ = start(t, dir)
	s = h.open(map[string]string{"lobby": after["lobby"], "den": now["den"]})
	s.untilCaughtUp()
	if want := strings.Join(append(den, "live"), " "); s.texts() != want {
		t.Errorf("resumed the den alone: %s", s.texts())
	}
	h.stop()

	// A room that is new in the config begins now, while the other one resumes.
	h, _ = start(t, dir)
	s = h.open(map[string]string{"lobby": now["lobby"]})
	s.untilCaughtUp()
	h.visit().say("den", "from now on")
	s.untilEvents(len(lobby) + 1)
	if want := strings.Join(append(lobby, "from now on"), " "); s.texts() != want || len(s.gaps) != 0 {
		t.Errorf("with a new room: %d events, gaps %v", len(s.events), s.gaps)
	}
}

// What is said while the plug still catches up comes once, after what is older.
func TestSaidWhileCatchingUp(t *testing.T) {
	h, _ := start(t, t.TempDir())
	// More than queue and connection hold: the catching up can't end before the host
	// reads.
	const old = 3000
	filling := strings.Repeat("x", 1000)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for range old / 50 {
				if _, err := h.plug.store.Do(h.ctx, room.Change{Kind: room.Said, Room: "lobby", By: room.Person{ID: "x", Name: "X"}, Content: room.Content{Text: filling}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	s := h.open(map[string]string{"lobby": "0", "den": "0"})
	s.untilEvents(1)
	ann := h.visit()
	ann.say("lobby", "during")
	ann.say("den", "during too")
	s.untilCaughtUp()
	ann.say("lobby", "after")
	s.until(func() bool { return strings.HasSuffix(s.texts(), " after") })
	want := strings.Repeat(filling+" ", old) + "during during too after"
	if got := s.texts(); got != want {
		t.Errorf("%d events, want %d; the last are ... %s", len(s.events), old+3, got[max(0, len(got)-200):])
	}
}

// A cursor that this history can't have been the end of is answered with a gap, and
// not with silence; then the room begins now.
func TestRefusedCursor(t *testing.T) {
	h, _ := start(t, t.TempDir())
	h.visit().say("lobby", "old")
	s := h.open(map[string]string{"lobby": "1000", "den": "junk"})
	s.untilCaughtUp()
	if len(s.gaps) != 2 || len(s.events) != 0 || s.cursors["lobby"] != "1" || s.cursors["den"] != "1" {
		t.Errorf("gaps %v, events %s, cursors %v", s.gaps, s.texts(), s.cursors)
	}
	for _, g := range s.gaps {
		if g.GetScope() == "" || g.GetReason() == "" {
			t.Errorf("gap %v", g)
		}
	}
}
