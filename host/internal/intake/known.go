package intake

import (
	"hash/maphash"

	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// knownEvents is how many event ids and how many message ids of a network are
// remembered. An id takes 16 bytes and a map's overhead, so both together are
// about 10 MB when full.
const knownEvents = 100_000

// known remembers the last ids it was given, by a keyed 128-bit hash: nobody can
// choose ids that collide, and by chance they don't.
type known struct {
	seeds [2]maphash.Seed
	set   map[[2]uint64]struct{}
	ring  [][2]uint64 // grows up to limit, then wraps
	next  int
	limit int
}

func newKnown(limit int) *known {
	return &known{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, set: map[[2]uint64]struct{}{}, limit: limit}
}

// add remembers an id of a channel and tells whether it was known.
func (k *known) add(source id.ChannelSource, name string) bool {
	var key [2]uint64
	for i, seed := range k.seeds {
		var h maphash.Hash
		h.SetSeed(seed)
		_, _ = h.WriteString(string(source))
		_ = h.WriteByte(0)
		_, _ = h.WriteString(name)
		key[i] = h.Sum64()
	}
	if _, ok := k.set[key]; ok {
		return true
	}
	k.set[key] = struct{}{}
	if len(k.ring) < k.limit {
		k.ring = append(k.ring, key)
		return false
	}
	delete(k.set, k.ring[k.next])
	k.ring[k.next] = key
	k.next = (k.next + 1) % k.limit
	return false
}

// repeated tells whether an event came before, and remembers it.
func (in *Intake) repeated(c id.Channel, e *plugv1.Event) bool {
	return in.events.add(c.Source, e.EventId)
}

// known tells whether an event is a second Message with a known message id, and
// remembers the id.
func (in *Intake) known(c id.Channel, e *plugv1.Event) bool {
	return e.GetMessage() != nil && e.MessageId != "" && in.messages.add(c.Source, e.MessageId)
}
