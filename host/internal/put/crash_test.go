package put_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/put"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// crasher is a plug that crashes of each message with "poison" in it, 100 ms after it was
// asked; every other takes 200 ms.
type crasher struct {
	w *world

	mu       sync.Mutex
	ended    chan struct{} // closed as the process crashes
	underWay int
	retried  bool              // a second attempt is under way
	together []string          // what was under way beside a second attempt
	attempts map[string]uint32 // newest, by text
}

func (w *world) crashing() *crasher {
	c := &crasher{w: w, ended: make(chan struct{}), attempts: map[string]uint32{}}
	w.plug.OnPut = c.put
	return c
}

func (c *crasher) put(r *plugv1.PutRequest) *plugv1.PutResponse {
	what := inWords(r.Action)
	c.mu.Lock()
	if c.underWay > 0 && (c.retried || r.Attempt > 1) {
		c.together = append(c.together, what)
	}
	c.underWay++
	if r.Attempt > 1 {
		c.retried = true
	}
	c.attempts[what] = r.Attempt
	ended := c.ended
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.underWay--
		if r.Attempt > 1 {
			c.retried = false
		}
	}()
	if strings.Contains(what, "poison") {
		time.Sleep(100 * time.Millisecond)
		c.mu.Lock()
		c.ended = make(chan struct{})
		c.mu.Unlock()
		stage := c.w.stage // that of this life of the host
		c.w.crash()
		close(ended)
		time.AfterFunc(time.Second, func() { stage.Attach(here.Network, c.w.live) })
		return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
	}
	select {
	case <-ended:
		return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
	case <-time.After(200 * time.Millisecond):
		return nil
	}
}

// rest lets the time pass, and all of it be done with.
func rest(d time.Duration) {
	time.Sleep(d) // in the bubble
	synctest.Wait()
}

// reasonOf gives why the only parked operation is parked.
func (w *world) reasonOf() string {
	w.t.Helper()
	parked, err := w.journal.ParkedOperations(w.t.Context())
	if err != nil || len(parked) != 1 {
		w.t.Fatalf("parked: %v, %v", parked, err)
	}
	return parked[0].Record.Reason
}

func in(source string) id.Channel {
	return id.Channel{Network: here.Network, Source: id.ChannelSource(source)}
}

// D4: what was under way as the plug crashed is tried again alone, so that the innocent
// are sent; what the plug crashes of to the last is parked as poison, and its channel
// goes on.
func TestPoison(t *testing.T) {
	for name, c := range map[string]struct {
		abilities func(*plugv1.Abilities)
		attempts  uint32
	}{
		"without a memory": {func(*plugv1.Abilities) {}, 2},
		"idempotent":       {func(a *plugv1.Abilities) { a.IdempotentPut = &plugv1.IdempotentPut{Window: durationpb.New(time.Hour)} }, 6},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(l *put.Live) { l.Concurrent = 4; c.abilities(l.Abilities) }, func(w *world) {
				p := w.crashing()
				w.up()
				w.acceptIn(in("a"), say("1", "ann", "poison"), say("2", "ann", "behind it"))
				w.acceptIn(in("b"), say("3", "ann", "beside it"))
				for i := range 40 { // traffic that never rests
					w.acceptIn(in([]string{"c", "d"}[i%2]), say("live", "ann", "live"))
				}
				rest(5 * time.Minute)
				if got := p.attempts["say poison"]; got != c.attempts {
					t.Errorf("the poison was tried %d times, want %d", got, c.attempts)
				}
				if p.attempts["say beside it"] != 2 || p.attempts["say behind it"] == 0 {
					t.Errorf("attempts: %v", p.attempts)
				}
				if len(p.together) > 0 {
					t.Errorf("beside a second attempt: %q", p.together)
				}
				if got := w.reasonOf(); !strings.HasPrefix(got, "poison: the plug crashed in ") {
					t.Errorf("the reason is %q", got)
				}
			})
		})
	}
}

// D4: that the plug crashed is known after a restart of the host, and a crash in an
// attempt that did not run alone accuses nobody.
func TestCrashOverRestart(t *testing.T) {
	inBubble(t, func(l *put.Live) { l.Concurrent = 4 }, func(w *world) {
		p := w.crashing()
		w.up()
		w.acceptIn(in("a"), say("1", "ann", "beside it"))
		w.acceptIn(in("b"), say("2", "ann", "poison"))
		rest(500 * time.Millisecond) // the plug is down
		w.restart()
		for range 5 {
			w.acceptIn(in("c"), say("live", "ann", "live"))
		}
		w.up()
		rest(time.Minute)
		if len(p.together) > 0 || p.attempts["say beside it"] != 2 {
			t.Errorf("beside a second attempt: %q; attempts: %v", p.together, p.attempts)
		}
		if got := w.reasonOf(); !strings.HasPrefix(got, "poison: ") {
			t.Errorf("the reason is %q", got)
		}
	})
	inBubble(t, func(l *put.Live) { l.Concurrent = 4 }, func(w *world) {
		p := w.crashing()
		poisoned := w.plug.OnPut
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if shown(r.Action.GetMessage()) == "unlucky" && r.Attempt == 1 {
				return fails(plugv1.Verdict_VERDICT_UNCERTAIN) // and no crash
			}
			return poisoned(r)
		}
		w.up()
		w.acceptIn(in("a"), say("1", "ann", "unlucky"))
		rest(34950 * time.Millisecond) // its second attempt is under way in 50 ms, the crash 50 ms later
		w.acceptIn(in("b"), say("2", "ann", "poison"))
		rest(time.Second)
		w.down()
		if p.attempts["say unlucky"] != 2 {
			t.Fatalf("attempts: %v", p.attempts)
		}
		w.plug.OnPut = nil
		w.up()
		rest(time.Minute)
		if got := w.reasonOf(); strings.Contains(got, "poison") || !strings.HasPrefix(got, "no attempt was confirmed") {
			t.Errorf("the reason is %q", got)
		}
	})
}

// D4: a plug that is stopped in order, and what is cut off by that, accuses nobody.
func TestStopIsNoCrash(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.plug.OnPut = func(*plugv1.PutRequest) *plugv1.PutResponse {
			w.down()
			time.AfterFunc(time.Second, w.up)
			return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
		}
		w.up()
		w.accept(say("m", "ann", "cut off"))
		rest(time.Minute)
		if got := w.reasonOf(); !strings.HasPrefix(got, "no attempt was confirmed") {
			t.Errorf("the reason is %q", got)
		}
	})
}

// D4: nobody is shown to be writing while a Put runs alone.
func TestAloneFromBestEffort(t *testing.T) {
	typing := &plugv1.Action{Kind: &plugv1.Action_Typing{Typing: &plugv1.Typing{}}}
	inBubble(t, nil, func(w *world) {
		w.up()
		synctest.Wait()
		w.stage.BestEffort(t.Context(), here, "x", typing, nil)
		w.want("*plugv1.Action_Typing")
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			switch r.Attempt {
			case 1:
				w.crash()
				return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
			default:
				w.stage.BestEffort(t.Context(), here, "x", typing, nil)
				return nil
			}
		}
		w.accept(say("m", "ann", "alone"))
		w.want("say alone")
		w.up()
		w.want("say alone")
	})
}
