package check

import (
	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/host/chaos/internal/record"
)

// The sentences that allow what comes of a channel's migration alone.
const (
	allowLeft       = `never heard, done in the source that its channel had left (ChannelMigrated: "goes on from the old one's if it is started under the old source again: the host does that until it has the new one's")`
	allowBothSides  = `there in the source before the migration and in that after it, since an attempt before it was uncertain (IdempotentPut: "answers a known operation id with the message it already has"; identity: a message is "(network_id, channel source, message id)", and the new source has none)`
	allowLeftTarget = `parked, a reply that may have been sent to the source before the migration, which the new one has nothing for (contract, verdict TARGET_GONE: "reply → quote"; but UNCERTAIN is "may have been sent", and the quote would be another message beside it)`
)

// move is a channel's migration as its network had it happen.
type move struct {
	ledger.Line
	home, to ledger.Member
	// journaled is the event of it; nil if the journal has none.
	journaled *record.Event
}

// findMoves gives the migrations of a run, by the source that was left.
func findMoves(r Run) map[ledger.Member]*move {
	moves := map[ledger.Member]*move{}
	for plug, lines := range r.Lines {
		for _, l := range lines {
			if l.Kind == ledger.Moved {
				moves[l.Member] = &move{Line: l, home: r.Plan.Home(l.Member), to: ledger.Member{Plug: plug, Source: l.Detail}}
			}
		}
	}
	for _, e := range r.Record.Events {
		if m := moves[e.Member]; m != nil && e.Kind == ledger.Moved && m.journaled == nil {
			m.journaled = e
		}
	}
	return moves
}

// migrations checks that the journal follows each, and that nothing goes to where a channel
// was before.
func (c *checker) migrations() {
	for _, n := range c.Plan.Networks {
		for _, l := range c.Lines[n.Plug] {
			m := c.moves[l.Member]
			switch {
			case m == nil:
			case l.Kind == ledger.Moved && m.journaled == nil && !c.unheard(l):
				c.violate("D1", "migration lost", 0, l.Member, "the journal has no event of it: %s", l)
			case l.N > m.N && l.Kind == ledger.Said && l.By == ledger.Host:
				t, _, _ := ledger.Find(l.Text)
				c.violate("contract, ChannelMigrated", "to the old source", t, l.Member, "it was sent there after %s: %s", m.Line, l)
			}
		}
	}
	for _, op := range c.Record.Operations {
		m := c.moves[op.Member]
		if op.Kind != ledger.Said || m == nil || m.journaled == nil || op.Sequence < m.journaled.Sequence {
			continue
		}
		for _, a := range op.Attempts {
			if a.Source != m.to.Source {
				c.violate("contract, ChannelMigrated", "to the old source", c.token(op), op.Member, "attempt %d of operation %s, accepted after the migration was in the journal, asked for %q", a.Number, op.ID, a.Source)
			}
		}
	}
}

// left tells whether a line is of what somebody did in a source after its channel had left
// it, and its plug need not have been there any more: once it has been started since, it
// was asked for the new one.
func (c *checker) left(l ledger.Line) bool {
	m := c.moves[l.Member]
	if m == nil || l.N < m.N {
		return false
	}
	online := "" // the connection that was there when it migrated
	for _, o := range c.Lines[l.Plug] {
		switch {
		case o.Kind == ledger.Online && o.N < m.N:
			online = o.Connection
		case o.Kind != ledger.Offline || o.Connection != online:
		case o.N < m.N:
			online = ""
		default:
			return o.N < l.N || o.Time.Sub(l.Time) < goneSoon
		}
	}
	return online == ""
}

// leftReaction tells whether somebody felt something, or no more, in a source that its
// channel had left.
func (c *checker) leftReaction(s *source, reaction string) bool {
	for _, l := range c.Lines[s.Plug] {
		about := l.Member == s.Member && l.ID == s.ID && l.Reaction == reaction && l.By == ledger.Stranger
		if about && (l.Kind == ledger.Reacted || l.Kind == ledger.Unreacted) && c.left(l) {
			return true
		}
	}
	return false
}

// leftTarget tells whether an attempt that may have been sent was made before a migration,
// and the last one after it.
func leftTarget(op *record.Operation) bool {
	n := len(op.Attempts)
	return op.Kind == ledger.Said && op.Uncertain() > 1 && op.Attempts[0].Source != op.Attempts[n-1].Source
}

// bothSides tells whether the copies that one operation made on a network that knows its id
// are one in the source before a migration and one in that after it: there it doesn't know
// it.
func (c *checker) bothSides(op *record.Operation) bool {
	if c.Plan.Network(op.Plug).Once != plan.Idempotent || op.Uncertain() < 2 {
		return false
	}
	m := c.moves[op.Member]
	if m == nil {
		return false
	}
	before, after := 0, 0
	for _, l := range c.Lines[op.Plug] {
		if l.Kind != ledger.Said || l.Operation != op.ID && l.Operation != op.Fallback {
			continue
		}
		switch l.Member {
		case m.Member:
			before++
		case m.to:
			after++
		}
	}
	return before == 1 && after == 1
}

// What a count names of migrations.
const (
	Moved        = "migrated"
	MovedHeard   = "migrated, and the journal knows by an event"
	MovedWaiting = "migrated while something waited"
	MovedTrying  = "migrated in the middle of an attempt"
	MovedLate    = "accepted before a migration, sent to the new source"
	MovedHost    = "sent to a new source"
	MovedSaid    = "said in a new source, and in the journal"
	MovedOld     = "changed where it stands, in the source that its channel had left"
	MovedChanged = "changed by somebody in the source that its channel had left, and in the journal"
)

// countMoves counts what came of migrations.
func countMoves(r Run, counts map[string]int) {
	moves := findMoves(r)
	to := map[ledger.Member]*move{}
	for _, m := range moves {
		to[m.to] = m
		counts[Moved]++
		if m.journaled != nil {
			counts[MovedHeard]++
		}
		waiting, trying := false, false
		for _, op := range r.Record.Operations {
			if op.Member != m.home || op.Time.After(m.Time) || op.Settled != nil && op.Settled.Time.Before(m.Time) {
				continue
			}
			waiting = true
			trying = trying || len(op.Attempts) > 0 && op.Attempts[0].Time.Before(m.Time)
		}
		count(counts, waiting, MovedWaiting)
		count(counts, trying, MovedTrying)
	}
	for _, lines := range r.Lines {
		for _, l := range lines {
			if m := to[l.Member]; m != nil && l.Kind == ledger.Said && l.By == ledger.Host {
				counts[MovedHost]++
				op := r.Record.ByID[l.Operation]
				count(counts, op != nil && op.Time.Before(m.Time), MovedLate)
			}
			changes := l.Kind == ledger.Edited || l.Kind == ledger.Deleted || l.Kind == ledger.Reacted || l.Kind == ledger.Unreacted
			if m := moves[l.Member]; m != nil && l.N > m.N && changes && l.By == ledger.Host {
				counts[MovedOld]++
			}
		}
	}
	for _, e := range r.Record.Events {
		m := moves[e.Member]
		count(counts, to[e.Member] != nil && e.Kind == ledger.Said && e.Operation == "", MovedSaid)
		count(counts, m != nil && m.journaled != nil && e.Sequence > m.journaled.Sequence && e.Kind != "", MovedChanged)
	}
}

func count(counts map[string]int, happened bool, what string) {
	if happened {
		counts[what]++
	}
}
