package check

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/host/chaos/internal/record"
)

// Run is all that is known of a run.
type Run struct {
	Plan   *plan.Plan
	Lines  map[string][]ledger.Line // by plug
	Record *record.Record
	// Files has the hash of each file that a plug's network gave out, by the hash that
	// it should have.
	Files map[string]map[string]string
	// Yields are what a subscriber of everything was given, in order.
	Yields []Yield
	// Starts are those of the host.
	Starts []Start
	// SettleTimeout is the host's.
	SettleTimeout time.Duration
}

// Start is when the host was started, and how far ahead its clock was.
type Start struct {
	At    time.Time
	Wrong time.Duration
}

// Violation is one broken promise.
type Violation struct {
	// Promise is the guarantee's number or the contract's section.
	Promise string
	// Kind names it: lost, twice, reordered, …
	Kind string
	// Token is the message, 0 if it is about none; Member where.
	Token  ledger.Token
	Member ledger.Member
	Words  string
}

// String is the violation for a person.
func (v Violation) String() string {
	s := v.Promise + ", " + v.Kind
	if v.Token != 0 {
		s += " " + v.Token.String()
	}
	if v.Member.Plug != "" {
		s += " in " + v.Member.String()
	}
	return s + ": " + v.Words
}

// Report is the outcome of a check.
type Report struct {
	Violations []Violation
	// Allowed counts what is not as it should be and is allowed, by the sentence that
	// allows it.
	Allowed map[string]int
	// Delivered counts messages that arrived in a member, Changed the edits, deletes and
	// reactions there that are as they should be, Whole the files that came byte-equal.
	Delivered, Changed, Whole int
}

// checker is a check under way.
type checker struct {
	Run
	Report
	sources map[ledger.Token]*source
	order   []*source
	ids     map[about]*source
	copies  map[pair][]*copyOf
	// operations by what they are about, in the order of the log.
	operations map[about][]*record.Operation
	events     map[about][]*record.Event
	refused    map[string]bool // operations that a network refused, by their ids
	said       map[string]int  // how often a network has what an operation says
	moves      map[ledger.Member]*move
}

// source is a message as it was said and changed where it is from.
type source struct {
	*ledger.Message
	token    ledger.Token
	revision int
	answers  ledger.Token
	again    bool // it was said once more
}

// pair is a message and a member where it should be, as the config names it.
type pair struct {
	token ledger.Token
	ledger.Member
}

// about is a message of a network, by its own id and the source under which it was said.
type about struct {
	ledger.Member
	id string
}

// copyOf is a message that the host sent.
type copyOf struct {
	*ledger.Message
	operation *record.Operation
	// repost: it stands for an edit that could not be made.
	repost bool
}

// Check checks a run.
func Check(r Run) Report {
	c := &checker{Run: r, sources: map[ledger.Token]*source{}, ids: map[about]*source{}, copies: map[pair][]*copyOf{},
		operations: map[about][]*record.Operation{}, events: map[about][]*record.Event{}, refused: map[string]bool{}, said: map[string]int{}, moves: findMoves(r)}
	c.Allowed = map[string]int{}
	c.index()
	c.journal()
	for _, s := range c.order {
		for _, to := range c.Plan.Others(s.Member) {
			c.message(s, to)
		}
		c.originFiles(s)
	}
	c.inOrder()
	c.migrations()
	c.yields()
	return c.Report
}

func (c *checker) violate(promise, kind string, t ledger.Token, m ledger.Member, format string, args ...any) {
	c.Violations = append(c.Violations, Violation{promise, kind, t, m, fmt.Sprintf(format, args...)})
}

// index finds who said what, and what came of it.
func (c *checker) index() {
	for _, op := range c.Record.Operations {
		k := about{op.About, op.AboutID}
		c.operations[k] = append(c.operations[k], op)
	}
	for _, e := range c.Record.Events {
		k := about{e.Member, bare(e.MessageID)}
		c.events[k] = append(c.events[k], e)
	}
	var host []*ledger.Message
	for _, n := range c.Plan.Networks {
		lines := c.Lines[n.Plug]
		for _, l := range lines {
			switch {
			case l.Kind == ledger.Refused && l.Detail == "refused":
				c.refused[l.Operation] = true
			case l.Kind == ledger.Said && l.By == ledger.Host:
				c.said[l.Operation]++
			}
		}
		for _, m := range ledger.Standing(lines) {
			if m.By == ledger.Host {
				host = append(host, m)
				continue
			}
			t, _, ok := ledger.Find(cmp.Or(m.First, m.Detail))
			if !ok {
				continue // said to find out who hears
			}
			s := &source{Message: m, token: t}
			c.sources[t], c.ids[about{m.Member, m.ID}], c.order = s, s, append(c.order, s)
		}
		for _, l := range lines {
			t, revision, ok := ledger.Find(l.Text)
			s := c.sources[t]
			switch {
			case !ok || s == nil || l.By != ledger.Stranger:
			case l.Kind == ledger.Edited:
				s.revision = max(s.revision, revision)
			case l.Kind == ledger.Said && l.N != s.N:
				s.again = true
			}
		}
	}
	for _, s := range c.order {
		if answered := c.ids[about{s.Member, s.ReplyTo}]; answered != nil {
			s.answers = answered.token
		}
	}
	for _, m := range host {
		c.sent(m)
	}
}

// sent files a message that the host sent under the one that it is a copy of.
func (c *checker) sent(m *ledger.Message) {
	op := c.Record.ByID[m.Operation]
	if op == nil {
		c.violate("D3", "unexpected", 0, m.Member, "the network has a message of an operation that the journal doesn't know: %s", m.Line)
		return
	}
	t, _, ok := ledger.Find(cmp.Or(m.First, op.Text))
	if !ok {
		return
	}
	s := c.sources[t]
	if s == nil {
		c.violate("D3", "unexpected", t, m.Member, "nobody said it: %s", m.Line)
		return
	}
	here := c.Plan.Home(m.Member)
	switch {
	case c.Plan.Home(s.Member) == here:
		c.violate("conversations 1", "bridged back", t, m.Member, "it came back to where it was said: %s", m.Line)
	case s.By == ledger.Device:
		c.violate("contract, Settling by echo", "echo bridged", t, m.Member, "what the account said on another device is never bridged: %s", m.Line)
	case !slices.Contains(c.Plan.Others(s.Member), here):
		c.violate("conversations 1", "unexpected", t, m.Member, "its conversation is another: %s", m.Line)
	default:
		k := pair{t, here}
		c.copies[k] = append(c.copies[k], &copyOf{m, op, op.Kind == ledger.Edited})
	}
}

// find gives the operation of a kind about a message in a member; of an edit that with
// the revision.
func (c *checker) find(s *source, to ledger.Member, kind ledger.Kind, revision int) (found *record.Operation) {
	for _, op := range c.operations[about{s.Member, s.ID}] {
		if op.Member != to || op.Kind != kind {
			continue
		}
		if _, r, ok := ledger.Find(op.Text); kind == ledger.Edited && (!ok || r != revision) {
			continue
		}
		if found == nil || kind != ledger.Said {
			found = op // of what can be done again the last counts
		}
	}
	return found
}
