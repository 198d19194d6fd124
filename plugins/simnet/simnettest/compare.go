package simnettest

import (
	"errors"
	"fmt"
	"strings"
)

// Member is one channel of a conversation: what is said in it has to arrive in all
// others.
type Member struct {
	// Name is for reports; the channel's if empty.
	Name    string
	Ledger  []Entry
	Channel string
	// Text is what an accepted message is compared by; nil: its text. A test sets it
	// to take an author's name off the front.
	Text func(Entry) string
}

// Report is what became of a conversation.
type Report struct {
	// Delivered is how many messages arrived where they should, repeats not counted.
	Delivered int
	// Missing did not arrive.
	Missing []Finding
	// Doubled arrived once more than they should.
	Doubled []Finding
	// Reordered arrived behind a message that was said after them.
	Reordered []Finding
	// BridgedBack arrived in the channel in which they were said: an echo that was
	// taken for a message.
	BridgedBack []Finding
	// Unexpected arrived and were said by no stranger: what an account said on
	// another device, say.
	Unexpected []Finding
}

// Finding is one message that is not as it should be.
type Finding struct {
	// From is where it was said; empty if that is not known. To is where it arrived
	// or should have.
	From, To string
	// Entry is its line in the ledger: of its arrival, or for Missing of its origin.
	Entry Entry
}

// Compare judges a conversation: each message of a stranger is accepted in each
// other channel exactly once, in the order in which it was emitted, and nothing
// else is. Messages are told apart by their texts; the same text said twice has to
// arrive twice.
func Compare(members ...Member) Report {
	var r Report
	for i := range members {
		r.arrivals(members, i)
	}
	return r
}

// said is one message that has to arrive.
type said struct {
	member int
	place  int
	entry  Entry
}

// arrivals compares what arrived in members[to] with what was said in the others.
func (r *Report) arrivals(members []Member, to int) {
	target := members[to]
	here := map[string]bool{}
	for _, e := range target.Ledger {
		if e.Kind == Emitted && e.Channel == target.Channel {
			here[e.Text] = true
		}
	}
	expected := map[string][]said{}
	var order []said
	for i, m := range members {
		if i == to {
			continue
		}
		for place, e := range m.Ledger {
			// What an account itself says on another device is its own: not bridged.
			if e.Kind == Emitted && e.Channel == m.Channel && e.Account == "" {
				s := said{i, place, e}
				expected[e.Text] = append(expected[e.Text], s)
				order = append(order, s)
			}
		}
	}
	arrived := map[string]string{}
	last := make([]int, len(members))
	for _, e := range target.Ledger {
		if e.Kind != Accepted || e.Channel != target.Channel {
			continue
		}
		text := e.Text
		if target.Text != nil {
			text = target.Text(e)
		}
		f := Finding{To: target.name(), Entry: e}
		if waiting := expected[text]; len(waiting) > 0 {
			s := waiting[0]
			expected[text] = waiting[1:]
			f.From = members[s.member].name()
			arrived[text] = f.From
			r.Delivered++
			if s.place < last[s.member] {
				r.Reordered = append(r.Reordered, f)
			}
			last[s.member] = max(last[s.member], s.place)
			continue
		}
		from, again := arrived[text]
		switch {
		case again:
			f.From = from
			r.Doubled = append(r.Doubled, f)
		case here[text]:
			f.From = target.name()
			r.BridgedBack = append(r.BridgedBack, f)
		default:
			r.Unexpected = append(r.Unexpected, f)
		}
	}
	for _, s := range order {
		for _, left := range expected[s.entry.Text] {
			if left.member == s.member && left.place == s.place {
				r.Missing = append(r.Missing, Finding{members[s.member].name(), target.name(), s.entry})
			}
		}
	}
}

func (m Member) name() string {
	if m.Name != "" {
		return m.Name
	}
	return m.Channel
}

// Err is nil if every message arrived once and in order, and nothing else did.
func (r Report) Err() error {
	var all []error
	for _, kind := range []struct {
		what string
		list []Finding
	}{
		{"missing", r.Missing},
		{"doubled", r.Doubled},
		{"out of order", r.Reordered},
		{"bridged back", r.BridgedBack},
		{"unexpected", r.Unexpected},
	} {
		if len(kind.list) > 0 {
			all = append(all, fmt.Errorf("%d messages are %s: %s", len(kind.list), kind.what, some(kind.list)))
		}
	}
	return errors.Join(all...)
}

// some shows the first few findings.
func some(list []Finding) string {
	const few = 5
	var words []string
	for _, f := range list[:min(few, len(list))] {
		text := f.Entry.Text
		if len(text) > 40 {
			text = text[:40] + "…"
		}
		words = append(words, fmt.Sprintf("%q (%s to %s, line %d)", text, f.From, f.To, f.Entry.N))
	}
	if len(list) > few {
		words = append(words, "…")
	}
	return strings.Join(words, ", ")
}
