package loop

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plughost/plughost/host/hook"
)

// Member is one channel of a conversation.
type Member struct {
	Channel hook.Channel
	// Reads: messages go from it into the conversation. Writes: the other way.
	Reads, Writes bool
}

// Conversation is a set of channels that hear each other.
type Conversation struct {
	Name    string
	Members []Member
}

// Step is a message in a conversation, having come in by one of its members. Both
// are indexes.
type Step struct{ Conversation, By int }

// Doubled is a pair of channels that two conversations connect in the same
// direction.
type Doubled struct {
	// From and To are the channels, as the two conversations have them.
	From, To [2]Step
}

// Find returns the circles, each as the steps of a message that comes back to
// the first, and the doubled pairs of conversations that make no circle.
func Find(conversations []Conversation) ([][]Step, []Doubled) {
	f := &finder{
		conversations: conversations,
		memberships:   map[hook.Channel][]Step{},
		state:         map[Step]state{},
		reported:      map[string]bool{},
	}
	for i, c := range conversations {
		for j, m := range c.Members {
			f.memberships[m.Channel] = append(f.memberships[m.Channel], Step{i, j})
		}
	}
	// Only what is in two conversations leads from one to another.
	f.shared = make([][]int, len(conversations))
	for i, c := range conversations {
		for j, m := range c.Members {
			if len(f.memberships[m.Channel]) > 1 {
				f.shared[i] = append(f.shared[i], j)
			}
		}
	}
	for i, shared := range f.shared {
		for _, j := range shared {
			if s := (Step{i, j}); f.member(s).Reads && f.state[s] == unseen {
				f.follow(s)
			}
		}
	}
	f.double()
	return f.circles, f.doubled
}

type state int

const (
	unseen state = iota
	onPath
	done
)

type finder struct {
	conversations []Conversation
	memberships   map[hook.Channel][]Step
	shared        [][]int // members in more than one conversation, by conversation

	state    map[Step]state
	path     []Step
	reported map[string]bool // by the conversations that take part

	circles [][]Step
	doubled []Doubled
}

func (f *finder) member(s Step) Member { return f.conversations[s.Conversation].Members[s.By] }

// follow follows a message from conversation to conversation, depth first.
func (f *finder) follow(s Step) {
	f.state[s] = onPath
	f.path = append(f.path, s)
	for _, next := range f.next(s) {
		switch f.state[next] {
		case unseen:
			f.follow(next)
		case onPath:
			circle := f.path[slices.Index(f.path, next):]
			if f.first(circle) {
				f.circles = append(f.circles, slices.Clone(circle))
			}
		}
	}
	f.path = f.path[:len(f.path)-1]
	f.state[s] = done
}

// next gives where a message goes on to: out by another member of its
// conversation, and from there into other conversations.
func (f *finder) next(s Step) []Step {
	var steps []Step
	for _, j := range f.shared[s.Conversation] {
		out := f.conversations[s.Conversation].Members[j]
		if j == s.By || !out.Writes {
			continue
		}
		for _, in := range f.memberships[out.Channel] {
			if in.Conversation != s.Conversation && f.member(in).Reads {
				steps = append(steps, in)
			}
		}
	}
	return steps
}

// double finds the pairs of channels that two conversations connect in the same
// direction.
func (f *finder) double() {
	for i, shared := range f.shared {
		for _, j := range shared {
			from := Step{i, j}
			for _, alsoFrom := range f.memberships[f.member(from).Channel] {
				if alsoFrom.Conversation <= i || !f.member(from).Reads || !f.member(alsoFrom).Reads {
					continue
				}
				f.doubleFrom(from, alsoFrom)
			}
		}
	}
}

func (f *finder) doubleFrom(from, alsoFrom Step) {
	for _, k := range f.shared[from.Conversation] {
		to := Step{from.Conversation, k}
		for _, alsoTo := range f.memberships[f.member(to).Channel] {
			if to == from || alsoTo.Conversation != alsoFrom.Conversation || alsoTo == alsoFrom {
				continue
			}
			if f.member(to).Writes && f.member(alsoTo).Writes && f.first([]Step{from, alsoFrom}) {
				f.doubled = append(f.doubled, Doubled{From: [2]Step{from, alsoFrom}, To: [2]Step{to, alsoTo}})
			}
		}
	}
}

// first says whether this is the first that is found of these conversations.
func (f *finder) first(steps []Step) bool {
	var indexes []int
	for _, s := range steps {
		indexes = append(indexes, s.Conversation)
	}
	slices.Sort(indexes)
	key := strings.Trim(fmt.Sprint(slices.Compact(indexes)), "[]")
	if f.reported[key] {
		return false
	}
	f.reported[key] = true
	return true
}
