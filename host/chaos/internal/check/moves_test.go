package check

import (
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/host/chaos/internal/record"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// waits has messages said, and accepted for both others; they are sent to one of them.
func (m *made) waits(tokens ...ledger.Token) (waiting []*record.Operation) {
	for _, t := range tokens {
		m.does(ledger.Said, t, 0)
		waiting = append(waiting, m.accepts(exactly, ledger.Said, t, 0))
		m.sends(atLeast, ledger.Said, t, 0, nil)
	}
	return waiting
}

// sendsOn sends what waited.
func (m *made) sendsOn(op *record.Operation) *ledger.Line {
	m.attempts(op)
	l := m.takes(op, nil)
	m.settles(op, sent, "")
	return l
}

// twoSides is an operation of a network that takes it twice as one, there before and after a
// migration.
func (m *made) twoSides() *record.Operation {
	m.Plan.Networks[1].Once = plan.Idempotent
	op := m.waits(1)[0]
	m.attempts(op)
	m.takes(op, nil)
	m.migrates(exactly)
	m.sendsOn(op).ID = "another"
	return op
}

// What is demanded of a channel is demanded over its migration.
func TestMigrations(t *testing.T) {
	online := ledger.Line{Kind: ledger.Online, Member: ledger.Member{Plug: "from"}, Connection: "c1"}
	offline := ledger.Line{Kind: ledger.Offline, Member: ledger.Member{Plug: "from"}, Connection: "c1"}
	leaves := func(m *made, kind ledger.Kind, soon time.Duration) {
		m.line(online)
		m.says(1)
		m.migrates(from)
		l := ledger.Line{Kind: kind, Member: from, ID: "m00001", By: ledger.Stranger, Text: ledger.Mark(1, 1)}
		if kind == ledger.Reacted {
			l.Text, l.Reaction = "", "👍"
		}
		m.line(l)
		m.now = m.now.Add(soon)
		m.line(offline)
	}
	for name, c := range map[string]struct {
		make func(m *made)
		want string // kinds of violations, with commas
	}{
		"all is well": {make: func(m *made) {
			there := m.says(1)
			waiting := m.waits(2, 3)
			m.migrates(exactly)
			m.migrates(from)
			for _, op := range waiting {
				m.sendsOn(op)
			}
			m.changes(ledger.Edited, 1, 1, there)
			// Ids begin anew, and copies too.
			m.said[4] = about{m.under(from), "m00001"}
			after := m.says(4)
			m.changes(ledger.Edited, 4, 1, after)
			m.changes(ledger.Reacted, 4, 0, after)
			m.changes(ledger.Deleted, 1, 0, there)
		}},
		"what waited is lost": {want: "lost", make: func(m *made) {
			op := m.waits(1)[0]
			m.migrates(exactly)
			m.attempts(op)
			m.settles(op, sent, "")
		}},
		"what waited is left waiting": {want: "left waiting,lost", make: func(m *made) {
			op := m.waits(1)[0]
			m.migrates(exactly)
			m.Record.ByID[op.ID] = op
			m.says(2)
			m.forget(m.Record.ByID["said 2.0 for exactly"])
		}},
		"said in the new source, and the journal has no event": {want: "lost", make: func(m *made) {
			m.migrates(from)
			m.line(ledger.Line{Kind: ledger.Said, Member: m.under(from), ID: "m00001", By: ledger.Stranger, Text: ledger.Mark(1, 0)})
		}},
		"said in the new source, and not sent": {want: "lost", make: func(m *made) {
			m.migrates(from)
			m.forget(m.says(1)[exactly])
		}},
		"the migration itself is not in the journal": {want: "migration lost", make: func(m *made) {
			m.migrates(from)
			m.Record.Events = nil
		}},
		"what waited comes in another order": {want: "reordered", make: func(m *made) {
			waiting := m.waits(1, 2)
			m.migrates(exactly)
			m.sendsOn(waiting[1])
			m.sendsOn(waiting[0])
		}},
		"what was said before comes after what was said in the new source": {want: "reordered", make: func(m *made) {
			op := m.waits(1)[0]
			m.migrates(from)
			m.says(2)
			m.sendsOn(op)
		}},
		"a reply that may have been sent before, parked": {make: func(m *made) {
			op := m.waits(1)[0]
			m.attempts(op)
			m.migrates(exactly)
			m.attempts(op)
			m.parks(op, plugv1.Verdict_VERDICT_TARGET_GONE)
		}},
		"a reply that was tried after the migration only, parked": {want: "lost", make: func(m *made) {
			op := m.waits(1)[0]
			m.migrates(exactly)
			m.attempts(op)
			m.attempts(op)
			m.parks(op, plugv1.Verdict_VERDICT_TARGET_GONE)
		}},
		"sent to the old source": {want: "to the old source", make: func(m *made) {
			m.migrates(exactly)
			m.says(1)
			m.Lines[exactly.Plug][1].Member = exactly
		}},
		"the old source asked for, of what came later": {want: "to the old source", make: func(m *made) {
			m.migrates(exactly)
			m.says(1)[exactly].Attempts[0].Source = exactly.Source
		}},
		"the old source asked for, of what waited": {make: func(m *made) {
			op := m.waits(1)[0]
			m.migrates(exactly)
			m.sendsOn(op)
			op.Attempts[0].Source = exactly.Source
		}},
		"bridged back into the new source": {want: "bridged back", make: func(m *made) {
			op := m.says(1)[exactly]
			m.migrates(from)
			m.line(ledger.Line{Kind: ledger.Said, Member: m.under(from), ID: "back", By: ledger.Host, Operation: op.ID, Text: op.Text})
		}},
		"bridged back into the old source": {want: "bridged back,to the old source", make: func(m *made) {
			m.migrates(from)
			op := m.says(1)[exactly]
			m.line(ledger.Line{Kind: ledger.Said, Member: from, ID: "back", By: ledger.Host, Operation: op.ID, Text: op.Text})
		}},
		"edit missing where it stands": {want: "edit missing", make: func(m *made) {
			there := m.says(1)
			m.migrates(exactly)
			m.forget(m.changes(ledger.Edited, 1, 1, there)[exactly])
		}},
		"edit of another message of the same id in the new source": {want: "edit missing", make: func(m *made) {
			there := m.says(1)
			m.migrates(exactly)
			edit := m.changes(ledger.Edited, 1, 1, there)[exactly]
			for i := range m.Lines[exactly.Plug] {
				if l := &m.Lines[exactly.Plug][i]; l.Operation == edit.ID {
					l.Member = m.under(exactly)
				}
			}
		}},
		"an answer to another message of the same id": {want: "wrong reply", make: func(m *made) {
			m.says(1)
			m.migrates(exactly)
			m.says(2)
			m.Lines[from.Plug][1].ReplyTo = "m00001"
			for _, to := range []ledger.Member{exactly, atLeast} {
				l := &m.Lines[to.Plug][len(m.Lines[to.Plug])-1]
				l.ReplyTo = "copy of said 1.0 for " + to.Plug
			}
		}},
		"edited where its channel was before, its plug gone":  {make: func(m *made) { leaves(m, ledger.Edited, goneSoon/2) }},
		"edited where its channel was before, its plug there": {want: "lost", make: func(m *made) { leaves(m, ledger.Edited, goneSoon) }},
		"felt where its channel was before, its plug gone":    {make: func(m *made) { leaves(m, ledger.Reacted, goneSoon/2) }},
		"felt where its channel was before, its plug there":   {want: "reaction missing", make: func(m *made) { leaves(m, ledger.Reacted, goneSoon) }},
		"twice, before the migration and after it":            {make: func(m *made) { m.twoSides() }},
		"twice, before and after, by one attempt":             {want: "twice", make: func(m *made) { m.twoSides().Attempts[1].Uncertain = 1 }},
		"twice, after the migration": {want: "twice", make: func(m *made) {
			op := m.twoSides()
			m.takes(op, nil).ID = "a third"
		}},
		"twice, before and after, where echoes tell": {want: "twice", make: func(m *made) {
			op := m.twoSides()
			m.Plan.Networks[1].Once = plan.ByEcho
			m.event(record.Event{Member: exactly, ID: "echo", MessageID: "echo", Kind: ledger.Said, Operation: op.ID}).Sequence = 0
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMade()
			c.make(m)
			if got := strings.Join(m.kinds(), ","); got != c.want {
				t.Errorf("it reports %q, want %q", got, c.want)
				for _, v := range Check(m.Run).Violations {
					t.Log(v)
				}
			}
		})
	}
}

// A message is named by its source too: the same id is another message's elsewhere.
func TestYieldsAfterAMigration(t *testing.T) {
	m := newMade()
	op := m.says(1)[exactly]
	m.Yields = []Yield{
		{Stream: 1, Member: exactly, MessageID: Named("1", "x"), Time: m.now},
		{Stream: 1, Settled: op.ID, Member: exactly, Receipts: []string{Named("1-moved", "x")}},
	}
	if got := m.kinds(); len(got) > 0 {
		t.Errorf("it reports %q", got)
	}
}

// A run without migrations, or without what makes them hard, is known by its count.
func TestCountsOfMigrations(t *testing.T) {
	m := newMade()
	there := m.says(1)
	waiting := m.waits(2, 3)
	m.attempts(waiting[0])
	m.migrates(exactly)
	m.migrates(from)
	for _, op := range waiting {
		m.sendsOn(op)
	}
	m.changes(ledger.Edited, 1, 1, there)
	m.says(4)
	got := Counts(m.Run)
	for what, n := range map[string]int{
		Moved: 2, MovedHeard: 2, MovedWaiting: 1, MovedTrying: 1, MovedLate: 2, MovedHost: 3, MovedSaid: 1, MovedOld: 1, MovedChanged: 1,
	} {
		if got[what] != n {
			t.Errorf("%q is counted %d times, want %d", what, got[what], n)
		}
	}
}
