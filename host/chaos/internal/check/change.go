package check

import (
	"slices"
	"strings"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/host/chaos/internal/record"
	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// deleted checks that a deleted message is gone.
func (c *checker) deleted(s *source, to ledger.Member, copies []*copyOf) {
	n := c.Plan.Network(to.Plug)
	if !c.heardDelete(s) {
		return // it was never heard, which is judged where it was said
	}
	left := slices.DeleteFunc(slices.Clone(copies), func(m *copyOf) bool { return m.Deleted })
	switch op := c.find(s, to, ledger.Deleted, 0); {
	case len(left) == 0:
		c.Changed++
	case !n.Deletes:
		c.Allowed[allowNoDelete]++
	case op == nil:
		c.violate("conversations 4", "delete missing", s.token, to, "the journal has the delete and no operation for this member")
	case op.Settled == nil: // left waiting, which is reported
	case c.isParked(op):
	case len(left) < len(copies) && c.extra(to, left):
	default:
		c.violate("conversations 4", "delete missing", s.token, to, "it was deleted, %d of %d copies are there, and the journal says %s: %s", len(left), len(copies), op.Outcome(), op.Settled.Reason)
	}
}

// heardDelete tells whether the journal knows that a message was deleted.
func (c *checker) heardDelete(s *source) bool {
	return slices.ContainsFunc(c.events[about{s.Member, s.ID}], func(e *record.Event) bool { return e.Kind == ledger.Deleted })
}

func (c *checker) isParked(op *record.Operation) bool {
	sentence, ok := c.parked(op)
	if ok {
		c.Allowed[sentence]++
	}
	return ok
}

// extra tells whether each of the copies is one of several that one operation made: the
// host knows of one of them, whichever it was told of.
func (c *checker) extra(to ledger.Member, copies []*copyOf) bool {
	return !slices.ContainsFunc(copies, func(m *copyOf) bool {
		return c.said[m.Operation] < 2 || c.Plan.Network(to.Plug).Once == plan.Idempotent && !c.bothSides(m.operation)
	})
}

// early tells whether each of the copies stands for an edit that was heard before its
// message, which was heard when it was said again: it stays as it is beside the message,
// and that is what later edits change.
func (c *checker) early(s *source, copies []*copyOf) bool {
	heard := id.Sequence(0)
	for _, e := range c.events[about{s.Member, s.ID}] {
		if e.Kind == ledger.Said && !e.Withheld {
			heard = e.Sequence
		}
	}
	return !slices.ContainsFunc(copies, func(m *copyOf) bool { return !m.repost || m.operation == nil || m.operation.Sequence > heard })
}

// content checks that the copies say what the message says since its last edit.
func (c *checker) content(s *source, to ledger.Member, copies []*copyOf) {
	n := c.Plan.Network(to.Plug)
	accepted, last := c.revisions(s, to)
	has := func(m *copyOf) bool {
		_, r, ok := ledger.Find(m.Text)
		return ok && !m.Deleted && slices.Contains(accepted, r)
	}
	right := slices.DeleteFunc(slices.Clone(copies), func(m *copyOf) bool { return !has(m) })
	wrong := slices.DeleteFunc(slices.Clone(copies), has)
	switch {
	case len(right) == 0 && slices.ContainsFunc(copies, func(m *copyOf) bool { return !m.Deleted }):
		c.violate("conversations 4", "edit missing", s.token, to, "it says %q, and its revision should be one of %v; %s", copies[len(copies)-1].Text, accepted, last)
	case len(right) == 0:
		c.violate("D3", "lost", s.token, to, "its copy was deleted, and the message was not")
	case n.Edits && len(wrong) > 0 && c.early(s, wrong):
		c.Allowed[allowEarly]++
	case n.Edits && len(wrong) > 0 && !c.extra(to, wrong):
		c.violate("conversations 4", "edit missing", s.token, to, "a copy says %q, and its revision should be one of %v; %s", wrong[0].Text, accepted, last)
	default:
		c.Changed += min(s.revision, 1)
	}
}

// revisions are those that a copy may have: the last, and older ones as far as those
// between were parked or never heard, or came before the message itself, which was heard
// only when it was said again. last tells of the newest edit.
func (c *checker) revisions(s *source, to ledger.Member) (accepted []int, last string) {
	for r := s.revision; r > 0; r-- {
		accepted = append(accepted, r)
		said := false
		heard := slices.ContainsFunc(c.events[about{s.Member, s.ID}], func(e *record.Event) bool {
			said = said || e.Kind == ledger.Said
			_, of, ok := ledger.Find(e.Text)
			return said && e.Kind == ledger.Edited && ok && of == r
		})
		op := c.find(s, to, ledger.Edited, r)
		switch {
		case !heard: // judged where it was said
		case op == nil:
			return accepted, "the journal has the edit and no operation for this member"
		case c.isParked(op):
		default:
			return accepted, "the journal says of the edit: " + op.Outcome().String()
		}
	}
	return append(accepted, 0), "there is no edit that counts"
}

// reactions checks that a copy has the reactions of its message, of whoever they are
// there.
func (c *checker) reactions(s *source, to ledger.Member, copies []*copyOf) {
	if !c.Plan.Network(to.Plug).Reacts || !c.Plan.Network(s.Plug).Replays {
		return
	}
	live := slices.DeleteFunc(slices.Clone(copies), func(m *copyOf) bool { return m.Deleted })
	of := map[string]*record.Operation{} // the last about each reaction
	unknown := map[string]bool{}         // whether one before it may have been sent all the same
	for _, op := range c.operations[about{s.Member, s.ID}] {
		if op.Member == to && op.Reaction != "" {
			sentence, parked := c.parked(of[op.Reaction])
			unknown[op.Reaction] = unknown[op.Reaction] || parked && sentence == allowUncertain
			of[op.Reaction] = op
		}
	}
	touched := map[string]bool{}
	for felt := range s.Reactions {
		touched[felt.Reaction] = true
	}
	for r := range of {
		touched[r] = true
	}
	for r := range touched {
		want := s.Reactions[ledger.Felt{Reaction: r, By: ledger.Stranger}]
		if slices.ContainsFunc(live, func(m *copyOf) bool { return m.Reactions[ledger.Felt{Reaction: r, By: ledger.Host}] == want }) {
			c.Changed++
			continue
		}
		op := of[r]
		switch {
		case c.leftReaction(s, r):
			c.Allowed[allowLeft]++
		case op == nil:
			c.violate("conversations 4", "reaction missing", s.token, to, "%s: the journal has no operation for this member", r)
		case op.Settled == nil: // left waiting, which is reported
		case c.isParked(op):
		case len(live) == 0: // nothing is there that it could be on; judged elsewhere
		case unknown[r] && op.Outcome() == journalv1.Outcome_OUTCOME_DROPPED:
			c.Allowed[allowSentAnyway]++ // what isn't known to be there is not taken back
		case c.hadNoTarget(s, to, op):
			c.Allowed[allowNoTarget]++
		default:
			c.violate("conversations 4", "reaction missing", s.token, to, "%s: wanted there: %v, and the journal says %s: %s", r, want, op.Outcome(), op.Settled.Reason)
		}
	}
}

// hadNoTarget tells whether a reaction was given up while its message was parked: an
// edit may have put the message there since.
func (c *checker) hadNoTarget(s *source, to ledger.Member, op *record.Operation) bool {
	message := c.find(s, to, ledger.Said, 0)
	if op.Outcome() != journalv1.Outcome_OUTCOME_DROPPED || message == nil || message.Settled == nil {
		return false
	}
	_, parked := c.parked(message)
	return parked && message.Settled.Sequence < op.Settled.Sequence && !slices.ContainsFunc(c.copies[pair{s.token, to}], func(m *copyOf) bool {
		return m.repost && m.operation.Settled != nil && m.operation.Settled.Sequence < op.Settled.Sequence
	})
}

// reply checks that a copy answers the copy of what its message answers, or quotes it.
func (c *checker) reply(s *source, to ledger.Member, copies []*copyOf) {
	if s.answers == 0 {
		return
	}
	there := map[about]bool{}
	for _, m := range c.copies[pair{s.answers, to}] {
		there[about{m.Member, m.ID}] = true
	}
	answered := c.sources[s.answers]
	for _, m := range copies {
		switch {
		case m.ReplyTo != "" && !there[about{m.Member, bare(m.ReplyTo)}]:
			c.violate("conversations 2", "wrong reply", s.token, to, "it answers message %s, which is no copy of %s", m.ReplyTo, s.answers)
		case m.ReplyTo == "" && !m.repost && c.Plan.Network(to.Plug).Replies && !answered.Deleted && !strings.Contains(m.First, s.answers.String()):
			op := c.find(answered, to, ledger.Said, 0)
			if op.Outcome() == journalv1.Outcome_OUTCOME_SENT && op.Settled.Sequence < m.operation.Sequence {
				c.violate("conversations 2", "reply missing", s.token, to, "it neither answers nor quotes the copy of %s, which was there", s.answers)
			}
		}
	}
}

// files checks that the files of a message came whole.
func (c *checker) files(s *source, to ledger.Member, copies []*copyOf) {
	if !c.Plan.Network(to.Plug).Files {
		return
	}
	for _, m := range copies {
		if m.repost || m.Deleted {
			continue
		}
		if !slices.Equal(m.Files, s.Files) {
			c.violate("conversations 6", "file missing", s.token, to, "it has the files %v and should have %v", m.Files, s.Files)
			continue
		}
		c.bytes(s, to, m.Files)
	}
}

// originFiles checks that the files are what their own network says.
func (c *checker) originFiles(s *source) {
	if !s.Deleted {
		c.bytes(s, s.Member, s.Files)
	}
}

func (c *checker) bytes(s *source, m ledger.Member, files []string) {
	for _, f := range files {
		if got := c.Files[m.Plug][f]; got != f {
			c.violate("conversations 6", "file differs", s.token, m, "the file %s came as %s", f, got)
			continue
		}
		c.Whole++
	}
}
