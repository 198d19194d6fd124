package check

import (
	"slices"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/host/chaos/internal/record"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// message checks one message in one member where it should be.
func (c *checker) message(s *source, to ledger.Member) {
	if s.By != ledger.Stranger || !c.heard(s.Line) {
		return // it is bridged nowhere, or inbound has judged
	}
	copies := c.copies[pair{s.token, to}]
	c.doubles(s, to, copies)
	op := c.find(s, to, ledger.Said, 0)
	if op == nil {
		c.violate("D3", "lost", s.token, to, "the journal has the message and no operation for this member")
		return
	}
	if len(copies) == 0 {
		c.missing(s, to, op)
		return
	}
	c.Delivered++
	// What was parked as uncertain and is there all the same is nothing that the host
	// knows of: it can neither edit nor delete it.
	known := slices.DeleteFunc(slices.Clone(copies), func(m *copyOf) bool {
		if m.operation.Outcome() != journalv1.Outcome_OUTCOME_PARKED || m.operation.Uncertain() == 0 {
			return false
		}
		c.Allowed[allowSentAnyway]++
		return true
	})
	if len(known) == 0 {
		return
	}
	if s.Deleted {
		c.deleted(s, to, known)
		return
	}
	c.content(s, to, known)
	c.reactions(s, to, known)
	c.reply(s, to, known)
	c.files(s, to, known)
}

// missing finds out whether the contract allows that there is no copy.
func (c *checker) missing(s *source, to ledger.Member, op *record.Operation) {
	if sentence, ok := c.parked(op); ok {
		c.Allowed[sentence]++
		return
	}
	if op.Outcome() == journalv1.Outcome_OUTCOME_DROPPED && s.Deleted {
		c.Allowed[allowDeleted]++
		return
	}
	if op.Settled == nil {
		return // left waiting, which is reported
	}
	c.violate("D3", "lost", s.token, to, "there is no copy, and the journal says %s: %s", op.Outcome(), op.Settled.Reason)
}

// doubles checks that there is not more than one copy.
func (c *checker) doubles(s *source, to ledger.Member, copies []*copyOf) {
	n := c.Plan.Network(to.Plug)
	of := map[string]int{}
	var operation *record.Operation
	for _, m := range copies {
		of[m.Operation]++
		switch {
		case m.repost:
			c.reposted(s, to, n, m)
		case operation == nil:
			operation = m.operation
		case operation != m.operation:
			c.violate("D3", "twice", s.token, to, "two operations have sent it, %s and %s", operation.ID, m.operation.ID)
		}
	}
	for id, count := range of {
		op := c.Record.ByID[id]
		if other := op.Fallback; id == op.ID && op.Kind == ledger.Said && of[other] > 0 && op.Uncertain() == 0 {
			c.violate("D3", "twice", s.token, to, "operation %s and what was sent in its place are both there", id)
		}
		if count < 2 {
			continue
		}
		switch {
		case n.Once == plan.AtLeast && op.Uncertain() > 1:
			c.Allowed[allowAtLeast]++
		case n.HeardAgain:
			c.Allowed[allowHeardAgain]++
		case c.bothSides(op):
			c.Allowed[allowBothSides]++
		case n.Once == plan.ByEcho && op.Uncertain() > 1 && !c.echoedBefore(op):
			c.Allowed[allowLateEcho]++
		default:
			c.violate("D3", "twice", s.token, to, "operation %s is there %d times, and at most %d attempts may have been sent", id, count, op.Uncertain())
		}
	}
}

// echoedBefore tells whether the journal had an echo of an operation before its last
// attempt that may have been sent began.
func (c *checker) echoedBefore(op *record.Operation) bool {
	last := record.Attempt{}
	for _, a := range op.Attempts {
		if !a.NotSent && a.Number > last.Number {
			last = a
		}
	}
	return slices.ContainsFunc(c.Record.Events, func(e *record.Event) bool {
		return e.Operation == last.Operation && e.Sequence < last.Sequence
	})
}

// reposted checks that an edit stands beside the message only where it could not be
// made.
func (c *checker) reposted(s *source, to ledger.Member, n *plan.Network, m *copyOf) {
	original := c.find(s, to, ledger.Said, 0)
	if n.Edits && original != nil && original.Outcome() == journalv1.Outcome_OUTCOME_SENT && original.Sequence < m.operation.Sequence {
		c.violate("contract, verdict TARGET_GONE", "edit beside its message", s.token, to, "the message was sent and this network can edit it: %s", m.Line)
		return
	}
	c.Allowed[allowRepost]++
}

// inOrder checks that the messages of each channel came to each other member in the
// order in which they were said (O6), over its migration too. What stands for an edit has its own time.
func (c *checker) inOrder() {
	type way struct{ from, to ledger.Member }
	newest := map[way]struct {
		at    int
		token ledger.Token
	}{}
	for _, s := range c.order {
		if s.again && !c.Plan.Network(s.Plug).Replays {
			continue // it may have been heard the second time only
		}
		for _, to := range c.Plan.Others(s.Member) {
			first := 0
			for _, m := range c.copies[pair{s.token, to}] {
				if !m.repost && (first == 0 || m.N < first) {
					first = m.N
				}
			}
			if first == 0 {
				continue
			}
			w := way{c.Plan.Home(s.Member), to}
			if last := newest[w]; first < last.at {
				c.violate("O6", "reordered", s.token, to, "it came before %s, which was said before it", last.token)
				continue
			}
			newest[w] = struct {
				at    int
				token ledger.Token
			}{first, s.token}
		}
	}
}
