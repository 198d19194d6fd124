package check

import (
	"fmt"
	"slices"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/host/chaos/internal/record"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// The members of a made-up run: one conversation of a source, a network of "exactly
// once" and one of "at least once"; and a channel of another.
var (
	from      = ledger.Member{Plug: "from", Source: "1"}
	exactly   = ledger.Member{Plug: "exactly", Source: "1"}
	atLeast   = ledger.Member{Plug: "atleast", Source: "1"}
	elsewhere = ledger.Member{Plug: "exactly", Source: "2"}
)

// made is a run that is made up step by step.
type made struct {
	Run
	sequence id.Sequence
	n        int
	now      time.Time
	sources  map[ledger.Member]string // that a member has now, if it has migrated
	said     map[ledger.Token]about
	copies   map[string]about // by operation
}

func newMade() *made {
	m := &made{now: time.Unix(1_000_000, 0), sources: map[ledger.Member]string{}, said: map[ledger.Token]about{}, copies: map[string]about{}}
	m.SettleTimeout = 3 * time.Second
	m.Plan = &plan.Plan{Homes: map[ledger.Member]ledger.Member{}, Conversations: [][]ledger.Member{{from, exactly, atLeast}, {elsewhere, {Plug: "from", Source: "2"}}}}
	for _, n := range []plan.Network{{Plug: "from", Once: plan.Idempotent}, {Plug: "exactly", Once: plan.ByEcho}, {Plug: "atleast", Once: plan.AtLeast}} {
		n.Replays, n.Edits, n.Deletes, n.Reacts, n.Replies, n.Files = true, true, true, true, true, true
		n.Account = &simnettest.Account{}
		m.Plan.Networks = append(m.Plan.Networks, n)
	}
	m.Lines = map[string][]ledger.Line{}
	m.Record = &record.Record{ByID: map[string]*record.Operation{}}
	m.Files = map[string]map[string]string{"from": {}, "exactly": {}, "atleast": {}}
	return m
}

func (m *made) step() id.Sequence {
	m.sequence++
	m.now = m.now.Add(time.Second)
	return m.sequence
}

func (m *made) line(l ledger.Line) *ledger.Line {
	m.n++
	m.step()
	l.N, l.Time = m.n, m.now
	m.Lines[l.Plug] = append(m.Lines[l.Plug], l)
	return &m.Lines[l.Plug][len(m.Lines[l.Plug])-1]
}

func (m *made) event(e record.Event) *record.Event {
	e.Sequence = m.step()
	e.Time = m.now
	m.Record.Events = append(m.Record.Events, &e)
	return &e
}

// under is a member with the source that it has now.
func (m *made) under(home ledger.Member) ledger.Member {
	if now := m.sources[home]; now != "" {
		home.Source = now
	}
	return home
}

// migrates has a member's channel go on under another source, and the journal hear it.
func (m *made) migrates(home ledger.Member) ledger.Line {
	to := home
	to.Source += "-moved"
	m.Plan.Homes[to], m.sources[home] = home, to.Source
	l := m.line(ledger.Line{Kind: ledger.Moved, Member: home, By: ledger.Stranger, Detail: to.Source})
	m.event(record.Event{Member: home, ID: "moved", Kind: ledger.Moved, Text: to.Source})
	return *l
}

// does has somebody do something to message t in the channel from, and the journal hear
// it: where the message stands, if it was said.
func (m *made) does(kind ledger.Kind, t ledger.Token, revision int) {
	if _, said := m.said[t]; !said {
		m.said[t] = about{m.under(from), fmt.Sprint(t)}
	}
	l := ledger.Line{Kind: kind, Member: m.said[t].Member, ID: m.said[t].id, By: ledger.Stranger, Author: "Ann"}
	if kind == ledger.Said || kind == ledger.Edited {
		l.Text = ledger.Mark(t, revision)
	}
	if kind == ledger.Reacted || kind == ledger.Unreacted {
		l.Reaction = "👍"
	}
	m.line(l)
	m.event(record.Event{Member: l.Member, ID: fmt.Sprintf("%s %d.%d", kind, t, revision), MessageID: l.ID, Kind: kind, Own: plugv1.Own_OWN_NO, Text: l.Text})
}

// accepts has the host accept the same for a member.
func (m *made) accepts(to ledger.Member, kind ledger.Kind, t ledger.Token, revision int) *record.Operation {
	name := fmt.Sprintf("%s %d.%d for %s", kind, t, revision, to.Plug)
	op := &record.Operation{Sequence: m.step(), Time: m.now, Member: to, ID: name, Fallback: "instead of " + name, Kind: kind, About: m.said[t].Member, AboutID: m.said[t].id, Accepted: 1}
	if kind == ledger.Said || kind == ledger.Edited {
		op.Text = ledger.Mark(t, revision)
	}
	if kind == ledger.Reacted || kind == ledger.Unreacted {
		op.Reaction = "👍"
	}
	m.Record.Operations = append(m.Record.Operations, op)
	m.Record.ByID[op.ID], m.Record.ByID[op.Fallback] = op, op
	return op
}

// attempts has it try, the attempts before being uncertain.
func (m *made) attempts(op *record.Operation) {
	n := uint32(len(op.Attempts)) + 1
	m.now = m.now.Add(m.SettleTimeout)
	op.Attempts = append(op.Attempts, record.Attempt{Sequence: m.step(), Time: m.now, Operation: op.ID, Source: m.under(op.Member).Source, Number: n, Uncertain: n})
}

// forgetful is an operation for a network that takes it twice as one for an hour, of which
// two attempts are uncertain.
func (m *made) forgetful() *record.Operation {
	m.Plan.Networks[1].Once, m.Plan.Networks[1].Account.Idempotent = plan.Idempotent, simnettest.Duration(time.Hour)
	op := m.says(1)[exactly]
	m.forget(op)
	m.attempts(op)
	return op
}

func (m *made) settles(op *record.Operation, outcome journalv1.Outcome, reason string) {
	op.Settled = &record.Settled{Sequence: m.step(), Time: m.now, Operation: op.ID, Outcome: outcome, By: journalv1.SettledBy_SETTLED_BY_ANSWER, Reason: reason}
}

func (m *made) parks(op *record.Operation, verdict plugv1.Verdict) {
	m.settles(op, journalv1.Outcome_OUTCOME_PARKED, "")
	op.Parked = &record.Parked{Time: m.now, Verdict: verdict}
}

// takes has a network take what an operation says or does, to the message of an
// earlier one if that is not nil.
func (m *made) takes(op, of *record.Operation) *ledger.Line {
	l := ledger.Line{Kind: op.Kind, Member: m.under(op.Member), ID: "copy of " + op.ID, By: ledger.Host, Operation: op.ID, Text: op.Text, Reaction: op.Reaction}
	if of != nil {
		l.Member, l.ID = m.copies[of.ID].Member, m.copies[of.ID].id
	} else {
		m.copies[op.ID] = about{l.Member, l.ID}
	}
	return m.line(l)
}

// sends does all of it as it should be.
func (m *made) sends(to ledger.Member, kind ledger.Kind, t ledger.Token, revision int, of *record.Operation) *record.Operation {
	op := m.accepts(to, kind, t, revision)
	m.attempts(op)
	m.takes(op, of)
	m.settles(op, journalv1.Outcome_OUTCOME_SENT, "")
	return op
}

// says has message t said, and sent to both others.
func (m *made) says(t ledger.Token) (there map[ledger.Member]*record.Operation) {
	m.does(ledger.Said, t, 0)
	there = map[ledger.Member]*record.Operation{}
	for _, to := range []ledger.Member{exactly, atLeast} {
		there[to] = m.sends(to, ledger.Said, t, 0, nil)
	}
	return there
}

// changes has something done to it, and carried out in both others.
func (m *made) changes(kind ledger.Kind, t ledger.Token, revision int, there map[ledger.Member]*record.Operation) (done map[ledger.Member]*record.Operation) {
	m.does(kind, t, revision)
	done = map[ledger.Member]*record.Operation{}
	for _, to := range []ledger.Member{exactly, atLeast} {
		done[to] = m.sends(to, kind, t, revision, there[to])
	}
	return done
}

// forget takes away what a network has of an operation.
func (m *made) forget(op *record.Operation) {
	m.Lines[op.Plug] = slices.DeleteFunc(m.Lines[op.Plug], func(l ledger.Line) bool { return l.Operation == op.ID })
}

// kinds are those of what the check of it found.
func (m *made) kinds() (kinds []string) {
	for _, v := range Check(m.Run).Violations {
		kinds = append(kinds, v.Kind)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}
