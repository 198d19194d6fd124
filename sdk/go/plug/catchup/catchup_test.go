package catchup

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record is a queue that keeps what it is given. Messages are numbered from 1; the
// cursor after one is its number.
type record struct {
	mu        sync.Mutex
	ids       []int
	cursor    int
	caughtUp  int // 1 + the number of events before; 0: not said
	gaps      int
	wrong     error
	meanwhile func() // called within each call
	err       error
}

func (r *record) call(note func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	note()
	if r.meanwhile != nil {
		r.meanwhile()
	}
	return nil
}

func (r *record) Event(_ context.Context, e *plugv1.Event, after ...plug.Cursor) error {
	return r.call(func() {
		id, _ := strconv.Atoi(e.GetMessageId())
		r.ids = append(r.ids, id)
		for _, c := range after {
			r.move(c)
		}
	})
}

func (r *record) Cursor(_ context.Context, c plug.Cursor) error {
	return r.call(func() { r.move(c) })
}

// move checks that a cursor goes on, to what was queued and not beyond.
func (r *record) move(c plug.Cursor) {
	to, _ := strconv.Atoi(string(c.Value))
	if c.Scope != "room" || to < r.cursor {
		r.wrong = fmt.Errorf("cursor of %q went from %d to %d", c.Scope, r.cursor, to)
	}
	if n := len(r.ids); n > 0 && to > r.ids[n-1] && to%5 != 0 {
		r.wrong = fmt.Errorf("cursor %d is ahead of %v", to, r.ids)
	}
	r.cursor = to
}

func (r *record) CaughtUp(_ context.Context, scope string) error {
	return r.call(func() {
		if r.caughtUp > 0 || scope != "room" {
			r.wrong = fmt.Errorf("caught up again, or in %q", scope)
		}
		r.caughtUp = 1 + len(r.ids)
	})
}

func (r *record) Gap(_ context.Context, g *plugv1.Gap) error {
	return r.call(func() { r.gaps++ })
}

// item makes message n; each fifth makes no event, and some have no cursor live.
func item(n int) Item {
	i := Item{Key: fmt.Sprint(n), Cursor: fmt.Append(nil, n)}
	if n%5 != 0 {
		i.Event = &plugv1.Event{MessageId: fmt.Sprint(n), Channel: "room"}
	}
	return i
}

// network has messages 1 to published. The archive shows those up to archived, and
// live were those from began to live.
type network struct {
	t                         *rapid.T
	j                         *Joiner
	began                     int
	published, archived, live int
}

// goesOn lets a random number of things happen, as they would while a call runs.
func (n *network) goesOn() {
	for range rapid.IntRange(0, 6).Draw(n.t, "happenings") {
		switch rapid.IntRange(0, 2).Draw(n.t, "what") {
		case 0:
			n.published++
		case 1:
			n.archived = min(n.archived+1, n.published)
		case 2:
			n.deliver()
		}
	}
}

// deliver gives the next live item to the Joiner, if that would not wait: the test has
// one goroutine.
func (n *network) deliver() {
	n.j.mu.Lock()
	waits := n.j.state == draining && len(n.j.held) >= n.j.maxHeld
	n.j.mu.Unlock()
	if n.live == n.published || waits {
		return
	}
	n.live++
	i := item(n.live)
	if n.live%3 == 0 {
		i.Cursor = nil
	}
	if err := n.j.Live(context.Background(), i); err != nil {
		n.t.Fatal(err)
	}
}

func (n *network) fetch(_ context.Context, after []byte) (Page, error) {
	n.goesOn()
	n.archived = max(n.archived, n.began)
	if rapid.Bool().Draw(n.t, "archive is up to date") {
		n.archived = n.published
	}
	from, _ := strconv.Atoi(string(after))
	to := min(n.archived, from+rapid.IntRange(1, 5).Draw(n.t, "page"))
	page := Page{Last: to == n.archived}
	for m := from + 1; m <= to; m++ {
		page.Items = append(page.Items, item(m))
	}
	n.goesOn()
	return page, nil
}

