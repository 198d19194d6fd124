package check

import (
	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/record"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// Yield is one entry of a subscription to the host's events.
type Yield struct {
	// Stream counts the streams: each begins anew, and promises hold within one.
	Stream int
	// Settled is the operation whose outcome this entry tells; empty for an event.
	Settled string
	// Receipts are the ids of its messages.
	Receipts []string
	// Member is the operation's channel, or the event's.
	ledger.Member
	// MessageID of an event that is a message, and Origin, the operation that it is an
	// echo of.
	MessageID, Origin string
}

const allowHeldLong = `yielded before its send was settled, after the hold (O5: "events are held at most settle_timeout")`

// yields checks that a send's outcome comes before its echo, and before the event of its
// message even where no echo names it (O1).
func (c *checker) yields() {
	stream := 0
	settled, messages := map[string]bool{}, map[about]bool{}
	for _, y := range c.Yields {
		if y.Stream != stream {
			stream = y.Stream
			clear(settled)
			clear(messages)
		}
		if y.Settled == "" {
			if op := c.Record.ByID[y.Origin]; op != nil && !settled[op.ID] {
				c.violate("O1", "yielded too early", c.token(op), y.Member, "the echo of operation %s came before its outcome on the same stream", op.ID)
			}
			if y.MessageID != "" {
				messages[about{y.Member, y.MessageID}] = true
			}
			continue
		}
		op := c.Record.ByID[y.Settled]
		if op == nil || settled[op.ID] {
			continue // an outcome may be told again
		}
		settled[op.ID] = true
		for _, r := range y.Receipts {
			switch {
			case op.Kind != ledger.Said || !messages[about{y.Member, r}]:
			case c.heldLong(op):
				c.Allowed[allowHeldLong]++
			default:
				c.violate("O1", "yielded too early", c.token(op), y.Member, "message %s came before the outcome of operation %s, which sent it, on the same stream", r, op.ID)
			}
		}
	}
}

// heldLong tells whether the outcome of an operation came when its events were no longer
// held for it.
func (c *checker) heldLong(op *record.Operation) bool {
	return op.Settled != nil && op.Settled.By == journalv1.SettledBy_SETTLED_BY_PUT_OUTCOME && len(op.Attempts) > 0 &&
		op.Settled.Time.Sub(op.Attempts[len(op.Attempts)-1].Deadline) >= c.SettleTimeout
}
