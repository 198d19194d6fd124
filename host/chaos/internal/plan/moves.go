package plan

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
)

// migrations is how many channels go on under another source in a run of any length, each
// once, and the last long enough before the end that people still talk there.
const migrations = 16

// moves draws the lane of migrations: channels of simulated networks, each plug's in turn.
// Each comes while messages are on their way to the channel and out of it.
func (p *Plan) moves(o Options) {
	const name = "migrations"
	if o.Only != "" && o.Only != name {
		return
	}
	d := draw(o.Seed, "faults "+name)
	l := Lane{Name: name}
	homes := p.restless(d)
	kinds := []Do{Migrate, Migrate, Migrate, MigrateHeld, MigrateHeld, MigrateKillPlug, MigrateKillPlug, MigrateKillHost}
	last := o.Length * 4 / 5
	var deck []int
	for i, home := range homes {
		if len(deck) == 0 {
			deck = d.Perm(len(kinds))
		}
		s := Step{Do: kinds[deck[0]], Member: home, To: home.Source + "-moved"}
		deck = deck[1:]
		s.Name = string(s.Do)
		every := max(0, last-calmFirst) / time.Duration(len(homes))
		s.At = calmFirst + every*time.Duration(i) + between(d, 0, every)
		switch s.Do {
		case MigrateHeld:
			s.For = between(d, 300*time.Millisecond, 4*time.Second)
		case MigrateKillHost:
			s.For, s.At = between(d, 0, time.Second), p.afterLate(s.At)
		}
		p.burst(d, &s, append(p.Others(home), home), 3, 10)
		p.change(&s)
		p.Homes[ledger.Member{Plug: home.Plug, Source: s.To}] = home
		l.Steps = append(l.Steps, s)
	}
	slices.SortStableFunc(l.Steps, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
	p.Faults = append(p.Faults, l)
}

// afterLate is a time for a kill of the host at which no late answer is waited for: a host
// that is killed before never hears it, and other lanes kill it often enough.
func (p *Plan) afterLate(at time.Duration) time.Duration {
	for _, l := range p.Faults {
		for _, s := range l.Steps {
			if end := s.At + s.For + time.Second; s.Do == LateAnswer && at > s.At-2*time.Second && at < end {
				at = end
			}
		}
	}
	return at
}

// change has the first messages of the burst in each channel changed after it: they are of
// before the migration, if any are.
func (p *Plan) change(s *Step) {
	first := 0
	for i, said := range s.Burst {
		if said.Member != s.Burst[first].Member {
			first = i
		}
		c := Step{Member: said.Member, Token: said.Token, Author: said.Author}
		switch i - first {
		case 0:
			c.Do, c.Revision = Edit, 1
			c.Text = ledger.Mark(c.Token, c.Revision) + " after the burst"
		case 1:
			c.Do = Delete
		case 2:
			c.Do, c.Author, c.Reaction = React, "Ida", reactions[0]
		default:
			continue
		}
		if p.Network(said.Plug).Use != "mqtt" {
			s.Changes = append(s.Changes, c)
		}
	}
}

// restless draws the channels that migrate: each plug's in turn, as far as somebody beside
// a webchat talks to them.
func (p *Plan) restless(d *rand.Rand) (homes []ledger.Member) {
	of := map[string][]ledger.Member{}
	for _, m := range slices.Concat(p.Conversations...) {
		n := p.Network(m.Plug)
		if n.Account == nil || n.Calm || !slices.ContainsFunc(p.Others(m), func(o ledger.Member) bool { return p.Network(o.Plug).Use != "webchat" }) {
			continue
		}
		of[m.Plug] = append(of[m.Plug], m)
	}
	order := d.Perm(len(p.Networks))
	for len(of) > 0 {
		for _, i := range order {
			plug := p.Networks[i].Plug
			here := of[plug]
			if len(here) == 0 {
				delete(of, plug)
				continue
			}
			if len(homes) == migrations {
				return homes
			}
			j := d.IntN(len(here))
			homes = append(homes, here[j])
			of[plug] = slices.Delete(here, j, j+1)
		}
	}
	return homes
}

// Home is the member that a channel is, whatever source it has gone on to: the one that
// the config names.
func (p *Plan) Home(m ledger.Member) ledger.Member {
	if home, moved := p.Homes[m]; moved {
		return home
	}
	return m
}

// To is the source that a member's channel goes on to; empty if it stays.
func (p *Plan) To(home ledger.Member) string {
	for to, of := range p.Homes {
		if of == home {
			return to.Source
		}
	}
	return ""
}
