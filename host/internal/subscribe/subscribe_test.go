package subscribe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeJournal keeps places.
type fakeJournal struct {
	mu      sync.Mutex
	known   map[id.HookName]bool
	touches int
	places  map[id.Channel]id.Sequence
	refused map[id.Channel]bool // no place of theirs is taken
}

func newFakeJournal() *fakeJournal {
	return &fakeJournal{known: map[id.HookName]bool{}, places: map[id.Channel]id.Sequence{}, refused: map[id.Channel]bool{}}
}

func (j *fakeJournal) Touch(_ context.Context, h id.HookName) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	known := j.known[h]
	j.known[h] = true
	j.touches++
	return known, nil
}

func (j *fakeJournal) SaveDone(_ context.Context, _ id.HookName, done map[id.Channel]id.Sequence) (map[id.Channel]id.Sequence, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	left := map[id.Channel]id.Sequence{}
	var err error
	for c, s := range done {
		if j.refused[c] {
			left[c], err = s, errors.New("the disk is full")
			continue
		}
		if s <= j.places[c] {
			return nil, fmt.Errorf("the place of %s goes back from %d to %d", c, j.places[c], s)
		}
		j.places[c] = s
	}
	return left, err
}

// refuse has it take no place of a channel, or take them again.
func (j *fakeJournal) refuse(c id.Channel, refuse bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.refused, c)
	if refuse {
		j.refused[c] = true
	}
}

func (j *fakeJournal) refuses() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.refused) > 0
}

func (j *fakeJournal) Forget(_ context.Context, h id.HookName) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.known, h)
	return nil
}

func (j *fakeJournal) saved() map[id.Channel]id.Sequence {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.places)
}

// feedFunc is a feed.
type feedFunc func(context.Context) error

func (f feedFunc) Run(ctx context.Context) error { return f(ctx) }

// newStage makes a stage whose feeds do what feed does with their queue.
func newStage(j Journal, feed func(ctx context.Context, t Taker)) *Stage {
	return New(Options{
		Journal: j,
		OpenFeed: func(_ context.Context, _ id.HookName, _ id.Sequence, t Taker) (Feed, error) {
			return feedFunc(func(ctx context.Context) error {
				feed(ctx, t)
				<-ctx.Done()
				return ctx.Err()
			}), nil
		},
		Outcome: func(context.Context, id.Channel, id.OperationID) *Outcome { return nil },
		Logger:  hclog.NewNullLogger(),
	})
}

var room = id.Channel{Network: "n", Source: "room"}

func event(s id.Sequence, bytes int) *hook.Delivery {
	return &hook.Delivery{Network: room.Network, Channel: hook.Channel{Plug: "p", Source: room.Source}, Sequence: s,
		Event: &plugv1.Event{EventId: fmt.Sprint(s), Reference: make([]byte, bytes)}}
}

func all(id.Channel) bool { return true }

// A full subscription holds its feed back, and nothing else: outcomes go by, and what
// is in memory stays within its bounds.
func TestBounds(t *testing.T) {
	for name, c := range map[string]struct{ bytes, most int }{"entries": {0, maxEntries}, "bytes": {100 << 10, maxBytes / (100 << 10)}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(newFakeJournal(), func(ctx context.Context, t Taker) {
					for i := id.Sequence(1); t.Take(ctx, event(i, c.bytes)) == nil; i++ {
						t.Passed(room, i)
					}
				})
				sub, err := s.Subscribe(t.Context(), Request{Wants: all})
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if n := len(sub.entries); n > c.most || n < c.most-1 || sub.bytes > maxBytes {
					t.Errorf("%d entries and %d bytes are held", n, sub.bytes)
				}
				for i := range 3 * maxEntries {
					s.Settled(&Outcome{Operation: id.OperationID(fmt.Sprint(i)), Channel: room})
				}
				if n := len(sub.entries); n != 2*maxEntries {
					t.Errorf("with outcomes %d entries are held", n)
				}
				for want := uint64(1); want < 3*maxEntries; {
					entries, err := sub.Next(t.Context(), 100)
					if err != nil {
						t.Fatal(err)
					}
					for _, e := range entries {
						if e.Number != want {
							t.Fatalf("entry %d, want %d", e.Number, want)
						}
						want++
					}
				}
				sub.Close()
				s.Close()
				for err = nil; err == nil; { // what is left may still be read
					_, err = sub.Next(t.Context(), maxEntries)
				}
				if !errors.Is(err, ErrClosed) {
					t.Errorf("after it was closed: %v", err)
				}
				if _, err := s.Subscribe(t.Context(), Request{Wants: all}); !errors.Is(err, ErrClosed) {
					t.Errorf("after all were: %v", err)
				}
			})
		})
	}
}

