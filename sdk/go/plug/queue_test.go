package plug

import (
	"errors"
	"strings"
	"testing"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func newQueue() *Queue { return &Queue{out: newOutbox(), ended: make(chan struct{})} }

// lastEvent gives the event that was queued last.
func (q *Queue) lastEvent() *plugv1.Event {
	entries := q.out.queued.entries
	return entries[len(entries)-1].event
}

// D2: the id of a message's event is the same on every replay; an event of a kind
// that is not replayed has one of its own.
func TestEventIDIsDerived(t *testing.T) {
	q := newQueue()
	id := func(e *plugv1.Event) string {
		if err := q.Event(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if got := q.lastEvent().GetEventId(); len(got) > plugv1.MaxIDBytes {
			t.Errorf("event id of %d bytes", len(got))
		}
		return q.lastEvent().GetEventId()
	}
	long := strings.Repeat("x", plugv1.MaxIDBytes)
	other := strings.Repeat("x", plugv1.MaxIDBytes-1) + "y"
	header := func() *plugv1.Event { return &plugv1.Event{Channel: "room"} }
	given := message("1")
	given.EventId = "mine"
	for _, replayed := range []string{"1", long} {
		if first, again := id(message(replayed)), id(message(replayed)); first != again {
			t.Errorf("two replays have the event ids %q and %q", first, again)
		}
	}
	switch first, again := id(header()), id(header()); {
	case first == again:
		t.Error("two events share an event id")
	case id(message("1")) == id(message("2")), id(message(long)) == id(message(other)):
		t.Error("two messages share an event id")
	case id(given) != "mine":
		t.Error("the author's event id was replaced")
	}
}

func TestEventTime(t *testing.T) {
	q := newQueue()
	at := time.Now().Add(-time.Hour)
	e := message("1")
	e.Time = timestamppb.New(at)
	if err := q.Event(t.Context(), e); err != nil || !q.lastEvent().GetTime().AsTime().Equal(at) {
		t.Errorf("time %v, %v", q.lastEvent().GetTime(), err)
	}
	before := time.Now()
	if err := q.Event(t.Context(), message("2")); err != nil {
		t.Fatal(err)
	}
	if got := q.lastEvent().GetTime().AsTime(); got.Before(before) || got.After(time.Now()) {
		t.Errorf("time %v", got)
	}
}

// Sizes of the contract are checked before queueing: one event too large, or with a
// wrong byte anywhere, would end the stream for all the others.
func TestWhatTheQueueRefuses(t *testing.T) {
	event := func(change func(*plugv1.Event)) func(*Queue) error {
		return func(q *Queue) error {
			e := message("1")
			change(e)
			return q.Event(t.Context(), e)
		}
	}
	cursor := func(c Cursor) func(*Queue) error {
		return func(q *Queue) error { return q.Event(t.Context(), message("1"), c) }
	}
	long := strings.Repeat("x", plugv1.MaxIDBytes+1)
	for name, queue := range map[string]func(*Queue) error{
		"nil":               func(q *Queue) error { return q.Event(t.Context(), nil) },
		"no channel":        event(func(e *plugv1.Event) { e.Channel = "" }),
		"no message id":     event(func(e *plugv1.Event) { e.MessageId = "" }),
		"long channel":      event(func(e *plugv1.Event) { e.Channel = long }),
		"long message id":   event(func(e *plugv1.Event) { e.MessageId = long }),
		"long event id":     event(func(e *plugv1.Event) { e.EventId = long }),
		"long operation id": event(func(e *plugv1.Event) { e.OperationId = long }),
		"long alias":        event(func(e *plugv1.Event) { e.Aliases = []string{"a", long} }),
		"long author's id":  event(func(e *plugv1.Event) { e.Author = &plugv1.User{Id: long} }),
		"long actor's id":   event(func(e *plugv1.Event) { e.Actor = &plugv1.User{Id: long} }),
		"long reference":    event(func(e *plugv1.Event) { e.Reference = make([]byte, plugv1.MaxReferenceBytes+1) }),
		"wrong byte in id":  event(func(e *plugv1.Event) { e.MessageId = "\xff" }),
		"wrong byte deep":   event(func(e *plugv1.Event) { e.Author = &plugv1.User{Username: "\xff"} }),
		"too large":         event(func(e *plugv1.Event) { e.GetMessage().Text = NewText(strings.Repeat("x", plugv1.MaxEventBytes)) }),
		"long cursor":       cursor(Cursor{Value: make([]byte, plugv1.MaxCursorBytes+1)}),
		"long scope":        cursor(Cursor{Scope: long, Value: []byte("x")}),
		"empty cursor":      func(q *Queue) error { return q.Cursor(t.Context(), Cursor{}) },
		"many cursors": func(q *Queue) error {
			return q.Event(t.Context(), message("1"), make64(Cursor{Value: make([]byte, plugv1.MaxCursorBytes)})...)
		},
		"caught up":         func(q *Queue) error { return q.CaughtUp(t.Context(), long) },
		"gap, no reason":    func(q *Queue) error { return q.Gap(t.Context(), &plugv1.Gap{}) },
		"gap, wrong reason": func(q *Queue) error { return q.Gap(t.Context(), &plugv1.Gap{Reason: "\xff"}) },
		"gap, scope":        func(q *Queue) error { return q.Gap(t.Context(), &plugv1.Gap{Reason: "x", Scope: long}) },
		"nil gap":           func(q *Queue) error { return q.Gap(t.Context(), nil) },
	} {
		q := newQueue()
		if err := queue(q); err == nil || len(q.out.queued.entries) > 0 {
			t.Errorf("%s: answered %v with %d entries queued", name, err, len(q.out.queued.entries))
		}
	}
	largest := event(func(e *plugv1.Event) {
		e.MessageId, e.Channel = long[1:], long[1:]
		e.GetMessage().Text = NewText(strings.Repeat("x", plugv1.MaxEventBytes-3<<10))
	})
	if err := largest(newQueue()); err != nil {
		t.Errorf("an event within the limits was refused: %v", err)
	}
}

func make64(c Cursor) []Cursor {
	list := make([]Cursor, 65)
	for i := range list {
		list[i] = c
	}
	return list
}

// The author's buffer may be used again after the call.
func TestCursorIsCopied(t *testing.T) {
	q := newQueue()
	value := []byte("1")
	if err := q.Cursor(t.Context(), Cursor{Value: value}); err != nil {
		t.Fatal(err)
	}
	value[0] = '2'
	if got := q.out.lastCursors(); string(got[""]) != "1" {
		t.Errorf("got %s", got[""])
	}
}

func TestQueueAfterStop(t *testing.T) {
	ended := make(chan struct{})
	close(ended)
	q := &Queue{out: newOutbox(), ended: ended}
	for _, err := range []error{
		q.Event(t.Context(), message("1")), q.Cursor(t.Context(), Cursor{Value: []byte("x")}),
		q.CaughtUp(t.Context(), ""), q.Gap(t.Context(), &plugv1.Gap{Reason: "x"}),
	} {
		if !errors.Is(err, ErrStopped) {
			t.Errorf("got %v", err)
		}
	}
}

func TestText(t *testing.T) {
	for _, s := range []string{"", "hello", "two\nlines"} {
		if got := PlainText(NewText(s)); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	if got := PlainText(NewText("a\xffb")); got != "a\uFFFDb" {
		t.Errorf("got %q", got)
	}
	two := &plugv1.Text{Segments: []*plugv1.Segment{{Text: "a"}, {Text: "b"}}}
	if got := PlainText(two); got != "ab" || PlainText(nil) != "" {
		t.Errorf("got %q", got)
	}
}
