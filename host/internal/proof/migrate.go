package proof

import (
	"fmt"
	"strings"
	"time"

	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// mostMoves is how often a channel migrates at the most.
const mostMoves = 2

// move is one migration: x goes on as x2, that as x3, or as x again.
type move struct {
	place int // in the log, of the event that tells of it
	to    id.ChannelSource
}

// homeOf is the source that a channel had first.
func homeOf(s id.ChannelSource) id.ChannelSource {
	return id.ChannelSource(strings.TrimRight(string(s), "0123456789"))
}

// now is the source that the channel has.
func (l *channelLog) now() id.ChannelSource { return l.names(len(l.shown))[len(l.moves)] }

// names lists the sources that the channel has had up to a place of its log, one after
// the other.
func (l *channelLog) names(place int) []id.ChannelSource {
	names := []id.ChannelSource{l.source}
	for _, m := range l.moves {
		if m.place < place {
			names = append(names, m.to)
		}
	}
	return names
}

// names is that of a log for whoever doesn't hold the lock.
func (n *network) names(s id.ChannelSource, place int) []id.ChannelSource {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rooms[s].names(place)
}

// sourceAt is the source that a channel had at a place of its log.
func (n *network) sourceAt(s id.ChannelSource, place int) id.ChannelSource {
	names := n.names(s, place)
	return names[len(names)-1]
}

// migrate has a channel go on under another source, or with back under its first one if it
// has left that. The old one takes no messages any more; what was taken there may be shown
// there still.
func (n *network) migrate(s id.ChannelSource, back bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.rooms[s]
	if len(l.moves) == mostMoves {
		return
	}
	from, to := l.now(), id.ChannelSource(fmt.Sprintf("%s%d", s, len(l.moves)+2))
	if back && from != s {
		to = s
		n.run.count(MigratedBack)
	}
	n.run.witness.migrates(id.Channel{Network: n.id, Source: s})
	n.show(l, &entry{event: &plugv1.Event{
		EventId: "e" + l.nextID(from), Channel: string(from), Own: plugv1.Own_OWN_NO,
		Kind: &plugv1.Event_ChannelMigrated{ChannelMigrated: &plugv1.ChannelMigrated{To: string(to)}},
	}})
	l.moves = append(l.moves, move{len(l.shown) - 1, to})
}

// started is the plug's answer to Start about a channel that it was asked for: where it
// is, or if the migrations since are told by events, that it can only be read.
func (p *process) started(s, as id.ChannelSource, resumes bool) *plugv1.ChannelStatus {
	now := p.net.sourceAt(s, p.start[s])
	p.update(func() { p.asked[s] = as })
	status := &plugv1.ChannelStatus{Requested: string(as), Source: string(as), State: plugv1.ChannelState_CHANNEL_STATE_JOINED}
	switch {
	case !p.net.Resumable || !resumes || p.net.Told:
		status.Source = string(now)
	case now != as:
		status.State = plugv1.ChannelState_CHANNEL_STATE_READ_ONLY
	}
	return status
}

// migrates counts what a migration meets.
func (w *witness) migrates(c id.Channel) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch := w.channel(c)
	if ch.settled == len(ch.out) {
		return
	}
	w.counts[MigratedWaiting]++
	for _, a := range ch.out[ch.settled].attempts {
		if a.state == running && a.life == w.life && !a.process.isDead() {
			w.counts[MigratedInPut]++
			return
		}
	}
}

// whereabouts is what the witness knows of a channel's sources.
type whereabouts struct {
	durable   id.ChannelSource          // by the last move in the journal
	made      map[id.ChannelSource]bool // by all of them
	answered  id.ChannelSource          // by the answer of Start, the last time that told something new
	followed  id.ChannelSource          // by the last move that this life of the host knows to be durable
	since     time.Time                 // the same; zero: from its beginning
	migrated  time.Time                 // when the journal was last told of a move by an event
	cursors   map[id.ChannelSource]bool
	announced map[id.ChannelSource]bool // by an event in the journal
}