// Whatever the interleaving of the archive's pages and the live items, each event comes
// once and in order, no cursor is ahead, and the scope is caught up when everything from
// before the connection has come.
func TestEachOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			r := &record{}
			n := &network{t: rt, j: New(r, "room")}
			n.j.maxHeld = rapid.SampledFrom([]int{1, 2, 5, maxHeld}).Draw(rt, "held")
			n.began = rapid.IntRange(1, 30).Draw(rt, "before the connection")
			n.published, n.live = n.began, n.began
			r.cursor = rapid.IntRange(1, n.began).Draw(rt, "cursor")
			first := r.cursor + 1
			busy := 200
			r.meanwhile = func() {
				if busy--; busy > 0 {
					r.mu.Unlock() // live items may go straight to the queue only after
					n.publish()
					r.mu.Lock()
				}
			}
			if err := n.j.Run(t.Context(), fmt.Append(nil, r.cursor), n.fetch); err != nil {
				rt.Fatal(err)
			}
			r.meanwhile = nil
			n.published += rapid.IntRange(0, 3).Draw(rt, "after")
			for n.live < n.published {
				n.deliver()
			}
			want := first
			for _, id := range r.ids {
				if want%5 == 0 {
					want++
				}
				if id != want {
					rt.Fatalf("after %d came %d: %v", want-1, id, r.ids)
				}
				want++
			}
			if want%5 == 0 {
				want++
			}
			if want <= n.published {
				rt.Fatalf("of %d messages came those to %d", n.published, want-1)
			}
			if r.wrong != nil || r.gaps > 0 {
				rt.Fatalf("%v, %d gaps", r.wrong, r.gaps)
			}
			if r.caughtUp == 0 {
				rt.Fatal("never caught up")
			}
			for _, id := range r.ids[r.caughtUp-1:] {
				if id <= n.began {
					rt.Fatalf("caught up before %d: %v", id, r.ids)
				}
			}
		})
	})
}

// publish lets new messages come while the queue takes one.
func (n *network) publish() {
	n.published += rapid.IntRange(0, 2).Draw(n.t, "published")
	for range rapid.IntRange(0, 2).Draw(n.t, "delivered") {
		n.j.mu.Lock()
		direct := n.j.state == live
		n.j.mu.Unlock()
		if !direct { // Live would come back here
			n.deliver()
		}
	}
}

// A scope without a cursor starts now: the archive is not read.
func TestWithoutACursor(t *testing.T) {
	r := &record{}
	j := New(r, "room")
	if err := j.Live(t.Context(), item(1)); err != nil {
		t.Fatal(err)
	}
	if err := j.Run(t.Context(), nil, nil); err != nil || len(r.ids) != 1 || r.caughtUp != 2 {
		t.Errorf("%v, %v, caught up at %d", err, r.ids, r.caughtUp)
	}
	if err := j.Live(t.Context(), item(2)); err != nil || len(r.ids) != 2 {
		t.Errorf("%v, %v", err, r.ids)
	}
}

// What is lost for good is a gap and not silence.
func TestTheArchiveNeverHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		j := New(r, "room")
		j.maxHeld = 2
		for n := 11; n <= 14; n++ {
			if err := j.Live(t.Context(), item(n)); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		err := j.Run(t.Context(), []byte("9"), func(context.Context, []byte) (Page, error) { return Page{Last: true}, nil })
		if err != nil || r.gaps != 1 || len(r.ids) != 1 || r.ids[0] != 14 || time.Since(began) != maxRetries*retryPause {
			t.Errorf("%v, %d gaps, %v after %v", err, r.gaps, r.ids, time.Since(began))
		}
		j = New(r, "room")
		j.maxHeld, r.caughtUp = 1, 0
		for n := 21; n <= 22; n++ {
			_ = j.Live(t.Context(), item(n))
		}
		if err := j.Run(t.Context(), nil, nil); err != nil || r.gaps != 2 {
			t.Errorf("%v, %d gaps", err, r.gaps)
		}
	})
}

