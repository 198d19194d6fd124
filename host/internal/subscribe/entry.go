package subscribe

import (
	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
)

// Bounds of what one subscription holds in memory.
const (
	maxEntries = 1024
	maxBytes   = 4 << 20
	// maxGiven is how many outcomes are remembered as given.
	maxGiven = 4096
)

// Outcome is what became of an operation.
type Outcome struct {
	Operation id.OperationID
	// Echo is the operation that its echo names: the fallback, where that was carried
	// out.
	Echo    id.OperationID
	Channel id.Channel
	// Value is the caller's own; it is given as it is.
	Value any
}

// Entry is one thing that a subscriber is given: an event or an outcome.
type Entry struct {
	// Number of the entry in its subscription, from 1, without gaps.
	Number   uint64
	Delivery *hook.Delivery
	Outcome  *Outcome

	bytes int
	// passed are the places that a channel has come to once this entry and all
	// before it are acknowledged. Bound: the channels.
	passed map[id.Channel]id.Sequence
}

// bytesOf is about what an event costs.
func bytesOf(d *hook.Delivery) int { return proto.Size(d.Event) + 256 }

// given remembers the newest outcomes that were given.
type given struct {
	known map[id.OperationID]bool
	ring  []id.OperationID
	next  int
}

func (g *given) add(op id.OperationID) {
	if g.known == nil {
		g.known = map[id.OperationID]bool{}
	}
	if g.known[op] {
		return
	}
	g.known[op] = true
	if len(g.ring) < maxGiven {
		g.ring = append(g.ring, op)
		return
	}
	delete(g.known, g.ring[g.next])
	g.ring[g.next] = op
	g.next = (g.next + 1) % maxGiven
}
