package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
)

// Plan is a whole run.
type Plan struct {
	Seed          uint64
	Networks      []Network
	Conversations [][]ledger.Member
	// Homes are the channels that migrate, by the source that each goes on to.
	Homes map[ledger.Member]ledger.Member
	// Speech has a lane for each channel, Faults one for each that can fail by itself.
	Speech, Faults []Lane
	// Last is the first token that the speech doesn't use.
	Last ledger.Token
}

// Options of a plan.
type Options struct {
	Seed   uint64
	Length time.Duration
	// FullDisk has the disk run full.
	FullDisk bool
	// Clock has the host's clock jump.
	Clock bool
	// Only is the one lane of faults that there is; empty: all.
	Only string
	// PerSecond is how much is said and done over all channels.
	PerSecond float64
}

// conversations of a run, and channels in all of them.
const (
	conversations = 20
	channels      = 50
)

// New draws a plan.
func New(o Options) *Plan {
	p := &Plan{Seed: o.Seed, Networks: Networks(), Homes: map[ledger.Member]ledger.Member{}, Last: 1}
	p.converse(draw(o.Seed, "conversations"))
	members := slices.Concat(p.Conversations...)
	for _, m := range members {
		d := draw(o.Seed, "speech "+m.String())
		p.Speech = append(p.Speech, p.speech(d, m, o.Length, o.PerSecond/float64(len(members))))
	}
	p.faults(o)
	p.moves(o)
	return p
}

// draw gives each part of a plan numbers of its own, so that a change of one part
// leaves the others as they are.
func draw(seed uint64, part string) *rand.Rand {
	var second uint64 = 14695981039346656037 // FNV-1a
	for _, b := range []byte(part) {
		second = (second ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(seed, second))
}

// converse spreads the channels over conversations. No plug is twice in one, since two
// channels of one plug would hide from each other whose echo it is.
func (p *Plan) converse(d *rand.Rand) {
	made := map[string]int{}
	var deck []int
	for i := range conversations {
		size := channels / conversations
		if i < channels%conversations {
			size++
		}
		var members []ledger.Member
		for skipped := []int(nil); len(members) < size; {
			if len(deck) == 0 {
				deck = slices.DeleteFunc(d.Perm(len(p.Networks)), func(n int) bool { return slices.Contains(skipped, n) })
			}
			n := deck[0]
			deck = deck[1:]
			if slices.ContainsFunc(members, func(m ledger.Member) bool { return m.Plug == p.Networks[n].Plug }) {
				skipped = append(skipped, n)
				continue
			}
			plug := p.Networks[n].Plug
			made[plug]++
			members = append(members, ledger.Member{Plug: plug, Source: fmt.Sprintf("%s%d", plug, made[plug])})
		}
		p.Conversations = append(p.Conversations, members)
	}
}

// Network finds a network by its plug.
func (p *Plan) Network(plug string) *Network {
	for i := range p.Networks {
		if p.Networks[i].Plug == plug {
			return &p.Networks[i]
		}
	}
	return nil
}

// Sources are the channels of a plug.
func (p *Plan) Sources(plug string) (sources []string) {
	for _, m := range slices.Concat(p.Conversations...) {
		if m.Plug == plug {
			sources = append(sources, m.Source)
		}
	}
	return sources
}

// Others are the other members of a member's conversation, whatever source it has now.
func (p *Plan) Others(m ledger.Member) []ledger.Member {
	m = p.Home(m)
	for _, c := range p.Conversations {
		if i := slices.Index(c, m); i >= 0 {
			return slices.Delete(slices.Clone(c), i, i+1)
		}
	}
	return nil
}

// Stay is a last message for each channel, to be said when the faults are over.
func (p *Plan) Stay() (steps []Step) {
	for _, m := range slices.Concat(p.Conversations...) {
		steps = append(steps, Step{Do: Say, Member: m, Token: p.Last, Author: "Zoe", Text: ledger.Mark(p.Last, 0) + " the last word here"})
		p.Last++
	}
	return steps
}
