package host_test

import (
	"strings"
	"testing"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// D5: traffic of many times the journal's bound passes, since what is finished gives
// way before its age. When all that is there waits for a plug that is down, the others
// wait too and the status says so; and all arrives, once, in order, when it is back.
func TestJournalFullInTraffic(t *testing.T) {
	t.Parallel()
	const bound = 2 << 20
	net, plug := simulated(t, simnettest.Account{Name: "left"}, simnettest.Account{Name: "right"})
	h := runHere(t, host.Options{
		JournalMaxBytes: bound,
		JournalBallast:  -1,
		Plugs:           []host.Plug{plug("left", "left"), plug("right", "right")},
		Conversations:   []host.Conversation{bridge(channel("left", "a"), channel("right", "b"))},
	}, net)
	state := func() host.JournalState {
		t.Helper()
		s, err := h.JournalState()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	said := 0
	say := func(count int) {
		t.Helper()
		if err := net.Generate(t.Context(), simnettest.Generate{Channels: []string{"a"}, Count: count, First: said + 1, Size: 2000}); err != nil {
			t.Fatal(err)
		}
		said += count
	}
	for range 3 { // each is more than the bound, as an event, an operation and an echo
		say(400)
		accepted(t, net, "b", said, h.log.String)
		if s := state(); s.Bytes > bound+bound/4 { // an eighth, and what was on its way
			t.Errorf("the log has %d bytes, its bound is %d", s.Bytes, bound)
		}
	}
	if !strings.Contains(h.log.all(), "finished records gave way before their age") {
		t.Error("the log does not say that records gave way")
	}

	if err := h.Stop("right"); err != nil {
		t.Fatal(err)
	}
	until(t, "the plug has stopped", func() bool { return h.Status()[1].State == "stopped" })
	say(900)
	until(t, "the plugs wait", func() bool { return strings.Contains(state().Reason, "the journal holds 2.") })
	if s := state(); s.Bytes > bound+bound/4 {
		t.Errorf("the log has %d bytes, its bound is %d", s.Bytes, bound)
	}
	if heard := len(h.in(channel("left", "a"))); heard == said {
		t.Error("all was taken in: this test did not reach what it is about")
	}
	if err := h.Start("right"); err != nil {
		t.Fatal(err)
	}
	accepted(t, net, "b", said, h.log.String)
	until(t, "all is well again", func() bool { return state().Reason == "" })
	h.stop()
	once(t, net, "a", "b")
}

// D5: the files that wait take all the room there is for files: the message says so
// in words and goes on, and so does the status.
func TestFilesFull(t *testing.T) {
	t.Parallel()
	const size = 200 << 10
	net, plug := simulated(t, simnettest.Account{Name: "left"}, simnettest.Account{Name: "right"})
	h := runHere(t, host.Options{
		Files:          host.Files{MaxBytes: 512 << 10, MaxFileBytes: 256 << 10},
		JournalBallast: -1,
		Plugs:          []host.Plug{plug("left", "left"), plug("right", "right")},
		Conversations:  []host.Conversation{bridge(channel("left", "a"), channel("right", "b"))},
	}, net)
	for i := range 2 {
		if _, err := h.AddFile(t.Context(), strings.NewReader(strings.Repeat(string(rune('a'+i)), size))); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := h.JournalState(); err != nil || s.FileBytes < 2*size || s.Reason != "" {
		t.Errorf("before: %+v, %v", s, err)
	}
	if _, err := h.AddFile(t.Context(), strings.NewReader(strings.Repeat("c", size))); err == nil || !strings.Contains(err.Error(), "no room left for files") {
		t.Errorf("a file too many: %v", err)
	}
	s, err := h.JournalState()
	if err != nil || !strings.Contains(s.Reason, "raise files.max_bytes") {
		t.Errorf("after: %+v, %v", s, err)
	}
	until(t, "it is tried again", func() bool {
		s, err := h.JournalState()
		return err == nil && s.Reason == ""
	})
}