// A durable subscription that nobody reads stays open for a minute, with what was not
// acknowledged; a name is used by one at a time.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newFakeJournal()
		feeds := 0
		s := newStage(j, func(ctx context.Context, t Taker) {
			feeds++
			_ = t.Take(ctx, event(1, 0))
			t.Passed(room, 1)
		})
		defer s.Close()
		open := func(resumed bool, filter string) *Subscription {
			t.Helper()
			sub, err := s.Subscribe(t.Context(), Request{Name: "api:x", Wants: all, Filter: filter})
			if err != nil || sub.Resumed() != resumed {
				t.Fatalf("resumed %v, %v", sub.Resumed(), err)
			}
			if e, err := sub.Next(t.Context(), 10); err != nil || len(e) != 1 {
				t.Fatalf("entries %v, %v", e, err)
			}
			return sub
		}
		first := open(false, "")
		if _, err := s.Subscribe(t.Context(), Request{Name: "api:x", Wants: all}); !errors.Is(err, ErrInUse) || !s.InUse("api:x") {
			t.Errorf("a second reader: %v", err)
		}
		if err := s.Forget(t.Context(), "api:x"); !errors.Is(err, ErrInUse) {
			t.Errorf("forgotten while in use: %v", err)
		}
		first.Close()
		time.Sleep(idleTime - time.Second)
		if again := open(true, ""); again != first || feeds != 1 {
			t.Errorf("%d feeds within the minute", feeds)
		}
		first.Close()
		other := open(true, "another filter")
		if feeds != 2 {
			t.Errorf("%d feeds with another filter", feeds)
		}
		other.Close()
		time.Sleep(idleTime + time.Second)
		synctest.Wait()
		if err := s.Acknowledge(t.Context(), "api:x", "x-1"); !errors.Is(err, ErrToken) {
			t.Errorf("a token of a closed one: %v", err)
		}
		last := open(true, "another filter")
		if feeds != 3 || j.touches != 3 {
			t.Errorf("%d feeds, %d touches after the minute", feeds, j.touches)
		}
		last.Close()
		if err := s.Forget(t.Context(), "api:x"); err != nil || j.known["api:x"] {
			t.Errorf("not forgotten: %v", err)
		}
	})
}

