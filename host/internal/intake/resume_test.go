package intake

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// life is an intake over a journal, in one life of the host.
type life struct {
	t       *testing.T
	in      *Intake
	stored  watcher
	broken  []string
	cursors []*plugv1.Cursor
}

func begin(t *testing.T, j *journal.Journal) *life {
	t.Helper()
	l := &life{t: t}
	l.in = New(Options{Network: "n", Journal: j, Watcher: &l.stored, Appended: func(id.NetworkID, id.Sequence) {},
		Breach: func(_ id.NetworkID, reason string) { l.broken = append(l.broken, reason) }, Logger: hclog.NewNullLogger()})
	return l
}

// stream has a stream opened that gives answers and ends.
func (l *life) stream(answers ...*plugv1.StreamMessagesResponse) {
	l.t.Helper()
	var err error
	if l.cursors, err = l.in.Open(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	if err := l.in.Run(l.t.Context(), &stream{answers: answers}, nil); !errors.Is(err, io.EOF) {
		l.t.Fatal(err)
	}
}

// at lists the cursors with which a stream would open now.
func (l *life) at() (all []string) {
	l.t.Helper()
	l.stream()
	for _, c := range l.cursors {
		all = append(all, c.Scope+"="+string(c.Value))
	}
	slices.Sort(all)
	return all
}

func (l *life) wantAt(want ...string) {
	l.t.Helper()
	if got := l.at(); !slices.Equal(got, want) {
		l.t.Errorf("the cursors are %q, want %q", got, want)
	}
}

func cursor(scope, value string) *plugv1.StreamMessagesResponse {
	return &plugv1.StreamMessagesResponse{Cursors: []*plugv1.Cursor{{Scope: scope, Value: []byte(value)}}}
}

// heard is an answer with an event and its cursor.
func heard(event string) *plugv1.StreamMessagesResponse {
	a := cursor("c", event)
	a.Events = messages(event)
	return a
}

func messages(names ...string) (all []*plugv1.Event) {
	for _, name := range names {
		all = append(all, &plugv1.Event{EventId: name, MessageId: name, Channel: "c", Own: plugv1.Own_OWN_NO, Kind: &plugv1.Event_Message{Message: &plugv1.Message{}}})
	}
	return all
}

// D1: a cursor that comes without an event is stored, the last of each scope; one that
// goes back is not: silently where a new stream says all again, else it is shown.
func TestCursors(t *testing.T) {
	j := open(t)
	l := begin(t, j)
	l.stream(cursor("", "0"), cursor("c", "now"))
	l.wantAt("=0", "c=now")
	l.stream(heard("1"), heard("2"), heard("3"))
	l.wantAt("=0", "c=3")
	l.stream(heard("1"), heard("2")) // not acknowledged, so it comes again
	l.wantAt("=0", "c=3")
	if len(l.stored.events) != 3 || len(l.broken) != 0 {
		t.Errorf("stored %d events, breaches %q", len(l.stored.events), l.broken)
	}
	l.stream(heard("2"), heard("3"), heard("4"), cursor("c", "2"), cursor("c", "4"))
	l.wantAt("=0", "c=4")
	if len(l.broken) != 1 {
		t.Errorf("breaches %q, want one", l.broken)
	}
	l.stream(cursor("c", "5"), heard("3")) // it has gone on, and says again what it said
	if len(l.broken) != 2 || len(l.stored.events) != 4 {
		t.Errorf("stored %d events, breaches %q", len(l.stored.events), l.broken)
	}
	next := begin(t, j)
	next.wantAt("=0", "c=5")
	for i := range 20 { // the values remembered are bounded
		next.stream(cursor("c", fmt.Sprint("v", i)))
	}
	if n := len(next.in.past["c"]); n != pastCursors {
		t.Errorf("%d values are remembered", n)
	}
}

// D2: a plug that resumes from an old cursor says all again that came after it, more than
// is remembered otherwise: none of it is stored twice, in the same life of the host and
// in the next; and once it has caught up the memory for that is given back.
func TestResumeFromAnOldCursor(t *testing.T) {
	for _, scope := range []string{"", "c"} {
		j := open(t)
		var all []*plugv1.StreamMessagesResponse
		const limit, count = 1000, 3000
		fewer := func(l *life) *life {
			l.in.limit, l.in.known = limit, newKnowledge(limit)
			return l
		}
		for n := 0; n < count; n += 50 {
			a := &plugv1.StreamMessagesResponse{}
			for i := range 50 {
				a.Events = append(a.Events, messages(fmt.Sprint(n+i))...)
			}
			all = append(all, a)
		}
		caughtUp := &plugv1.StreamMessagesResponse{CaughtUp: []string{scope}}
		first := fewer(begin(t, j))
		first.stream(append([]*plugv1.StreamMessagesResponse{cursor(scope, "begin")}, all...)...)
		if n := len(first.stored.events); n != count {
			t.Fatalf("scope %q: %d stored, want %d", scope, n, count)
		}
		first.stream(append(slices.Clone(all), caughtUp)...)
		next := fewer(begin(t, j))
		next.stream(append(slices.Clone(all), caughtUp)...)
		if n, m := len(first.stored.events)-count, len(next.stored.events); n != 0 || m != 0 {
			t.Errorf("scope %q: stored again were %d in the same life, %d in the next", scope, n, m)
		}
		if first.in.known.resumed != nil || next.in.known.resumed != nil {
			t.Errorf("scope %q: what was resumed is still in memory", scope)
		}
		// The same message by another event is a second one, and is withheld.
		again := &plugv1.StreamMessagesResponse{Events: messages("7")}
		again.Events[0].EventId = "said again"
		next.stream(again)
		r, err := j.LastEvents(t.Context(), id.Channel{Network: "n", Source: "c"})
		if err != nil {
			t.Fatal(err)
		}
		if record, err := journal.EventsOf(r); err != nil || len(record.Events) != 1 || len(record.Withheld) != 1 {
			t.Errorf("scope %q: the second message is %v, %v", scope, record, err)
		}
	}
}
