package check

import (
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/record"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// Yield is one entry of a subscription to the host's events.
type Yield struct {
	// Time is when it was received: later than when it was yielded, if anything.
	Time time.Time
	// Stream counts the streams: each begins anew, and promises hold within one.
	Stream int
	// Settled is the operation whose outcome this entry tells; empty for an event.
	Settled string
	// Receipts are its messages, as Named.
	Receipts []string
	// Member is the operation's channel, or the event's.
	ledger.Member
	// MessageID names an event that is a message, as Named, and Origin, the operation that it is an
	// echo of.
	MessageID, Origin string
}

// Named is a message by the source under which it was said, for its id names others in the
// other sources of a channel.
func Named(source, id string) string { return source + " " + id }

const allowHeldLong = `yielded before its send was settled, after the hold (O5: "events are held at most settle_timeout")`

// yields checks that a send's outcome comes before its echo, and before the event of its
// message even where no echo names it (O1).
func (c *checker) yields() {
	stream := 0
	settled, messages := map[string]bool{}, map[about]time.Time{}
	for _, y := range c.Yields {
		if y.Stream != stream {
			stream = y.Stream
			clear(settled)
			clear(messages)
		}
		if y.Settled == "" {
			switch op := c.Record.ByID[y.Origin]; {
			case op == nil || settled[op.ID]:
			case c.heldLong(op, y.Time):
				c.Allowed[allowHeldLong]++
			default:
				c.violate("O1", "yielded too early", c.token(op), y.Member, "the echo of operation %s came before its outcome on the same stream", op.ID)
			}
			if y.MessageID != "" {
				messages[about{y.Member, y.MessageID}] = y.Time
			}
			continue
		}
		op := c.Record.ByID[y.Settled]
		if op == nil || settled[op.ID] {
			continue // an outcome may be told again
		}
		settled[op.ID] = true
		for _, r := range y.Receipts {
			yielded, before := messages[about{y.Member, r}]
			switch {
			case op.Kind != ledger.Said || !before:
			case c.heldLong(op, yielded):
				c.Allowed[allowHeldLong]++
			default:
				c.violate("O1", "yielded too early", c.token(op), y.Member, "message %s came before the outcome of operation %s, which sent it, on the same stream", r, op.ID)
			}
		}
	}
}

// heldLong tells whether an event of an operation that was uncertain for a time came
// when it had been held for it as long as it may be.
func (c *checker) heldLong(op *record.Operation, yielded time.Time) bool {
	uncertain := op.Uncertain() > 1 || op.Settled != nil && op.Settled.By != journalv1.SettledBy_SETTLED_BY_ANSWER
	return uncertain && len(op.Attempts) > 0 && yielded.Sub(op.Attempts[0].Time) >= c.SettleTimeout
}
