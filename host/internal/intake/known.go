package intake

import (
	"context"
	"hash/maphash"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// knownEvents is how many event ids and how many message ids of a network are
// remembered. An id takes 16 bytes and a map's overhead, so both together are
// about 10 MB when full.
const knownEvents = 100_000

// knowledge is what a plug may say again.
type knowledge struct {
	events   *idSet // ids of events
	messages *idSet // ids of messages
	// history has the ids of what came as history. What came so and then comes live is
	// no repeat: only the latter is bridged.
	history *idSet
	// resumed has the ids of all that is stored behind the cursors with which the plug
	// resumed, however much that is, until it has caught up; nil: it has. Its size is what
	// the plug left between a cursor and its end.
	resumed *idSet
	// behind are the scopes that have not caught up.
	behind map[string]bool
}

func newKnowledge(limit int) *knowledge {
	return &knowledge{events: newIDSet(limit), messages: newIDSet(limit), history: newIDSet(limit)}
}

// What stands before the ids of events and of messages where both are in one set.
const (
	eventMark   = "e"
	messageMark = "m"
)

// repeats tells whether an event came before, and remembers it.
func (k *knowledge) repeats(c id.ChannelSource, e *plugv1.Event) bool {
	if k.resumed.has(c, eventMark+e.EventId) {
		return true
	}
	if e.History {
		return k.events.has(c, e.EventId) || k.history.add(c, eventMark+e.EventId)
	}
	return k.events.add(c, e.EventId)
}

// said tells whether an event is a second Message with a known message id, and
// remembers the id.
func (k *knowledge) said(c id.ChannelSource, e *plugv1.Event) bool {
	if e.GetMessage() == nil || e.MessageId == "" {
		return false
	}
	if k.resumed.has(c, messageMark+e.MessageId) {
		return true
	}
	if e.History {
		return k.messages.has(c, e.MessageId) || k.history.add(c, messageMark+e.MessageId)
	}
	return k.messages.add(c, e.MessageId)
}

// stored tells whether the message of an event is known, whichever event told of it.
func (k *knowledge) stored(e *plugv1.Event) bool {
	c := id.ChannelSource(e.Channel)
	named := e.MessageId != ""
	return k.events.has(c, e.EventId) || k.history.has(c, eventMark+e.EventId) || k.resumed.has(c, eventMark+e.EventId) ||
		named && (k.messages.has(c, e.MessageId) || k.history.has(c, messageMark+e.MessageId) || k.resumed.has(c, messageMark+e.MessageId))
}

// resume begins anew what is known because of a resume from cursors.
func (k *knowledge) resume() { k.resumed, k.behind = newIDSet(0), map[string]bool{} }

// resumes remembers an event that the plug may say again because of a cursor.
func (k *knowledge) resumes(c id.ChannelSource, e *plugv1.Event) {
	if e.History {
		return // the network gives it live
	}
	k.resumed.add(c, eventMark+e.EventId)
	if e.GetMessage() != nil && e.MessageId != "" {
		k.resumed.add(c, messageMark+e.MessageId)
	}
}

// caughtUp forgets what only a resume repeats, once all scopes have caught up.
func (k *knowledge) caughtUp(scope string) {
	delete(k.behind, scope)
	if scope == "" || len(k.behind) == 0 {
		k.resumed = nil
	}
}

// load learns what the plug may say again: the newest records of the network, once,
// and of each cursor all that came after it, however long ago.
func (in *Intake) load(ctx context.Context, cursors []journal.Cursor) error {
	if !in.loaded {
		end, err := in.o.Journal.End(ctx)
		if err != nil {
			return err
		}
		in.last = end
		from := id.Sequence(1)
		if limit := id.Sequence(in.limit); end > limit {
			from = end - limit
		}
		err = in.read(ctx, id.Channel{Network: in.o.Network}, from, func(c id.ChannelSource, e *plugv1.Event) {
			in.known.repeats(c, e)
			in.known.said(c, e)
		})
		if err != nil {
			return err
		}
		in.loaded = true
	}
	in.known.resume()
	for _, c := range cursors {
		in.known.behind[c.Scope] = true
		channel := in.o.Moves.Home(id.Channel{Network: in.o.Network, Source: id.ChannelSource(c.Scope)})
		if err := in.read(ctx, channel, c.Follows, in.known.resumes); err != nil {
			return err
		}
	}
	if len(cursors) == 0 {
		in.known.resumed = nil
	}
	return nil
}

// read gives the events that are kept under a channel, or with an empty source all of the
// network, from a record on, and the source of each.
func (in *Intake) read(ctx context.Context, c id.Channel, from id.Sequence, yield func(id.ChannelSource, *plugv1.Event)) error {
	return in.o.Journal.ReadEvents(ctx, c, from, func(_ id.Channel, r storage.Record) bool {
		record, err := journal.EventsOf(r)
		if err != nil {
			in.log.Error("journal record not readable", "sequence", r.Sequence, "error", err)
		}
		for _, e := range record.GetEvents() {
			yield(id.ChannelSource(e.Channel), e)
		}
		return true
	})
}

// idSet remembers the last ids it was given, by a keyed 128-bit hash: nobody can
// choose ids that collide, and by chance they don't. A nil one knows nothing.
type idSet struct {
	seeds [2]maphash.Seed
	set   map[[2]uint64]struct{}
	ring  [][2]uint64 // grows up to limit, then wraps
	next  int
	limit int    // 0: none
	words []byte // what is hashed; kept for its room
}

func newIDSet(limit int) *idSet {
	return &idSet{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, set: map[[2]uint64]struct{}{}, limit: limit}
}

func (s *idSet) key(source id.ChannelSource, name string) (key [2]uint64) {
	s.words = append(append(append(s.words[:0], source...), 0), name...)
	for i, seed := range s.seeds {
		key[i] = maphash.Bytes(seed, s.words)
	}
	return key
}

// has tells whether an id of a channel is known.
func (s *idSet) has(source id.ChannelSource, name string) bool {
	if s == nil || len(s.set) == 0 {
		return false
	}
	_, ok := s.set[s.key(source, name)]
	return ok
}

// add remembers an id of a channel and tells whether it was known.
func (s *idSet) add(source id.ChannelSource, name string) bool {
	key := s.key(source, name)
	before := len(s.set)
	s.set[key] = struct{}{}
	if len(s.set) == before {
		return true
	}
	if s.limit == 0 {
		return false
	}
	if len(s.ring) < s.limit {
		s.ring = append(s.ring, key)
		return false
	}
	delete(s.set, s.ring[s.next])
	s.ring[s.next] = key
	s.next = (s.next + 1) % s.limit
	return false
}
