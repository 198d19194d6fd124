package proof

import (
	"slices"
	"time"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// yielded is told each event at the moment it is given to the hook.
func (w *witness) yielded(l *life, d *hook.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := id.Channel{Network: d.Network, Source: d.Channel.Source}
	ch := w.channel(c)
	e := ch.known[eventName(d.Event)]
	if d.Event.History {
		e = ch.past[eventName(d.Event)]
	}
	w.noteLocked("yield %d.%d: event %s in %s, ours: %v, origin: %+v", d.Sequence, d.Index, eventName(d.Event), c, d.Ours, d.Origin)
	if c != ch.id {
		w.breachLocked("O4", "the hook is given event %s as of %s, not of %s", d.Event.EventId, c, ch.id)
	}
	if e == nil || e.sequence != d.Sequence || e.index != d.Index {
		w.breachLocked("D1", "%s: the hook is given event %s, which is not in the journal at %d.%d", c, d.Event.EventId, d.Sequence, d.Index)
		return
	}
	if e.withheld {
		w.breachLocked("D2", "%s: the hook is given event %s, a second message of a known id", c, d.Event.EventId)
	}
	if e.yields > 0 && (e.life0 == l || ch.done < len(ch.events) && ch.indexOf(e) < ch.done) {
		w.breachLocked("D2", "%s: the hook is given event %s again", c, d.Event.EventId)
	}
	if ch.last != nil && ch.indexOf(ch.last) >= ch.indexOf(e) {
		w.breachLocked("O6", "%s: the hook is given event %s after event %s", c, d.Event.EventId, ch.last.event.EventId)
	}
	ch.last, e.life0 = e, l
	e.yields++
	w.checkHeld(e)
	w.checkOrigin(e, d)
	w.checkYieldPrompt(ch, e)
	ch.yielded = time.Now()
}

func (ch *channel) indexOf(e *event) int {
	for i, o := range ch.events {
		if o == e {
			return i
		}
	}
	return -1
}

// checkHeld checks that no Put that began before the event still holds it (O1,
// O2, O5).
func (w *witness) checkHeld(e *event) {
	for _, ch := range w.channels {
		if ch.id.Network != e.channel.Network || len(ch.out) == 0 {
			continue
		}
		// Only the next operation of a channel, and the last one settled, can
		// have an attempt that isn't over.
		for i := max(0, ch.settled-1); i <= ch.settled && i < len(ch.out); i++ {
			for _, a := range ch.out[i].attempts {
				if g := w.holds(a, e); g != "" {
					w.breachLocked(g, "%s: event %s is yielded while attempt %d of %s is %v", e.channel, e.event.EventId, a.number, a.id,
						[]string{"running", "answered, its receipt not durable", "uncertain", "over"}[a.state])
				}
			}
		}
	}
}

// checkOrigin checks that the hook knows its own messages (O4).
func (w *witness) checkOrigin(e *event, d *hook.Delivery) {
	n := w.spec(d.Network)
	if e.copy == nil {
		if d.Origin != nil && !e.twice {
			w.breachLocked("O4", "%s: event %s is nobody's copy, and has an origin", e.channel, e.event.EventId)
		}
		ours := e.event.Own == plugv1.Own_OWN_YES || e.event.Own == plugv1.Own_OWN_UNKNOWN && n.Echo != plugv1.Echo_ECHO_NONE
		if d.Ours != ours && !e.twice {
			w.breachLocked("O4", "%s: event %s is ours: %v, and the hook is told %v", e.channel, e.event.EventId, ours, d.Ours)
		}
		return
	}
	if !d.Ours {
		w.breachLocked("O4", "%s: event %s is ours, and the hook is not told", e.channel, e.event.EventId)
	}
	op := w.operations[e.copy.operation]
	known := op.settled != nil && op.settled.Outcome == journalv1.Outcome_OUTCOME_SENT && len(op.settled.Receipts) > 0
	if known { // by this message's id, or by another's if the operation was sent twice
		known = false
		for _, r := range op.settled.Receipts {
			known = known || names(op, r, e)
		}
	}
	if op.mapped.IsZero() || !op.mapped.Before(time.Now()) {
		// Settled at this very moment: known if the event waited for it.
		known = known && w.waitedFor(op, e)
	}
	known = known || w.answeredInPart(op, e)
	known = known || e.event.OperationId != "" && (op.settled == nil || op.accepted.After(w.retained))
	if !known && d.Origin == nil {
		return
	}
	switch o := d.Origin; {
	case o == nil:
		w.breachLocked("O4", "%s: event %s is an echo of %s, and has no origin", e.channel, e.event.EventId, op.id)
	case o.Operation != op.id || o.Source == nil || o.Source.ID != id.MessageID(op.cause.event.MessageId) || o.Source.Channel != op.cause.said():
		w.breachLocked("O4", "%s: event %s is an echo of %s, and has the origin %+v", e.channel, e.event.EventId, op.id, o)
	case o.Primary != (e.copy.part == 1):
		w.breachLocked("O4", "%s: event %s is part %d of %s, primary: %v", e.channel, e.event.EventId, e.copy.part, op.id, o.Primary)
	}
}

// names tells whether a receipt of an operation is of an event's message. The same id is
// another's under another source.
func names(op *operation, r *plugv1.Receipt, e *event) bool {
	return journal.ReceiptChannel(op.channel, r) == e.said() && (r.Id == e.event.MessageId || slices.Contains(r.Aliases, e.event.MessageId))
}

// answeredInPart tells whether an attempt of this life of the host that failed
// half-way had answered with an event's message before now.
func (w *witness) answeredInPart(op *operation, e *event) bool {
	for _, a := range op.attempts {
		if a.life != w.life || a.state != over || !a.ended.Before(time.Now()) {
			continue
		}
		for _, r := range a.response.GetReceipts() {
			if names(op, r, e) {
				return true
			}
		}
	}
	return false
}

// waitedFor tells whether an event had to wait for the receipts of an operation.
func (w *witness) waitedFor(op *operation, e *event) bool {
	last := op.attempts[len(op.attempts)-1]
	return last.state == answered && last.life == w.life && last.tick <= e.tick
}

// checkYieldPrompt checks that nothing outside its scope delayed an event (O7).
func (w *witness) checkYieldPrompt(ch *channel, e *event) {
	since := e.at
	for _, t := range []time.Time{ch.yielded, w.hindrance, w.life.opened} {
		if t.After(since) {
			since = t
		}
	}
	n := w.spec(ch.id.Network)
	for _, other := range w.channels {
		if other.id.Network != n.id || n.Scope == plugv1.PutScope_PUT_SCOPE_CHANNEL && other != ch && w.life.number == 1 {
			continue
		}
		if other.freed.After(since) {
			since = other.freed
		}
		if other.settled < len(other.out) {
			for _, a := range other.out[other.settled].attempts {
				t := a.ended
				if a.state == uncertain && e.event.Own != plugv1.Own_OWN_NO {
					t = t.Add(settleTimeout)
				}
				if t.After(since) {
					since = t
				}
			}
		}
	}
	if late := time.Since(since); late > patience+w.run.schedule.Pace*20 {
		w.breachLocked("O7", "%s: event %s waited %v for nothing of its scope", ch.id, e.event.EventId, late)
	}
}

// promised is told which operations the hook's answer makes.
func (w *witness) promised(d *hook.Delivery, operations []id.OperationID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := id.Channel{Network: d.Network, Source: d.Channel.Source}
	ch := w.channel(c)
	e := ch.known[eventName(d.Event)]
	if d.Event.History {
		e = ch.past[eventName(d.Event)]
	}
	if e != nil {
		e.promised = operations
	}
}
