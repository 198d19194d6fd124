package proof

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
)

// Breach is a guarantee that did not hold.
type Breach struct {
	Guarantee string
	What      string
}

// witness knows the truth: what the networks took and showed, what is durable,
// which Puts run. It compares it with the guarantees as things happen.
//
// Lock order: process, network, witness.
type witness struct {
	run *run

	mu         sync.Mutex
	tick       uint64 // counts what happens, where the time alone doesn't order it
	broken     *Breach
	counts     Counts
	notes      []note
	life       *life
	retained   time.Time // finished records older than this may be gone
	hindrance  time.Time // when the journal last refused something, or a host died
	messages   map[id.Message]*message
	operations map[id.OperationID]*operation
	suspects   map[*operation]bool // that were ever suspected
	channels   map[id.Channel]*channel
	networks   map[id.NetworkID]*netState
}

type note struct {
	at     time.Time
	format string
	args   []any
}

func newWitness(r *run) *witness {
	w := &witness{run: r, messages: map[id.Message]*message{}, operations: map[id.OperationID]*operation{},
		channels: map[id.Channel]*channel{}, networks: map[id.NetworkID]*netState{},
		suspects: map[*operation]bool{}}
	for _, n := range networkNames {
		w.networks[n] = &netState{running: map[*attempt]bool{}}
	}
	return w
}

// channel is called with the lock held, as are all lower-case helpers below
// that take no lock themselves. The channel may be named by any of its sources.
func (w *witness) channel(c id.Channel) *channel {
	c.Source = homeOf(c.Source)
	ch := w.channels[c]
	if ch == nil {
		ch = &channel{id: c, entries: map[name]*entry{}, known: map[name]*event{}, ids: map[name]bool{}, past: map[name]*event{}, pastIDs: map[name]bool{}, first: -1, place: -1, from: map[id.Channel]*event{},
			whereabouts: newWhereabouts(c.Source)}
		w.channels[c] = ch
	}
	return ch
}

func (w *witness) spec(n id.NetworkID) *network {
	for _, of := range w.run.networks {
		if of.id == n {
			return of
		}
	}
	return nil
}

func (w *witness) breachLocked(guarantee, format string, args ...any) {
	if w.broken != nil {
		return // what follows from the first would only confuse
	}
	w.noteLocked("BROKEN "+guarantee+": "+format, args...)
	w.broken = &Breach{guarantee, fmt.Sprintf(format, args...)}
}

func (w *witness) breach(guarantee, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.breachLocked(guarantee, format, args...)
}

func (w *witness) noteLocked(format string, args ...any) {
	w.notes = append(w.notes, note{time.Now(), format, args})
}

func (w *witness) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked(format, args...)
}

// trace lists what happened.
func (w *witness) trace() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, n := range w.notes {
		fmt.Fprintf(&b, "%12v  ", n.at.Sub(w.notes[0].at))
		fmt.Fprintf(&b, n.format, n.args...)
		b.WriteByte('\n')
	}
	return b.String()
}

func (w *witness) count(s Situation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[s]++
}

// lives notes that a life of the host begins.
func (w *witness) lives(l *life) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked("host: life %d", l.number)
	w.life, w.hindrance = l, time.Now()
	for _, n := range w.networks {
		n.released = nil
	}
	for _, ch := range w.channels {
		ch.last, ch.passes = nil, nil
		ch.recalls()
	}
	for _, op := range w.operations {
		op.told, op.stood, op.charted, op.released = time.Time{}, time.Time{}, time.Time{}, false
	}
}

func (w *witness) hindered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hindrance = time.Now()
}

func (w *witness) refused(e storage.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked("journal: refused %s", e.Subject)
	if strings.HasPrefix(e.Subject, "ev.") {
		w.counts[RefusedAppend]++
	}
}

func (w *witness) retains(before time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before.After(w.retained) {
		w.retained = before
	}
}

func (w *witness) deafened(n id.NetworkID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.networks[n].deaf = time.Now()
}