// storedMove is told each move at the moment it is durable: it is one that the network
// made, and what is kept stays where it is (D1).
func (w *witness) storedMove(to id.Channel, home id.ChannelSource) {
	w.noteLocked("journal: %s goes on as %s", home, to)
	ch := w.channel(to)
	if home != ch.id.Source {
		w.breachLocked("D1", "%s is kept as a move of %s, and is one of %s", to, home, ch.id)
	}
	ch.durable, ch.made[to.Source] = to.Source, true
}

// told tells whether the host was told of a channel's source.
func (w *witness) told(c id.Channel) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.channel(c).made[c.Source]
}

// confirmedMove is told a move that the host knows to be durable: it is followed from now.
// A plug whose answer to Start told of two may say the first after that: the host can't know
// that the channel doesn't go back, and follows that until it is told of the second.
func (w *witness) confirmedMove(to id.Channel) {
	ch := w.channel(to)
	ch.followed, ch.since = to.Source, time.Now()
}

// recalls: a life of the host begins, which knows all that is durable.
func (ch *channel) recalls() { ch.followed, ch.since = ch.durable, time.Time{} }

// answers is told where a channel is, if the answer of Start tells of a move.
func (w *witness) answers(c id.Channel, to id.ChannelSource) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked("plug %s: answers that %s is %s", c.Network, c.Source, to)
	w.channel(c).answered = to
}

// storedMigration: a move is durable before the event that tells of it, since what comes
// after the event is said under the new source (D1).
func (w *witness) storedMigration(ch *channel, to id.ChannelSource) {
	w.counts[Migrated]++
	ch.migrated, ch.announced[to] = time.Now(), true
	if !ch.made[to] {
		w.breachLocked("D1", "%s: the event is stored that it goes on as %s, before the move is durable", ch.id, to)
	}
}

// died is told that a life of the host was cut off.
func (w *witness) died() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ch := range w.channels {
		if ch.durable != ch.id.Source && ch.durable != ch.answered && !ch.announced[ch.durable] {
			w.counts[DiedMoving]++
		}
	}
}

// checkSource checks where a Put is asked for: where the channel is, as far as this life
// of the host surely knew when it began, and nowhere of which a crash would make it
// forget (D3).
func (w *witness) checkSource(ch *channel, a *attempt, source id.ChannelSource) {
	switch {
	case !ch.made[source]:
		w.breachLocked("D3", "attempt %d of %s is asked for in %s before that move is durable", a.number, a.id, source)
	case source != ch.followed && ch.since.Before(a.passed):
		w.breachLocked("D3", "attempt %d of %s is asked for in %s, though the channel goes on as %s", a.number, a.id, source, ch.followed)
	}
}

// storedScope is told whether there is a cursor under a channel's source from now, or if
// that is empty of the whole plug.
func (w *witness) storedScope(c id.Channel, there bool) {
	switch {
	case !there:
		w.noteLocked("journal: no cursor of %s", c)
		delete(w.channel(c).cursors, c.Source)
	case c.Source != "":
		w.channel(c).cursors[c.Source] = true
	}
}

// passedOver tells whether a cursor may be acknowledged that is not stored: it is of a source
// that the channel has left, and there is one of the present source. If that is from before,
// since the channel came back, the plug says again after a crash what is in the journal.
func (ch *channel) passedOver(scope id.ChannelSource, at int) bool {
	return scope != "" && scope != ch.followed && ch.cursors[ch.followed] && ch.lacks(at) == nil
}

// finishMoves: the host has followed the channel to where it is, and keeps one cursor of it,
// of its present source.
func (w *witness) finishMoves(ch *channel) {
	now := w.spec(ch.id.Network).rooms[ch.id.Source].now()
	if ch.followed != now {
		w.breachLocked("D3", "%s goes on as %s, and the host was left with %s", ch.id, now, ch.followed)
	}
	for scope := range ch.cursors {
		if scope != now && ch.cursors[now] {
			w.breachLocked("cursors", "%s: a cursor of %s is kept beside that of %s", ch.id, scope, now)
		}
	}
}

func newWhereabouts(home id.ChannelSource) whereabouts {
	return whereabouts{durable: home, followed: home, made: map[id.ChannelSource]bool{home: true},
		cursors: map[id.ChannelSource]bool{}, announced: map[id.ChannelSource]bool{}}
}
