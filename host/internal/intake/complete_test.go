package intake

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// stream gives answers, then ends.
type stream struct {
	answers []*plugv1.StreamMessagesResponse
}

func (s *stream) Recv() (*plugv1.StreamMessagesResponse, error) {
	if len(s.answers) == 0 {
		return nil, io.EOF
	}
	a := s.answers[0]
	s.answers = s.answers[1:]
	return a, nil
}

func (s *stream) Ack(uint64, bool) {}

// watcher keeps what was appended.
type watcher struct{ events []*plugv1.Event }

func (w *watcher) Appended(_ id.Channel, _ id.Sequence, e *plugv1.Event) {
	w.events = append(w.events, e)
}
func (w *watcher) CaughtUp(id.NetworkID, id.ChannelSource)  {}
func (w *watcher) Outcome(id.NetworkID, *plugv1.PutOutcome) {}
func (w *watcher) last() *plugv1.Event                      { return w.events[len(w.events)-1] }
func (w *watcher) set() *plugv1.ReactionsSet                { return w.last().GetReactionsSet() }

// hear has an intake over a journal hear events, each in an answer of its own.
func hear(t *testing.T, j *journal.Journal, events ...*plugv1.Event) (*watcher, []*plugv1.Event) {
	t.Helper()
	w := &watcher{}
	var passing []*plugv1.Event
	in := New(Options{Network: "n", Journal: j, Watcher: w, Appended: func(id.NetworkID, id.Sequence) {}, Logger: hclog.NewNullLogger(),
		BestEffort: func(_ id.Channel, e *plugv1.Event) { passing = append(passing, e) }})
	if _, err := in.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &stream{}
	for i, e := range events {
		e.Channel, e.Own = "c", plugv1.Own_OWN_NO
		s.answers = append(s.answers, &plugv1.StreamMessagesResponse{Sequence: uint64(i + 1), Events: []*plugv1.Event{e}})
	}
	if err := in.Run(t.Context(), s, nil); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return w, passing
}

func open(t *testing.T) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), storage.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func emoji(s string) *plugv1.Reaction {
	return &plugv1.Reaction{Key: &plugv1.Reaction_Emoji{Emoji: s}}
}

func keys(all []*plugv1.Reaction) (s string) {
	for _, r := range all {
		s += r.GetEmoji()
	}
	return s
}

func set(event, user, all string) *plugv1.Event {
	k := &plugv1.ReactionsSet{}
	for _, r := range strings.Split(all, "") {
		k.Reactions = append(k.Reactions, emoji(r))
	}
	return &plugv1.Event{EventId: event, MessageId: "m", Actor: &plugv1.User{Id: user}, Kind: &plugv1.Event_ReactionsSet{ReactionsSet: k}}
}

// The host works out the difference of whole sets, for each user and message, also
// for one whose event comes again because its append was cut off.
func TestReactionsSet(t *testing.T) {
	j := open(t)
	for _, c := range []struct{ event, user, all, added, removed string }{
		{"1", "ann", "ab", "ab", ""},
		{"2", "ann", "bc", "c", "a"},
		{"3", "bo", "b", "b", ""},
		{"4", "ann", "", "", "bc"},
		{"5", "ann", "b", "b", ""},
	} {
		w, _ := hear(t, j, set(c.event, c.user, c.all))
		if got := w.set(); keys(got.Added) != c.added || keys(got.Removed) != c.removed {
			t.Errorf("%+v: added %q, removed %q", c, keys(got.Added), keys(got.Removed))
		}
	}
	// The record of the set stood before a crash, the event did not.
	again := New(Options{Network: "n", Journal: j, Logger: hclog.NewNullLogger()})
	c := id.Channel{Network: "n", Source: "c"}
	for range 3 {
		e := set("6", "ann", "bd")
		if err := again.complete(t.Context(), c, e); err != nil {
			t.Fatal(err)
		}
		if got := e.GetReactionsSet(); keys(got.Added) != "d" || keys(got.Removed) != "" {
			t.Errorf("again: added %q, removed %q", keys(got.Added), keys(got.Removed))
		}
	}
}

// A reaction that is removed by its own id is found again, whoever did what to it.
func TestReactionByID(t *testing.T) {
	j := open(t)
	by := &plugv1.User{Id: "ann"}
	hear(t, j, &plugv1.Event{EventId: "1", MessageId: "m", Actor: by, Kind: &plugv1.Event_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{Reaction: emoji("x"), ReactionId: "r"}}})
	removed := func(event, reaction string) *plugv1.Event {
		return &plugv1.Event{EventId: event, Kind: &plugv1.Event_ReactionRemoved{ReactionRemoved: &plugv1.ReactionRemoved{ReactionId: reaction}}}
	}
	w, _ := hear(t, j, removed("2", "r"))
	if e := w.last(); e.MessageId != "m" || e.Actor.GetId() != "ann" || e.GetReactionRemoved().Reaction.GetEmoji() != "x" {
		t.Errorf("found %v", e)
	}
	w, _ = hear(t, j, removed("3", "unknown"))
	if e := w.last(); e.MessageId != "" || e.GetReactionRemoved().Reaction != nil {
		t.Errorf("of an unknown one: %v", e)
	}
}

// What else names a message leads to it, before anybody is told of the message.
func TestOriginals(t *testing.T) {
	j := open(t)
	hear(t, j,
		&plugv1.Event{EventId: "1", MessageId: "m", Aliases: []string{"a", "b"}, Reference: []byte("r"), Author: &plugv1.User{Id: "ann"}, Kind: &plugv1.Event_Message{Message: &plugv1.Message{}}},
		&plugv1.Event{EventId: "2", MessageId: "plain", Kind: &plugv1.Event_Message{Message: &plugv1.Message{}}})
	for _, name := range []id.MessageID{"m", "a", "b"} {
		r, err := j.Original(t.Context(), id.Message{Channel: id.Channel{Network: "n", Source: "c"}, ID: name})
		if err != nil || r.Id != "m" || string(r.Reference) != "r" || r.AuthorId != "ann" || !slices.Equal(r.Aliases, []string{"a", "b"}) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	if _, err := j.Original(t.Context(), id.Message{Channel: id.Channel{Network: "n", Source: "c"}, ID: "plain"}); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a message that has no more than its id: %v", err)
	}
}

// Typing and read markers pass by: told at once, never stored.
func TestBestEffortIsNotStored(t *testing.T) {
	j := open(t)
	w, passing := hear(t, j,
		&plugv1.Event{Kind: &plugv1.Event_Typing{Typing: &plugv1.Typing{Typing: true}}},
		&plugv1.Event{MessageId: "m", Kind: &plugv1.Event_ReadMarker{ReadMarker: &plugv1.ReadMarker{}}})
	if len(w.events) != 0 || len(passing) != 2 {
		t.Errorf("stored %v, passed by %v", w.events, passing)
	}
	if _, err := j.LastEvents(t.Context(), id.Channel{Network: "n", Source: "c"}); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("in the journal: %v", err)
	}
}

// An event of a kind that this host doesn't know is stored with its header.
func TestUnknownKind(t *testing.T) {
	w, _ := hear(t, open(t), &plugv1.Event{EventId: "1"})
	if len(w.events) != 1 {
		t.Error(fmt.Sprint("stored ", w.events))
	}
}
