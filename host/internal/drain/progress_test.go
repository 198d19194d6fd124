package drain_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/drain"
	"github.com/plughost/plughost/host/internal/gate"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

var (
	from = id.Channel{Network: "from", Source: "c"}
	to   = id.Channel{Network: "to", Source: "c"}
)

// everything is a hook that sends everything on, each event once it is let, and a world
// with nothing else in it.
type everything struct {
	let   chan struct{}
	given atomic.Int32
}

func (h *everything) Name() id.HookName { return "everything" }

func (h *everything) Receive(context.Context, *hook.Delivery) ([]hook.Send, error) {
	<-h.let
	h.given.Add(1)
	return []hook.Send{{Channel: hook.Channel{Plug: "to", Source: to.Source}, Action: &plugv1.Action{}}}, nil
}

func (*everything) Origin(context.Context, id.Channel, *plugv1.Event) (*hook.Origin, error) {
	return nil, nil
}

func (*everything) Canonical(context.Context, id.Message) (*journalv1.MessageKey, error) {
	return nil, storage.ErrNotFound
}
func (*everything) Accepting([]journal.Accepted) {}

func (*everything) Instance(n id.NetworkID) (drain.Facts, bool) {
	return drain.Facts{Name: id.InstanceName(n)}, true
}

func (*everything) Resolve(context.Context, hook.Channel) (id.Channel, bool) { return to, true }

// life is a drain over a store, from a start of the host to its end.
type life struct {
	t       *testing.T
	store   *storage.Memory
	journal *journal.Journal
	hook    everything
	stop    func()
}

func begin(t *testing.T, store *storage.Memory) *life {
	t.Helper()
	l := &life{t: t, store: store, hook: everything{let: make(chan struct{}, 1000)}}
	var err error
	if l.journal, err = journal.Open(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	end, err := l.journal.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := drain.New(&l.hook, l.journal, gate.New(end), &l.hook, &l.hook, hclog.NewNullLogger())
	if err := d.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = d.Run(ctx)
	}()
	l.stop = func() {
		cancel()
		<-ended
	}
	return l
}

// let lets the hook answer so many events.
func (l *life) let(events int) {
	for range events {
		l.hook.let <- struct{}{}
	}
	synctest.Wait()
}

// say appends records of one event each.
func (l *life) say(events int) { l.t.Helper(); l.sayIn(from, events) }

func (l *life) sayIn(c id.Channel, events int) {
	l.t.Helper()
	for i := range events {
		if _, err := l.journal.AppendEvents(l.t.Context(), []journal.Run{{Channel: c, Record: &journalv1.EventsRecord{
			Events: []*plugv1.Event{{MessageId: fmt.Sprint(i), Kind: &plugv1.Event_Message{Message: &plugv1.Message{}}}}}}}); err != nil {
			l.t.Fatal(err)
		}
	}
	synctest.Wait()
}

// count counts the records under a subject.
func (l *life) count(subject string) (n int) {
	l.t.Helper()
	for from := id.Sequence(1); ; n++ {
		r, err := l.store.Next(l.t.Context(), subject, from)
		if errors.Is(err, storage.ErrNotFound) {
			return n
		}
		if err != nil {
			l.t.Fatal(err)
		}
		from = r.Sequence + 1
	}
}

// operations counts what was accepted, and fails if something was twice.
func (l *life) operations() int {
	l.t.Helper()
	accepted := map[string]bool{}
	n := 0
	if err := l.journal.ReadOperations(l.t.Context(), to, 1, func(r storage.Record) error {
		record, err := journal.OperationsOf(r)
		for _, op := range record.GetOperations() {
			if n++; accepted[op.Id] {
				l.t.Errorf("operation %s was accepted twice", op.Id)
			}
			accepted[op.Id] = true
		}
		return err
	}); err != nil {
		l.t.Fatal(err)
	}
	return n
}

// D3: whatever was accepted of what is not stored as done stands after a crash, also
// where that is more than a lane gives at once; and no more than that many records of a
// channel are ever not stored as done.
func TestWhatIsNotDoneStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storage.NewMemory()
		first := begin(t, store)
		store.Refuse = func(e storage.Entry) error {
			if strings.HasPrefix(e.Subject, subject.Join(subject.Done, "")) && !strings.HasSuffix(e.Subject, "._") {
				return errors.New("the disk is full")
			}
			return nil
		}
		const one, some, many = 1, journal.LaneRecords - 2, journal.LaneRecords
		first.say(one)
		first.say(some) // while the hook has the one
		first.let(one)
		first.say(many)
		first.let(some + many)
		first.say(many)
		first.let(many)
		if got, want := first.operations(), 2*journal.LaneRecords-1; got != want {
			t.Fatalf("%d operations were accepted while nothing could be stored as done, want %d", got, want)
		}
		restarted := store.Restart()
		restarted.Refuse = nil
		second := begin(t, restarted)
		first.stop()
		defer second.stop()
		second.let(3 * journal.LaneRecords)
		time.Sleep(time.Second) // in the bubble
		if got, want := second.operations(), 3*journal.LaneRecords-1; got != want {
			t.Errorf("%d operations of %d events", got, want)
		}
	})
}

// How far a hook has come is stored for many batches at once; and wholly when the host
// is stopped.
func TestProgressIsStoredTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storage.NewMemory()
		l := begin(t, store)
		before := l.count("done.>")
		l.let(22)
		for range 20 {
			l.say(1) // each a batch of its own
		}
		if got := l.count("done.>") - before; got != 1 {
			t.Errorf("%d records of progress at once, want 1", got)
		}
		time.Sleep(time.Second) // in the bubble
		if got := l.count("done.>") - before; got != 2 {
			t.Errorf("%d records of progress in the end, want 2", got)
		}
		l.say(1)
		l.say(1) // so soon after the last that it waits for the next write
		l.stop()
		again := begin(t, store)
		defer again.stop()
		again.let(2)
		if n := again.hook.given.Load(); n != 0 {
			t.Errorf("after a stop the hook was given %d events again", n)
		}
	})
}

// O7: a channel whose progress can't be stored doesn't keep that of others from being
// stored, nor them from going on.
func TestProgressOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storage.NewMemory()
		l := begin(t, store)
		defer l.stop()
		refused := subject.Channel(subject.Join(subject.Done, subject.Token("everything")), from)
		store.Refuse = func(e storage.Entry) error {
			if e.Subject == refused {
				return errors.New("the disk is full")
			}
			return nil
		}
		other := id.Channel{Network: "other", Source: "c"}
		const many = 3 * journal.LaneRecords
		l.let(1 + many)
		l.say(1)
		for range many {
			l.sayIn(other, 1)
		}
		time.Sleep(time.Minute) // in the bubble
		if got := l.operations(); got != 1+many {
			t.Errorf("%d operations of %d events", got, 1+many)
		}
		if n := l.count(subject.Channel(subject.Join(subject.Done, subject.Token("everything")), other)); n == 0 {
			t.Error("nothing of the other channel is stored as done")
		}
	})
}
