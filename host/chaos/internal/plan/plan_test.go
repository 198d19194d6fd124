package plan

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
)

// The same seed draws the same plan, another seed another one.
func TestSeed(t *testing.T) {
	draw := func(seed uint64) *Plan {
		return New(Options{Seed: seed, Length: 2 * time.Minute, PerSecond: 12, FullDisk: true, Clock: true})
	}
	if a, b := draw(7), draw(7); !reflect.DeepEqual(a, b) {
		t.Error("a seed drew two plans")
	}
	if a, b := draw(7), draw(8); reflect.DeepEqual(a.Speech, b.Speech) || reflect.DeepEqual(a.Faults, b.Faults) {
		t.Error("two seeds drew the same")
	}
}

// 50 channels in 20 conversations, no plug twice in one, each plug somewhere; some of those
// that can migrate do, once each; and in two minutes each fault comes.
func TestPlan(t *testing.T) {
	faults := map[string]int{}
	for seed := range uint64(20) {
		p := New(Options{Seed: seed, Length: 2 * time.Minute, PerSecond: 12, FullDisk: true, Clock: true})
		members := slices.Concat(p.Conversations...)
		if len(p.Conversations) != conversations || len(members) != channels {
			t.Fatalf("seed %d: %d channels in %d conversations", seed, len(members), len(p.Conversations))
		}
		for _, c := range p.Conversations {
			for i, m := range c {
				if slices.ContainsFunc(c[:i], func(o ledger.Member) bool { return o.Plug == m.Plug }) {
					t.Errorf("seed %d: plug %s is twice in %v", seed, m.Plug, c)
				}
			}
		}
		for _, n := range p.Networks {
			if len(p.Sources(n.Plug)) == 0 {
				t.Errorf("seed %d: plug %s is in no conversation", seed, n.Plug)
			}
		}
		if len(p.Homes) != migrations {
			t.Errorf("seed %d: %d channels migrate", seed, len(p.Homes))
		}
		homes := map[ledger.Member]bool{}
		for to, home := range p.Homes {
			if n := p.Network(home.Plug); n.Account == nil || n.Calm || homes[home] || slices.Contains(members, to) || !slices.Contains(members, home) {
				t.Errorf("seed %d: %s migrates to %s", seed, home, to)
			}
			homes[home] = true
			if p.Home(to) != home || p.To(home) != to.Source || !slices.Equal(p.Others(to), p.Others(home)) {
				t.Errorf("seed %d: %s is not the home of %s", seed, home, to)
			}
		}
		here := map[string]bool{}
		for _, l := range p.Faults {
			for _, s := range l.Steps {
				here[s.Name] = true
			}
		}
		for name := range here {
			faults[name]++
		}
		tokens := map[ledger.Token]bool{}
		for _, l := range p.Speech {
			for _, s := range l.Steps {
				if s.Do == Say && tokens[s.Token] {
					t.Errorf("seed %d: %s is said twice", seed, s.Token)
				}
				tokens[s.Token] = tokens[s.Token] || s.Do == Say
			}
		}
	}
	for name, n := range faults {
		if n < 20 {
			t.Errorf("%q comes in %d of 20 plans", name, n)
		}
	}
}
