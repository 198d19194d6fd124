package check

import (
	"strings"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/record"
)

// goneSoon is how long what a plug was shown may be on its way to the journal: a host
// that stands still takes nothing, nor does one whose disk is full, and then it waits a
// while before it tries again.
const goneSoon = 20 * time.Second

// journal checks what the journal alone tells, and that all that was said is in it.
func (c *checker) journal() {
	seen, messages := map[about]*record.Event{}, map[about]*record.Event{}
	for _, e := range c.Record.Events {
		k := about{e.Member, e.ID}
		if first := seen[k]; first != nil {
			c.violate("D2", "event twice", 0, e.Member, "event %s is in the journal at %d and at %d", e.ID, first.Sequence, e.Sequence)
		}
		seen[k] = e
		if k.id = e.MessageID; e.Kind == ledger.Said && !e.Withheld {
			if first := messages[k]; first != nil {
				c.violate("D2", "message twice", 0, e.Member, "message %s came by the events %s and %s, and neither was withheld", e.MessageID, first.ID, e.ID)
			}
			messages[k] = e
		}
	}
	for _, op := range c.Record.Operations {
		t := c.token(op)
		if op.Settled == nil {
			c.violate("D3", "left waiting", t, op.Member, "operation %s is neither sent nor parked after everything had settled", op.ID)
		}
		if op.Accepted > 1 {
			c.violate("D3", "accepted twice", t, op.Member, "operation %s is %d times in the journal", op.ID, op.Accepted)
		}
		c.waited(op, t)
	}
	for _, n := range c.Plan.Networks {
		for _, l := range c.Lines[n.Plug] {
			c.inbound(l)
		}
	}
}

// token is of the message that an operation is about, 0 if it is of none that was said.
func (c *checker) token(op *record.Operation) ledger.Token {
	if s := c.ids[about{op.About, op.AboutID}]; s != nil {
		return s.token
	}
	return 0
}

// waited checks that an attempt which may double another came after the wait for its
// echo (O5).
func (c *checker) waited(op *record.Operation, t ledger.Token) {
	n := c.Plan.Network(op.Plug)
	if n == nil || n.Account == nil || n.Account.Echo == "none" {
		return
	}
	var uncertain []record.Attempt // those before that may have been sent
	for _, a := range op.Attempts {
		last := len(uncertain) - 1
		switch {
		case a.NotSent:
			if last >= 0 && uncertain[last].Number == a.Number {
				uncertain = uncertain[:last]
			}
			continue
		case last >= 0 && uncertain[last].Number == a.Number:
			continue // the same, with what more is known of it
		case last >= 0 && a.Time.Sub(uncertain[last].Time) < c.SettleTimeout:
			c.violate("O5", "attempt too early", t, op.Member, "attempt %d of operation %s came %v after one that may have been sent, before settle_timeout", a.Number, op.ID, a.Time.Sub(uncertain[last].Time))
		}
		uncertain = append(uncertain, a)
	}
}

// inbound checks that what somebody did is in the journal (D1).
func (c *checker) inbound(l ledger.Line) {
	if l.By != ledger.Stranger {
		return
	}
	s := c.ids[about{l.Member, l.ID}]
	if s == nil {
		return
	}
	switch l.Kind {
	case ledger.Said, ledger.Edited, ledger.Deleted:
	default:
		return // of reactions only the last state counts
	}
	if c.heard(l) {
		return
	}
	if c.unheard(l) {
		c.Allowed[allowGap]++
		return
	}
	if c.left(l) {
		c.Allowed[allowLeft]++
		return
	}
	if l.Kind != ledger.Deleted && c.forgotten(s) {
		c.Allowed[allowForgotten]++
		return
	}
	c.violate("D1", "lost", s.token, l.Member, "the journal has no event of it: %s", l)
}

// heard tells whether the journal has the event of a line.
func (c *checker) heard(l ledger.Line) bool {
	_, revision, marked := ledger.Find(l.Text)
	for _, e := range c.events[about{l.Member, l.ID}] {
		if e.Kind != l.Kind {
			continue
		}
		if l.Kind != ledger.Edited || !marked {
			return true
		}
		if _, r, ok := ledger.Find(e.Text); ok && r == revision {
			return true
		}
	}
	return false
}

// bare is a simulated network's id of a message without what its other names have in
// front.
func bare(id string) string {
	return strings.TrimPrefix(strings.TrimPrefix(id, "alias:"), "reference:")
}
