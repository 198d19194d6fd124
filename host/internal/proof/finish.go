package proof

import (
	"fmt"
	"strings"

	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Situation is something that a schedule can lead to, and that a proof without
// it would not be worth much.
type Situation int

const (
	EchoBefore Situation = iota
	EchoAt
	EchoAfter
	EchoAfterRestart
	SameText
	SettledByEcho
	SettledByOutcome
	SettledByAttempt
	SettledParked
	FoundSent
	Paced
	SettledByHistory
	GapFilled
	ResumedLate
	Forged
	BlockedQueue
	RefusedAppend
	LostAnswer
	SentInPart
	Withheld
	StreamReopened
	PlugDied
	HostDied
	Migrated
	MigratedWaiting
	MigratedInPut
	MigratedBack
	DiedMoving
	situations
)

func (s Situation) String() string {
	return [...]string{
		"echo before the answer", "echo at the answer", "echo after the answer", "echo only after a restart",
		"same text twice", "uncertain, settled by echo", "uncertain, settled by PutOutcome", "uncertain, settled by a new attempt",
		"uncertain, parked", "parked, and turned out to have been sent",
		"begun as soon as the rate lets it", "uncertain, settled by history", "message of a gap stored", "resumed after more than 10 s", "forged id", "blocked queue", "refused append",
		"answer of the journal lost", "sent in part", "second message withheld", "stream opened anew", "plug died", "host died",
		"channel migrated", "migrated while operations waited", "migrated while a Put was under way", "migrated back", "host died between a move's record and its event",
	}[s]
}

// Counts says how often each situation came up.
type Counts [situations]int

// String lists the counts, one in a line.
func (c Counts) String() string {
	var b strings.Builder
	for s, n := range c {
		fmt.Fprintf(&b, "%7d  %v\n", n, Situation(s))
	}
	return b.String()
}

// idle tells whether all that is durable is finished.
func (w *witness) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ch := range w.channels {
		if ch.settled < len(ch.out) {
			return false
		}
		for _, e := range ch.events[ch.done:] {
			if !e.withheld {
				return false
			}
		}
	}
	for _, op := range w.operations {
		if w.unheard(op) {
			return false
		}
	}
	for _, n := range w.networks {
		if n.gaps > 0 && w.spec(n.process.net.id).History {
			return false
		}
	}
	return true
}

// has tells whether all that a process has heard is in the journal.
func (w *witness) has(p *process) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ch := range w.channels {
		for name, e := range ch.entries {
			if ch.id.Network == p.net.id && e.place >= p.start[ch.id.Source] && ch.known[name] == nil {
				return false
			}
		}
	}
	return true
}

// finish checks what must hold once nothing is left waiting.
func (w *witness) finish() {
	idle := w.idle()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !idle {
		w.breachLocked("D3", "something is left waiting for ever: %s", w.waiting())
		return
	}
	if w.broken != nil {
		return // the rest would follow from it
	}
	for _, ch := range w.channels {
		w.finishChannel(ch)
	}
	for _, op := range w.operations {
		w.finishOperation(op)
	}
}

func (w *witness) waiting() string {
	var b strings.Builder
	for c, ch := range w.channels {
		if ch.settled < len(ch.out) {
			fmt.Fprintf(&b, "operation %s for %s; ", ch.out[ch.settled].id, c)
		}
		if ch.done < len(ch.events) {
			fmt.Fprintf(&b, "event %s of %s; ", ch.events[ch.done].event.EventId, c)
		}
	}
	for name, n := range w.networks {
		if n.gaps > 0 {
			fmt.Fprintf(&b, "%d gaps of %s; ", n.gaps, name)
		}
	}
	for _, op := range w.operations {
		if w.unheard(op) {
			fmt.Fprintf(&b, "parked operation %s for %s; ", op.id, op.channel)
		}
	}
	return b.String()
}

// finishChannel: what a resumable network showed since the first cursor is in
// the journal, and what is there was given to the hook (D1), which made of each
// message of a stranger one operation for each other member.
func (w *witness) finishChannel(ch *channel) {
	if w.spec(ch.id.Network).Resumable && ch.first >= 0 {
		for name, e := range ch.entries {
			if e.place >= ch.first && ch.known[name] == nil {
				w.breachLocked("D1", "%s: event %s was lost", ch.id, name)
			}
		}
	}
	w.finishGaps(ch)
	w.finishMoves(ch)
	var last *operation
	for _, op := range ch.out {
		if last != nil && last.text == op.text && sentOnce(last) && sentOnce(op) {
			w.counts[SameText]++
		}
		last = op
	}
	for _, e := range ch.events {
		want := 0
		if e.event.GetMessage() != nil && e.copy == nil && !e.withheld && !e.history && !(e.event.Own == plugv1.Own_OWN_YES) &&
			(e.event.Own == plugv1.Own_OWN_NO || w.spec(ch.id.Network).Echo == plugv1.Echo_ECHO_NONE) {
			want = len(others(ch.id))
		}
		if len(e.promised) != want {
			w.breachLocked("D3", "%s: event %s was answered with %d operations, not %d", ch.id, e.event.EventId, len(e.promised), want)
		}
		for _, name := range e.promised {
			if w.operations[name] == nil {
				w.breachLocked("D3", "%s: operation %s of event %s was never accepted", ch.id, name, e.event.EventId)
			}
		}
	}
}

func sentOnce(op *operation) bool {
	return op.settled.Outcome == journalv1.Outcome_OUTCOME_SENT && len(op.messages) == 1
}

// finishOperation: what is settled as sent was sent, once where that is promised
// (D3).
func (w *witness) finishOperation(op *operation) {
	n := w.spec(op.channel.Network)
	parts := map[uint32]int{}
	for _, m := range op.messages {
		parts[m.part]++
	}
	sent := op.settled.Outcome == journalv1.Outcome_OUTCOME_SENT
	if sent && len(op.messages) == 0 && !op.already {
		w.breachLocked("D3", "operation %s is settled as sent and never was", op.id)
	}
	for part, times := range parts {
		if times > 1 && n.Window > longest {
			w.breachLocked("D3", "part %d of operation %s was sent %d times, inside the network's window", part, op.id, times)
		}
		if times > 1 && n.History && !op.untold {
			w.breachLocked("D3", "part %d of operation %s was sent %d times, though the network's history finds it", part, op.id, times)
		}
		if times > len(op.attempts) || times > mostOtherwise && n.Window == 0 {
			w.breachLocked("D3", "part %d of operation %s was sent %d times", part, op.id, times)
		}
	}
	w.countEchoes(op)
}

// longest is a window that no schedule outlasts.
const longest = 12 * 3600 * 1e9

// countEchoes counts when the echo came, relative to the answer.
func (w *witness) countEchoes(op *operation) {
	if len(op.messages) == 0 || len(op.attempts) == 0 {
		return
	}
	m, last := op.messages[len(op.messages)-1], op.attempts[len(op.attempts)-1]
	e := w.channel(m.channel).known[m.shownAs]
	if m.shownAt.IsZero() || e == nil {
		return
	}
	switch {
	case e.process != last.process:
		w.counts[EchoAfterRestart]++
	case last.state == uncertain:
	case e.at.Before(last.ended):
		w.counts[EchoBefore]++
	case e.at.Equal(last.ended):
		w.counts[EchoAt]++
	default:
		w.counts[EchoAfter]++
	}
}

var _ = id.Sequence(0)
