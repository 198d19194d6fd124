package moves_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/moves"
)

func at(s string) id.Channel { return id.Channel{Network: "n", Source: id.ChannelSource(s)} }

func open(t *testing.T, store *storage.Memory) *moves.Moves {
	t.Helper()
	j, err := journal.Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	m, err := moves.Open(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func move(t *testing.T, m *moves.Moves, from, to string) {
	t.Helper()
	if err := m.Moved(t.Context(), at(from), id.ChannelSource(to)); err != nil {
		t.Fatal(err)
	}
}

// A channel is followed over several moves and back, from whichever name it is told, and
// after a restart; other channels and networks stay where they are.
func TestMovesAreFollowed(t *testing.T) {
	store := storage.NewMemory()
	m := open(t, store)
	for _, step := range []struct {
		from, to, now string
		names         []id.ChannelSource
	}{
		{"a", "b", "b", []id.ChannelSource{"a", "b"}},
		{"a", "b", "b", []id.ChannelSource{"a", "b"}}, // said again
		{"b", "c", "c", []id.ChannelSource{"a", "b", "c"}},
		{"a", "d", "d", []id.ChannelSource{"a", "b", "c", "d"}},
		{"d", "a", "a", []id.ChannelSource{"b", "c", "d", "a"}},
		{"a", "b", "b", []id.ChannelSource{"c", "d", "a", "b"}},
	} {
		move(t, m, step.from, step.to)
		store = store.Restart()
		for life, m := range []*moves.Moves{m, open(t, store)} {
			for _, name := range step.names {
				if m.Home(at(string(name))) != at("a") || m.Now(at(string(name))) != at(step.now) || !slices.Equal(m.Names(at(string(name))), step.names) {
					t.Errorf("life %d, after %s to %s: %s is of %v, now %v, with the names %v", life, step.from, step.to, name,
						m.Home(at(string(name))), m.Now(at(string(name))), m.Names(at(string(name))))
				}
			}
			if other := (id.Channel{Network: "other", Source: "b"}); m.Home(other) != other || m.Now(other) != other || m.Home(at("x")) != at("x") {
				t.Errorf("life %d: others have moved too", life)
			}
		}
		m = open(t, store)
	}
}

// Whoever keeps what Home and Now answered is told by the version that it may be another.
func TestVersion(t *testing.T) {
	m := open(t, storage.NewMemory())
	last := m.Version()
	changed := func(what string, want bool) {
		t.Helper()
		if now := m.Version(); (now != last) != want {
			t.Errorf("%s: the version was %d and is %d", what, last, now)
		}
		last = m.Version()
	}
	move(t, m, "a", "b")
	changed("moved", true)
	move(t, m, "a", "b")
	changed("said again", false)
	m.Named("net", []id.ChannelSource{"b"})
	changed("named", true)
	m.Home(at("b"))
	changed("asked", false)
}

// A source that the config names stays a home, though another channel has moved there:
// the two are one from then on.
func TestNamedSourceStaysAHome(t *testing.T) {
	m := open(t, storage.NewMemory())
	m.Named("n", []id.ChannelSource{"a", "b"})
	if one, other, met := m.Met("n"); met {
		t.Errorf("%s and %s have met", one, other)
	}
	move(t, m, "a", "b")
	if m.Home(at("b")) != at("b") || m.Now(at("a")) != at("b") {
		t.Errorf("b is of %v, a is now %v", m.Home(at("b")), m.Now(at("a")))
	}
	if one, other, met := m.Met("n"); !met || one != "a" || other != "b" {
		t.Errorf("%s and %s have met: %v", one, other, met)
	}
	m.Named("n", []id.ChannelSource{"a"})
	if m.Home(at("b")) != at("a") {
		t.Errorf("b is of %v once the config doesn't name it", m.Home(at("b")))
	}
}

// D5: moves are bounded.
func TestMovesAreBounded(t *testing.T) {
	m := open(t, storage.NewMemory())
	for i := range 10_000 {
		move(t, m, "a", fmt.Sprint(i))
	}
	if err := m.Moved(t.Context(), at("a"), "one more"); !errors.Is(err, moves.ErrTooMany) || m.Now(at("a")) != at("9999") {
		t.Errorf("one more: %v; it is now %v", err, m.Now(at("a")))
	}
}
