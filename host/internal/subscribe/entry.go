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
	// Open: more may become of it, and is given then.
	Open bool
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
	open map[id.OperationID]bool // of all that was given: whether more may follow
	ring []id.OperationID
	next int
}

// all tells whether everything of an operation was given, or as much as an outcome tells.
func (g *given) all(op id.OperationID, open bool) bool {
	was, known := g.open[op]
	return known && (!was || open)
}

func (g *given) add(op id.OperationID, open bool) {
	if g.open == nil {
		g.open = map[id.OperationID]bool{}
	}
	_, known := g.open[op]
	if g.open[op] = open; known {
		return
	}
	if len(g.ring) < maxGiven {
		g.ring = append(g.ring, op)
		return
	}
	delete(g.open, g.ring[g.next])
	g.ring[g.next] = op
	g.next = (g.next + 1) % maxGiven
}
