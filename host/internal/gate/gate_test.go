package gate

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/plughost/plughost/host/id"
)

var (
	one   = id.Channel{Network: "net", Source: "one"}
	two   = id.Channel{Network: "net", Source: "two"}
	other = id.Channel{Network: "other", Source: "one"}
)

// waits tells whether Wait waits for an event, inside a synctest bubble.
func waits(t *testing.T, g *Gate, c id.Channel, s id.Sequence, own bool) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	passed := make(chan error, 1)
	go func() { passed <- g.Wait(ctx, c, s, own) }()
	synctest.Wait()
	select {
	case err := <-passed:
		if err != nil {
			t.Fatalf("Wait: %v", err)
		}
		cancel()
		return false
	default:
		cancel()
		<-passed
		return true
	}
}

// O2: an event waits for every Put of its scope that began before it was
// appended, and for no other.
func TestWaitsForEarlierPuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(0)
		g.Appended("net", 5)
		p := g.Begin(one, Plug)
		for _, c := range []struct {
			name    string
			channel id.Channel
			s       id.Sequence
			want    bool
		}{
			{"appended before Begin", one, 5, false},
			{"appended after Begin", one, 6, true},
			{"another channel of the plug", two, 6, true},
			{"another plug", other, 6, false},
		} {
			if got := waits(t, g, c.channel, c.s, false); got != c.want {
				t.Errorf("%s: waits = %v, want %v", c.name, got, c.want)
			}
		}
		p.End()
		p.End()
		if waits(t, g, one, 6, false) {
			t.Error("waits after End")
		}
	})
}

// O2: a Put that begins after an event was appended doesn't delay it, not even
// one that begins while the event waits.
func TestLaterPutsDontDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(0)
		first := g.Begin(one, Plug)
		passed := make(chan error, 1)
		go func() { passed <- g.Wait(t.Context(), one, 7, true) }()
		synctest.Wait()
		later := g.Begin(one, Plug)
		defer later.End()
		if later.Noted() != 7 {
			t.Errorf("a Put that begins while event 7 waits noted %d", later.Noted())
		}
		first.End()
		synctest.Wait()
		select {
		case err := <-passed:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Fatal("the event waits for a later Put")
		}
	})
}

func TestChannelScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(0)
		defer g.Begin(one, Channel).End()
		if !waits(t, g, one, 1, false) {
			t.Error("an event of the channel doesn't wait")
		}
		if waits(t, g, two, 1, false) {
			t.Error("an event of another channel waits")
		}
	})
}

// O5: while an outcome is uncertain, own events are held for the hold at most,
// and strangers' are not.
func TestUncertainHoldsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(0)
		p := g.Begin(one, Plug)
		stranger := make(chan error, 1)
		go func() { stranger <- g.Wait(t.Context(), one, 1, false) }()
		synctest.Wait()
		p.Uncertain(10 * time.Second)
		if err := <-stranger; err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := g.Wait(t.Context(), one, 1, true); err != nil {
			t.Fatal(err)
		}
		if held := time.Since(start); held != 10*time.Second {
			t.Errorf("own event held for %v, want 10s", held)
		}
		p.Uncertain(time.Hour) // only the first counts
		if waits(t, g, one, 1, true) {
			t.Error("held anew")
		}
	})
}

// O5: after a restart of the host, own events since the attempt are held.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(20)
		p := g.Resume(one, Plug, 12, 10*time.Second)
		if waits(t, g, one, 12, true) {
			t.Error("an event older than the attempt waits")
		}
		if !waits(t, g, one, 13, true) || waits(t, g, one, 13, false) {
			t.Error("not exactly own events are held")
		}
		p.End()
		if waits(t, g, one, 13, true) {
			t.Error("held after End")
		}
	})
}

// Property: whatever the order of Begin, append, End and Wait, an event appended
// after a Put's Begin is never let through before its End, and an event is never
// made to wait when no earlier Put of its scope runs.
func TestBarrier(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := New(0)
		type put struct {
			pass  *Pass
			c     id.Channel
			scope Scope
			after id.Sequence // events up to here were appended before Begin
		}
		var puts []put
		var appended id.Sequence
		channels := []id.Channel{one, two}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			c := rapid.SampledFrom(channels).Draw(t, "channel")
			switch rapid.IntRange(0, 3).Draw(t, "do") {
			case 0:
				scope := Scope(rapid.IntRange(0, 1).Draw(t, "scope"))
				puts = append(puts, put{g.Begin(c, scope), c, scope, appended})
			case 1:
				appended++
				g.Appended("net", appended)
			case 2:
				if len(puts) > 0 {
					i := rapid.IntRange(0, len(puts)-1).Draw(t, "ends")
					puts[i].pass.End()
					puts = append(puts[:i], puts[i+1:]...)
				}
			case 3:
				if appended == 0 {
					continue
				}
				s := id.Sequence(rapid.Uint64Range(1, uint64(appended)).Draw(t, "event"))
				want := false
				for _, p := range puts {
					want = want || p.after < s && (p.scope == Plug || p.c == c)
				}
				if got := g.Blocked(c, s, false); got != want {
					t.Fatalf("event %d in %s: blocked = %v, want %v", s, c, got, want)
				}
			}
		}
	})
}

func BenchmarkBeginEnd(b *testing.B) {
	g := New(0)
	for range 64 {
		defer g.Begin(two, Channel).End()
	}
	for b.Loop() {
		g.Begin(one, Channel).End()
	}
}

func BenchmarkWait(b *testing.B) {
	g := New(0)
	for range 64 {
		defer g.Begin(two, Channel).End()
	}
	ctx := context.Background()
	for b.Loop() {
		_ = g.Wait(ctx, one, 1, true)
	}
}