// attached is told each process of a plug.
func (w *witness) attached(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.networks[p.net.id]
	n.process, n.attached = p, time.Now()
	w.noteLocked("plug %s: attached", p.net.id)
}

// saidAll is told when a process is at the present.
func (w *witness) saidAll(p *process, scope id.ChannelSource) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, scope := w.networks[p.net.id], homeOf(scope)
	for _, s := range n.said {
		if s.process == p && s.scope == scope {
			return
		}
	}
	n.said = append(n.said, saying{p, scope, time.Now()})
}

// shown is told each event that a network shows.
func (w *witness) shown(c id.Channel, e *entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked("%s: shows event %s, message %s", c, eventName(e.event), e.event.MessageId)
	w.channel(c).entries[eventName(e.event)] = e
	if m := e.copy; m != nil {
		m.shownAt, m.shownAs = time.Now(), eventName(e.event)
	}
}

// took is told each message that a network takes from its plug.
func (w *witness) took(m *message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked("%s: takes message %v of operation %s", m.channel, m.ids, m.operation)
	for _, name := range m.ids {
		w.messages[id.Message{Channel: m.channel, ID: id.MessageID(name)}] = m
	}
	if op := w.operations[m.operation]; op != nil {
		op.messages = append(op.messages, m)
	}
}

// source returns the event that an operation was made of.
func (w *witness) source(operation id.OperationID) *entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	if op := w.operations[operation]; op != nil && op.cause != nil {
		return op.cause.entry
	}
	return nil
}

// underWay names an operation of the channel that is not settled, or the newest.
func (w *witness) underWay(c id.Channel) id.OperationID {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch := w.channel(c)
	if len(ch.out) == 0 {
		return ""
	}
	return ch.out[min(ch.settled, len(ch.out)-1)].id
}

// networkOf reads the network from the second token of a subject.
func networkOf(subject string) id.NetworkID {
	plain, err := base64.RawURLEncoding.DecodeString(strings.Split(subject, ".")[1])
	if err != nil {
		panic(err) // the journal wrote it
	}
	return id.NetworkID(plain)
}

// channelOf reads the channel from the last two tokens of a subject.
func channelOf(subject string) id.Channel {
	tokens := strings.Split(subject, ".")
	plain := func(t string) string {
		b, err := base64.RawURLEncoding.DecodeString(t)
		if err != nil {
			return "" // "_" is the empty one
		}
		return string(b)
	}
	return id.Channel{Network: id.NetworkID(plain(tokens[len(tokens)-2])), Source: id.ChannelSource(plain(tokens[len(tokens)-1]))}
}

func mustDecode[M proto.Message](data []byte, into M) M {
	if err := proto.Unmarshal(data, into); err != nil {
		panic(fmt.Sprintf("the journal stores what is not readable: %v", err))
	}
	return into
}

// acknowledged is told what a plug was told to be in the journal.
func (w *witness) acknowledged(n *network, items []*item) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range items {
		if e := i.entry; e != nil {
			c := id.Channel{Network: n.id, Source: id.ChannelSource(e.event.Channel)}
			if w.channel(c).known[eventName(e.event)] == nil {
				w.breachLocked("D1", "%s: event %s is acknowledged and not in the journal", c, e.event.EventId)
			}
		}
		if cur := i.cursor; cur != nil {
			for s, at := range placesOf(cur) {
				c := id.Channel{Network: n.id, Source: s}
				if ch := w.channel(c); ch.cursor < at && !ch.passedOver(id.ChannelSource(cur.Scope), at) {
					w.breachLocked("D1", "%s: cursor %d is acknowledged and not in the journal", c, at)
				}
			}
		}
		if o := i.outcome; o != nil && o.Response.GetFailure() == nil {
			w.noteLocked("plug %s: the outcome of attempt %d of %s is acknowledged: %v", n.id, o.Attempt, o.OperationId, o.Response)
			if op := w.operations[id.OperationID(o.OperationId)]; op != nil && op.told.IsZero() {
				op.told = time.Now()
			}
		}
	}
}