// An archive that is looked into again, because it lags, may tell all of it again.
func TestTheArchiveLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		j := New(r, "room")
		j.maxHeld = 1
		for n := 2; n <= 4; n++ {
			if err := j.Live(t.Context(), item(n)); err != nil {
				t.Fatal(err)
			}
		}
		looks := 0
		err := j.Run(t.Context(), []byte("0"), func(context.Context, []byte) (Page, error) {
			looks++
			p := Page{Last: true}
			for n := 1; n <= min(looks, 4); n++ {
				i := item(n)
				i.Cursor = nil
				p.Items = append(p.Items, i)
			}
			return p, nil
		})
		if err != nil || fmt.Sprint(r.ids) != "[1 2 3 4]" || r.gaps > 0 || looks != 3 {
			t.Errorf("%v, %v, %d gaps, looked %d times", err, r.ids, r.gaps, looks)
		}
	})
}

// While held items go out a full buffer makes the reader wait, and nothing is lost.
func TestReaderWaitsForTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		j := New(r, "room")
		j.maxHeld = 2
		slow := &slowQueue{record: r}
		j.queue = slow
		if err := j.Live(t.Context(), item(1)); err != nil {
			t.Fatal(err)
		}
		ran := make(chan error, 1)
		go func() { ran <- j.Run(t.Context(), nil, nil) }()
		synctest.Wait()
		began := time.Now()
		for n := 2; n <= 14; n++ {
			if err := j.Live(t.Context(), item(n)); err != nil {
				t.Fatal(err)
			}
		}
		if time.Since(began) < 5*time.Second {
			t.Error("the reader did not wait")
		}
		if err := <-ran; err != nil || r.wrong != nil {
			t.Error(err, r.wrong)
		}
		if len(r.ids) != 12 { // 5 and 10 make no event
			t.Errorf("got %v", r.ids)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		j = New(slow, "room")
		j.state, j.maxHeld = draining, 0
		if err := j.Live(ctx, item(20)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// slowQueue takes an event a second.
type slowQueue struct{ *record }

func (s *slowQueue) Event(ctx context.Context, e *plugv1.Event, after ...plug.Cursor) error {
	time.Sleep(time.Second)
	return s.record.Event(ctx, e, after...)
}

func TestErrors(t *testing.T) {
	broken := errors.New("connection reset")
	page := func(p Page, err error) Fetch { return func(context.Context, []byte) (Page, error) { return p, err } }
	for name, fetch := range map[string]Fetch{
		"archive":    page(Page{}, broken),
		"no key":     page(Page{Items: []Item{{Event: &plugv1.Event{}}}}, nil),
		"no end":     page(Page{}, nil),
		"queue":      page(Page{Items: []Item{item(1)}, Last: true}, nil),
		"queue, end": page(Page{Last: true}, nil),
	} {
		j := New(&record{err: broken}, "room")
		if err := j.Run(t.Context(), []byte("0"), fetch); err == nil {
			t.Errorf("%s: no error", name)
		}
		if err := j.Live(t.Context(), item(2)); !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s: live items get %v", name, err)
		}
	}
	if New(&record{}, "room").Live(t.Context(), Item{Event: &plugv1.Event{}}) == nil {
		t.Error("an item without a key was taken")
	}
}

// Keys are remembered within a bound.
func TestSeenIsBounded(t *testing.T) {
	var s seen
	for n := range maxSeen + 10 {
		s.add(fmt.Sprint(n))
	}
	if len(s.keys) != maxSeen || len(s.order) != maxSeen || s.has("9") || !s.has("10") {
		t.Errorf("%d keys", len(s.keys))
	}
	if s.passes("new") || s.passes("10") {
		t.Error("keys are remembered after the archive's end")
	}
}
