package proof

import (
	"slices"
	"strings"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// stored is told each record at the moment it is durable.
func (w *witness) stored(e storage.Entry, s id.Sequence) {
	w.tick++
	kind, _, _ := strings.Cut(e.Subject, ".")
	switch kind {
	case "ev", "out", "put", "done":
		if c := channelOf(e.Subject); c.Source != homeOf(c.Source) {
			w.breachLocked("O6", "%s is kept under %s, not where the channel was first", kind, c)
		}
	}
	switch kind {
	case "ev":
		w.storedEvents(channelOf(e.Subject), s, mustDecode(e.Data, &journalv1.EventsRecord{}))
	case "cursor":
		c := channelOf(e.Subject)
		cursor := mustDecode(e.Data, &journalv1.CursorRecord{}).Cursor
		w.storedScope(c, cursor != nil)
		if cursor == nil {
			return
		}
		for s, at := range placesOf(cursor) {
			w.storedCursor(id.Channel{Network: c.Network, Source: s}, at)
		}
	case "moved":
		w.storedMove(channelOf(e.Subject), id.ChannelSource(mustDecode(e.Data, &journalv1.MovedRecord{}).Home))
	case "out":
		w.storedOperations(channelOf(e.Subject), mustDecode(e.Data, &journalv1.OperationsRecord{}))
	case "put":
		record := mustDecode(e.Data, &journalv1.PutRecord{})
		ch := w.channel(channelOf(e.Subject))
		w.storedSettled(ch, record.Settled)
		w.storedAttempt(ch, record.Attempt)
	case "parked":
		w.storedParked(mustDecode(e.Data, &journalv1.ParkedRecord{}))
	case "gap":
		w.storedGaps(e.Subject, mustDecode(e.Data, &journalv1.GapsRecord{}))
	case "done":
		w.storedDone(channelOf(e.Subject), id.Sequence(mustDecode(e.Data, &journalv1.DoneRecord{}).Sequence))
	}
}

func (w *witness) storedEvents(c id.Channel, s id.Sequence, record *journalv1.EventsRecord) {
	ch := w.channel(c)
	for i, e := range record.Events {
		name := eventName(e)
		w.noteLocked("journal %d.%d: event %s in %s", s, i, name, c)
		shown := ch.entries[name]
		if shown == nil {
			w.breachLocked("D1", "%s: event %s is journaled and was never shown", c, name)
			continue
		}
		// What came as history may come live after that, and is bridged then. What is kept no
		// more is history once more.
		forgotten := e.History && w.forgotten(ch, name)
		if ch.known[name] != nil && !forgotten || e.History && ch.past[name] != nil && !forgotten {
			w.breachLocked("D2", "%s: event %s is journaled twice", c, name)
			continue
		}
		if last := ch.lastLive(); last != nil && !e.History && last.place >= shown.place {
			w.breachLocked("O6", "%s: event %s is journaled after event %s", c, name, last.event.EventId)
		}
		withheld := slices.Contains(record.Withheld, uint32(i))
		message := messageName(e)
		if known := ch.ids[message] || e.History && ch.pastIDs[message]; withheld != known && !forgotten {
			w.breachLocked("D2", "%s: event %s withheld: %v, its message known: %v", c, name, withheld, known)
		}
		if withheld {
			w.counts[Withheld]++
		}
		ev := &event{entry: shown, channel: c, sequence: s, index: i, tick: w.tick, at: time.Now(), life: w.life, withheld: withheld, history: e.History}
		ev.process = w.networks[c.Network].process
		ch.events = append(ch.events, ev)
		if e.History {
			ch.past[name], ch.pastIDs[message] = ev, true
			w.counts[GapFilled]++
			continue
		}
		ch.known[name] = ev
		if m := e.GetChannelMigrated(); m != nil {
			w.storedMigration(ch, id.ChannelSource(m.To))
			continue
		}
		ch.ids[message] = true
	}
}

// storedCursor: a cursor never leads the events before it (D1).
func (w *witness) storedCursor(c id.Channel, at int) {
	ch := w.channel(c)
	w.noteLocked("journal: cursor %d of %s", at, c)
	if ch.first < 0 {
		ch.first, ch.cursor = at, at
	}
	if at <= ch.cursor {
		return
	}
	if e := ch.lacks(at); e != nil {
		w.breachLocked("D1", "%s: cursor %d is stored before event %s at %d", c, at, eventName(e.event), e.place)
	}
	ch.cursor = at
}

// lacks is an event before a place that is not in the journal, after the cursor that is.
func (ch *channel) lacks(at int) *entry {
	for name, e := range ch.entries {
		if e.place >= ch.cursor && e.place < at && ch.known[name] == nil {
			return e
		}
	}
	return nil
}

func (w *witness) storedOperations(c id.Channel, record *journalv1.OperationsRecord) {
	ch := w.channel(c)
	for _, o := range record.Operations {
		name := id.OperationID(o.Id)
		from := id.Channel{Network: id.NetworkID(o.Source.NetworkId), Source: id.ChannelSource(o.Source.Channel)}
		w.noteLocked("journal: operation %s for %s because of message %s in %s", name, c, o.Source.Id, from)
		if w.operations[name] != nil {
			w.breachLocked("D3", "operation %s is accepted twice", name)
			continue
		}
		op := &operation{id: name, channel: c, accepted: time.Now(), text: o.Action.GetMessage().GetText().GetSegments()[0].GetText()}
		cause, _ := journal.Cause(name)
		for _, e := range w.channel(from).events {
			if e.sequence == cause && e.said() == from && e.event.MessageId == o.Source.Id && !e.withheld {
				op.cause = e
			}
		}
		if op.cause == nil {
			w.breachLocked("D3", "operation %s has no cause", name)
			continue
		}
		from = w.channel(from).id // one order, whatever it is called
		if last := ch.from[from]; last != nil && last.place >= op.cause.place {
			w.breachLocked("O6", "operation %s of event %s is accepted after the one of event %s", name, op.cause.event.EventId, last.event.EventId)
		}
		ch.from[from] = op.cause
		w.operations[name] = op
		ch.out = append(ch.out, op)
	}
}

func (w *witness) storedSettled(ch *channel, s *journalv1.Settled) {
	if s == nil {
		return
	}
	op := w.operations[id.OperationID(s.OperationId)]
	switch {
	case op == nil:
		w.breachLocked("D3", "%s: settled %s, which was never accepted", ch.id, s.OperationId)
		return
	case op.settled != nil:
		return // repeated with the next attempt, or after a lost answer
	case ch.settled >= len(ch.out) || ch.out[ch.settled] != op:
		w.breachLocked("O6", "%s: settled %s out of its order", ch.id, op.id)
		return
	}
	w.noteLocked("journal: settled %s: %v by %v, %d receipts", op.id, s.Outcome, s.By, len(s.Receipts))
	ch.settled++
	op.settled, ch.freed = s, time.Now()
	for _, r := range s.Receipts {
		m := w.messages[id.Message{Channel: journal.ReceiptChannel(ch.id, r), ID: id.MessageID(r.Id)}]
		if m == nil || m.operation != op.id {
			w.breachLocked("O5", "operation %s is settled by message %s, which is not its own", op.id, r.Id)
		}
	}
	switch {
	case s.Outcome == journalv1.Outcome_OUTCOME_PARKED && !op.parked:
		w.breachLocked("D4", "operation %s is given up and not parked", op.id)
	case s.Outcome == journalv1.Outcome_OUTCOME_SENT && len(s.Receipts) == 0 && !op.already:
		w.breachLocked("D3", "operation %s is settled as sent, without a receipt", op.id)
	case s.Outcome == journalv1.Outcome_OUTCOME_SENT && len(s.Receipts) > 0 && len(s.Receipts) != op.cause.parts && !op.already:
		w.breachLocked("D3", "operation %s is settled with %d receipts of %d", op.id, len(s.Receipts), op.cause.parts)
	}
	w.countSettled(op)
}

func (w *witness) storedAttempt(ch *channel, a *journalv1.Attempt) {
	if a == nil {
		return
	}
	op := w.operations[id.OperationID(a.OperationId)]
	if op == nil || ch.settled >= len(ch.out) || ch.out[ch.settled] != op {
		w.breachLocked("O6", "%s: attempt %d of %s is not of the next operation", ch.id, a.Number, a.OperationId)
		return
	}
	w.noteLocked("journal: attempt %d of %s, %d uncertain, not sent: %v", a.Number, op.id, a.Uncertain, a.NotSent)
	if op.record != nil && !op.record.FirstTime.AsTime().Equal(a.FirstTime.AsTime()) {
		w.breachLocked("O5", "attempt %d of %s has another first time", a.Number, op.id)
	}
	op.record = a
	if last := len(ch.passes) - 1; last >= 0 {
		ch.passes[last].of = op
	}
	if a.Crashes > 0 { // also where the last attempt was not the one that may have been sent
		w.suspects[op] = true
	}
	if !a.NotSent {
		return
	}
	for _, of := range op.attempts {
		if of.number == a.Number && of.state == uncertain {
			switch of.report.GetFailure().GetVerdict() {
			case plugv1.Verdict_VERDICT_NOT_SENT, plugv1.Verdict_VERDICT_RATE_LIMITED, plugv1.Verdict_VERDICT_LOGGED_OUT:
				of.state, of.response = over, of.report
			default:
				w.breachLocked("O5", "attempt %d of %s is recorded as not sent, and nobody said so", of.number, op.id)
			}
		}
	}
}

// storedDone: the record that a hook is done follows all that came of it (D3).
func (w *witness) storedDone(c id.Channel, s id.Sequence) {
	if c.Network == "" {
		return // where a new hook begins
	}
	ch := w.channel(c)
	w.noteLocked("journal: done with %s up to %d", c, s)
	for ; ch.done < len(ch.events) && ch.events[ch.done].sequence <= s; ch.done++ {
		e := ch.events[ch.done]
		if e.withheld {
			continue
		}
		if e.yields == 0 {
			w.breachLocked("D1", "%s: the hook is noted as done with event %s, which it was never given", c, e.event.EventId)
		}
		for _, name := range e.promised {
			if w.operations[name] == nil {
				w.breachLocked("D3", "%s: the hook is noted as done with event %s before operation %s is accepted", c, e.event.EventId, name)
			}
		}
	}
}

// mapped is told what is stored in the message map.
func (w *witness) mapped(entries []storage.Entry) {
	for _, e := range entries {
		if strings.HasPrefix(e.Subject, "copy.") {
			if op := w.operations[id.OperationID(mustDecode(e.Data, &journalv1.CopyRecord{}).OperationId)]; op != nil && op.mapped.IsZero() {
				op.mapped = time.Now()
			}
		}
	}
}

// confirmed is told what the host knows to be stored.
func (w *witness) confirmed(e storage.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	kind, _, _ := strings.Cut(e.Subject, ".")
	switch kind {
	case "copy":
		if op := w.operations[id.OperationID(mustDecode(e.Data, &journalv1.CopyRecord{}).OperationId)]; op != nil && op.charted.IsZero() {
			op.charted = time.Now()
			w.release(op)
		}
	case "moved":
		w.confirmedMove(channelOf(e.Subject))
	case "put":
		record := mustDecode(e.Data, &journalv1.PutRecord{})
		ch := w.channel(channelOf(e.Subject))
		if s := record.Settled; s != nil {
			if op := w.operations[id.OperationID(s.OperationId)]; op != nil && op.stood.IsZero() {
				op.stood = time.Now()
				w.release(op)
			}
		}
		if a := record.Attempt; a != nil && a.NotSent {
			w.confirmedNotSent(ch, a)
		}
	}
}

// confirmedNotSent: from now nothing is held for the attempt, and what it said
// of pauses counts. That an earlier attempt's process crashed is noted in the same record
// once more.
func (w *witness) confirmedNotSent(ch *channel, a *journalv1.Attempt) {
	op := w.operations[id.OperationID(a.OperationId)]
	if op.notSent == a.Number {
		return
	}
	op.notSent = a.Number
	if last := len(ch.passes) - 1; last >= 0 {
		w.released(ch.passes[last], true)
		ch.passes = ch.passes[:last]
	}
	for _, of := range op.attempts {
		if of.number == a.Number {
			w.pauses(ch.id.Network, of.response.GetFailure())
		}
	}
}

// release notes that an operation's passes end, once its receipts stand in the
// journal and in the map. The next operation's may have begun: its attempt is stored
// with them.
func (w *witness) release(op *operation) {
	if op.released || op.stood.IsZero() || len(op.settled.GetReceipts()) > 0 && op.charted.IsZero() {
		return
	}
	op.released = true // what it turns out to have sent later ends nobody's pass
	ch := w.channel(op.channel)
	ch.passes = slices.DeleteFunc(ch.passes, func(p *pass) bool {
		if p.of == op {
			w.released(p, true)
		}
		return p.of == op
	})
}

// released notes that a pass lets events go now.
func (w *witness) released(p *pass, own bool) {
	n := w.networks[p.channel.Network]
	now := time.Now()
	n.released = slices.DeleteFunc(n.released, func(r release) bool { return r.at.Before(now) })
	n.released = append(n.released, release{p, now, own})
}
