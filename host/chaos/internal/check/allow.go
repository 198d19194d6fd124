package check

import (
	"slices"
	"strings"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/host/chaos/internal/record"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// The sentences that allow something else than one live copy with the last words.
const (
	allowRefused    = `parked, refused (contract, verdict REFUSED: "certainly not sent; the network refused it | parks it with the reason")`
	allowUncertain  = `parked, uncertain (contract, verdict UNCERTAIN: "inside the window of idempotent_put tries again up to 5 times, without it once; then parks it and the channel goes on")`
	allowSetAhead   = `parked, uncertain, after a start with a clock that had been set ahead by the whole window ("inside the window of idempotent_put": only the clock tells it across a start)`
	allowPoison     = `parked, poison (D4: "if the last of them crashed too, the reason is poison")`
	allowSentAnyway = `there, though parked as uncertain (contract: UNCERTAIN is "may have been sent")`
	allowAtLeast    = `twice (D3: "At least once; exactly once inside the window of the plug's idempotent_put, or where echoes carry the operation id")`
	allowHeardAgain = `heard twice by a device, published once (D3 ends at the broker: MQTT 5.0, 4.3.2: QoS 1 is at least once, from the broker to the device too)`
	allowLateEcho   = `twice, since the echo came after the wait (O5: "a new attempt waits for the scope's caught_up plus settle_timeout")`
	allowGap        = `never heard (D1: "Where a network can't replay, or refuses the cursor, the plug sends a Gap")`
	allowForgotten  = `deleted before its plug had read it, and the delete came (conversations 13: "Deleting a message erases its text"; plugins/webchat/README.md: "Deleting a message takes its words, those of its edits and its files from the disk")`
	allowDeleted    = `deleted before it was sent (conversations 4: "An edit or delete of a message that still waits is folded in")`
	allowRepost     = `reposted (contract, verdicts TARGET_GONE and UNSUPPORTED: "edit → repost")`
	allowEarly      = `an older edit beside its message, which was heard only when it was said again (contract, verdict TARGET_GONE: "edit → repost")`
	allowNoTarget   = `a reaction to what was parked (contract, verdict TARGET_GONE: "reaction, delete → done")`
	allowNoDelete   = `not deleted, for the network can't (contract, verdict UNSUPPORTED)`
)

// retries is how many attempts more than one may be made (contract, verdict UNCERTAIN).
func retries(n *plan.Network) uint32 {
	if n.Once == plan.Idempotent {
		return 5
	}
	return 1
}

// parked tells whether an operation was parked as the contract allows, and by which
// sentence.
func (c *checker) parked(op *record.Operation) (sentence string, ok bool) {
	if op == nil || op.Outcome() != journalv1.Outcome_OUTCOME_PARKED || op.Parked == nil {
		return "", false
	}
	switch {
	case strings.Contains(op.Parked.Reason, "poison"):
		return allowPoison, op.Uncertain() > 0
	case op.Parked.Verdict == plugv1.Verdict_VERDICT_REFUSED:
		return allowRefused, c.refused[op.ID] || c.refused[op.Fallback]
	case op.Parked.Verdict == plugv1.Verdict_VERDICT_UNCERTAIN && c.setAhead(op):
		return allowSetAhead, op.Uncertain() > 1
	case op.Parked.Verdict == plugv1.Verdict_VERDICT_UNCERTAIN:
		return allowUncertain, op.Uncertain() > retries(c.Plan.Network(op.Plug))
	case op.Parked.Verdict == plugv1.Verdict_VERDICT_TARGET_GONE:
		return allowLeftTarget, leftTarget(op)
	}
	return "", false
}

// setAhead tells whether a host was started that could only think that the network's
// memory of the first attempt has ended.
func (c *checker) setAhead(op *record.Operation) bool {
	n := c.Plan.Network(op.Plug)
	if n.Once != plan.Idempotent || n.Account == nil || len(op.Attempts) == 0 {
		return false
	}
	first := op.Attempts[0]
	return slices.ContainsFunc(c.Starts, func(s Start) bool {
		return s.At.After(first.Time) && s.At.Before(op.Parked.Time) && s.At.Add(s.Wrong).Sub(first.Time.Add(first.Wrong)) >= time.Duration(n.Account.Idempotent)
	})
}

// forgotten tells whether something was said that its network has no more, and the
// journal knows that it was deleted.
func (c *checker) forgotten(s *source) bool {
	return c.Plan.Network(s.Plug).Forgets && s.Deleted && c.heardDelete(s)
}

// unheard tells whether something that a network shows may have been missed by its
// plug: it can't replay, and the plug was not there, or was gone soon after.
func (c *checker) unheard(l ledger.Line) bool {
	if c.Plan.Network(l.Plug).Replays {
		return false
	}
	online := ""
	for _, o := range c.Lines[l.Plug] {
		switch {
		case o.N < l.N && o.Kind == ledger.Online:
			online = o.Connection
		case o.N < l.N && o.Kind == ledger.Offline && o.Connection == online:
			online = ""
		case o.N > l.N && o.Kind == ledger.Offline && o.Connection == online:
			return o.Time.Sub(l.Time) < goneSoon
		}
	}
	return online == ""
}