// What the journal is told never is ahead of what was acknowledged, and with all
// acknowledged it is everything, also of channels that are not wanted, and where it had
// refused some before.
func TestPlaces(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		j := newFakeJournal()
		feed := make(chan Taker, 1)
		s := newStage(j, func(_ context.Context, t Taker) { feed <- t })
		defer s.Close()
		ctx := context.Background()
		sub, err := s.Subscribe(ctx, Request{Name: "api:x", Wants: func(c id.Channel) bool { return c.Source != "unwanted" }})
		if err != nil {
			r.Fatal(err)
		}
		defer sub.Close()
		q := <-feed
		channels := []id.Channel{room, {Network: "n", Source: "hall"}, {Network: "n", Source: "unwanted"}}
		place := map[id.Channel]id.Sequence{}            // given
		needs := map[id.Channel]map[id.Sequence]uint64{} // number that has to be acknowledged first
		last, acknowledged := uint64(0), uint64(0)
		for step := range rapid.IntRange(1, 60).Draw(r, "steps") {
			j.refuse(rapid.SampledFrom(channels).Draw(r, "refused"), rapid.Bool().Draw(r, "refuse"))
			if rapid.Bool().Draw(r, "acknowledge") && last > 0 {
				n := rapid.Uint64Range(1, last).Draw(r, "through")
				acknowledged = max(acknowledged, n)
				err := sub.Acknowledge(ctx, sub.Token(&Entry{Number: n}))
				if err != nil && !j.refuses() {
					r.Fatal(err)
				}
			} else {
				c := rapid.SampledFrom(channels).Draw(r, "channel")
				at := id.Sequence(step + 1)
				if q.Wants(c) {
					for range rapid.IntRange(0, 3).Draw(r, "events") {
						d := event(at, 0)
						d.Channel.Source = c.Source
						if err := q.Take(ctx, d); err != nil {
							r.Fatal(err)
						}
						last++
					}
				}
				q.Passed(c, at)
				place[c] = at
				if needs[c] == nil {
					needs[c] = map[id.Sequence]uint64{}
				}
				needs[c][at] = last
			}
			for c, at := range j.saved() {
				if needs[c][at] > acknowledged {
					r.Fatalf("%s is saved at %d, which needs entry %d; acknowledged is %d", c, at, needs[c][at], acknowledged)
				}
			}
		}
		for _, c := range channels {
			j.refuse(c, false)
		}
		if last > 0 {
			err = sub.Acknowledge(ctx, sub.Token(&Entry{Number: last}))
		} else {
			err = sub.save(ctx)
		}
		if err != nil {
			r.Fatal(err)
		}
		if saved := j.saved(); !maps.Equal(saved, place) {
			r.Errorf("in the end %v is saved, given was %v", saved, place)
		}
	})
}

// O1: the outcome comes before the echo, once, whichever way it is learnt.
func TestOutcomeBeforeEcho(t *testing.T) {
	known := &Outcome{Operation: "op", Echo: "op", Channel: room}
	echo := event(1, 0)
	echo.Origin = &hook.Origin{Operation: "op"}
	for name, live := range map[string]bool{"live": true, "looked up": false} {
		q := newQueue(all, func(context.Context, id.Channel, id.OperationID) *Outcome { return known })
		if live {
			q.settled(known)
		}
		for range 2 {
			if err := q.Take(t.Context(), echo); err != nil {
				t.Fatal(err)
			}
		}
		q.settled(known)
		if len(q.entries) != 3 || q.entries[0].Outcome != known || q.entries[1].Delivery != echo || q.entries[2].Delivery != echo {
			t.Errorf("%s: %+v", name, q.entries)
		}
	}
}

// What was parked is told again when it turns out to have been sent, before the echo, and
// that only once.
func TestOutcomeThatChanges(t *testing.T) {
	parked, sent := &Outcome{Operation: "op", Echo: "op", Channel: room, Open: true}, &Outcome{Operation: "op", Echo: "op", Channel: room}
	echo := event(1, 0)
	echo.Origin = &hook.Origin{Operation: "op"}
	for name, live := range map[string]bool{"live": true, "looked up": false} {
		known := parked
		q := newQueue(all, func(context.Context, id.Channel, id.OperationID) *Outcome { return known })
		q.settled(parked)
		for range 2 {
			if err := q.Take(t.Context(), echo); err != nil { // of a part
				t.Fatal(err)
			}
			q.settled(parked)
		}
		known = sent
		if live {
			q.settled(sent)
		}
		if err := q.Take(t.Context(), echo); err != nil {
			t.Fatal(err)
		}
		q.settled(sent)
		q.settled(parked)
		var got []any
		for _, e := range q.entries {
			if e.Outcome != nil {
				got = append(got, e.Outcome)
			} else {
				got = append(got, e.Delivery)
			}
		}
		if want := []any{parked, echo, echo, sent, echo}; !slices.Equal(got, want) {
			t.Errorf("%s: given was %v", name, got)
		}
	}
}
