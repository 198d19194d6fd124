package proof

import (
	"context"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/gate"
	"github.com/plughost/plughost/host/internal/put"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Numbers of the guarantees, spelled out once more on purpose: O5, and the
// verdict table's row UNCERTAIN.
const (
	settleTimeout   = 10 * time.Second
	mostIdempotent  = 6 // attempts that may have been sent
	mostOtherwise   = 2
	patience        = 20 * time.Second // O7: what the model's journal and retries take at the most
	putTimeout      = 30 * time.Second
	putTimeoutOfRPC = putTimeout + 5*time.Second
)

// watchedLink is a Link, with the witness looking on.
type watchedLink struct {
	Link
	life     *life
	process  *process
	attached time.Time
}

// Put implements put.Link.
func (l *watchedLink) Put(ctx context.Context, r *plugv1.PutRequest, timeout time.Duration) *plugv1.PutResponse {
	w := l.life.run.witness
	a := w.began(l, r)
	response := l.Link.Put(ctx, r, timeout)
	w.ended(a, response)
	return response
}

var _ put.Link = (*watchedLink)(nil)

// passed is told each pass of the gate.
func (w *witness) passed(c id.Channel, p *pass) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tick++
	p.tick = w.tick // after the gate noted: what is stored from now is held
	ch := w.channel(c)
	if p.resumed && ch.settled < len(ch.out) {
		p.of = ch.out[ch.settled]
	}
	ch.passes = append(ch.passes, p)
}

// began is told each RPC before it begins.
func (w *witness) began(l *watchedLink, r *plugv1.PutRequest) *attempt {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tick++
	now := time.Now()
	c := id.Channel{Network: l.process.net.id, Source: id.ChannelSource(r.Channel)}
	w.noteLocked("put: attempt %d of %s in %s", r.Attempt, r.OperationId, c)
	ch, op := w.channel(c), w.operations[id.OperationID(r.OperationId)]
	if op == nil {
		w.breachLocked("D3", "%s: Put of %s, which was never accepted", c, r.OperationId)
		return nil
	}
	a := &attempt{operation: op, number: r.Attempt, process: l.process, life: l.life, tick: w.tick, begun: now, deadline: now.Add(putTimeoutOfRPC), sending: true}
	if n := len(ch.passes); n > 0 {
		a.tick, a.passed = ch.passes[n-1].tick, ch.passes[n-1].begun
	} else {
		w.breachLocked("O2", "Put of %s without a pass", op.id)
	}
	if op.record == nil || op.record.Number != r.Attempt || op.record.NotSent {
		w.breachLocked("O5", "attempt %d of %s is not recorded", r.Attempt, op.id)
	}
	if ch.settled >= len(ch.out) || ch.out[ch.settled] != op {
		w.breachLocked("O5", "Put of %s while an earlier one of %s is not settled", op.id, c)
	}
	w.checkSource(ch, a, c.Source)
	w.checkLater(l, a)
	w.checkPrompt(l, ch, a)
	w.checkPace(l.process.net, ch, a)
	w.checkAlone(w.networks[c.Network], a)
	op.attempts = append(op.attempts, a)
	return a
}

// checkLater checks a new attempt after one that may have been sent (O5).
func (w *witness) checkLater(l *watchedLink, a *attempt) {
	op, n := a.operation, l.process.net
	unsure := 1
	for _, before := range op.attempts {
		if before.sending && !before.process.isDead() {
			w.breachLocked("O5", "attempt %d of %s while attempt %d may still send", a.number, op.id, before.number)
		}
		if before.state != uncertain {
			continue
		}
		unsure++
		if early := w.earliest(before, l.process).Sub(a.begun); early > 0 {
			w.breachLocked("O5", "attempt %d of %s is %v too early after attempt %d", a.number, op.id, early, before.number)
		}
	}
	most := mostOtherwise
	if n.Window > 0 || n.History {
		most = mostIdempotent
	}
	if unsure > most {
		w.breachLocked("D3", "%d attempts of %s may have been sent", unsure, op.id)
	}
	if !op.told.IsZero() && op.told.Before(a.passed) {
		w.breachLocked("O5", "attempt %d of %s, though a PutOutcome had said that it was sent", a.number, op.id)
	}
	w.checkEchoed(l, a)
}

// earliest is when O5's clocks of an uncertain attempt allow another one in a
// process: they may have run out in any process since.
func (w *witness) earliest(a *attempt, now *process) time.Time {
	n := now.net
	if n.Echo == plugv1.Echo_ECHO_NONE && !n.History {
		if now != a.process {
			return time.Time{}
		}
		return a.deadline
	}
	never := time.Now().Add(time.Hour)
	first := never
	for _, s := range w.networks[n.id].said {
		if s.scope != "" && s.scope != a.channel.Source {
			continue
		}
		at := s.at
		if s.process == a.process && a.deadline.After(at) {
			at = a.deadline
		}
		if at = at.Add(settleTimeout); s.process.number >= a.process.number && at.Before(first) {
			first = at
		}
	}
	return first
}

// checkEchoed checks that an attempt is not made where an echo with the
// operation's id has settled it, or must have (D3).
func (w *witness) checkEchoed(l *watchedLink, a *attempt) {
	n := l.process.net
	if n.Echo != plugv1.Echo_ECHO_OPERATION_ID {
		return
	}
	late := a.begun.Add(-settleTimeout)
	for _, m := range a.messages {
		if len(a.messages) != 1 || a.cause.parts != 1 || m.shownAt.IsZero() {
			continue
		}
		ch := w.channel(m.channel)
		ev := ch.known[m.shownAs]
		if ev != nil && ev.at.Before(late) && w.hindrance.Before(late) {
			w.breachLocked("D3", "attempt %d of %s, though its echo was in the journal for %v", a.number, a.id, a.begun.Sub(ev.at))
		}
		// What was shown before the first cursor stood need not come back.
		resumed := n.Resumable && ch.first >= 0 && ch.entries[m.shownAs].place >= ch.first
		if resumed && ev == nil && m.shownAt.Before(late.Add(-w.run.schedule.Pace*8)) && w.hindrance.Before(m.shownAt) && w.networks[n.id].deaf.Before(l.attached) {
			w.breachLocked("D3", "attempt %d of %s, though its echo was shown %v ago", a.number, a.id, a.begun.Sub(m.shownAt))
		}
	}
}

// checkPrompt checks that nothing outside its scope delays a first attempt (O7):
// where Puts of all channels may run at once, as fast as they come, only its own channel
// and plug do.
func (w *witness) checkPrompt(l *watchedLink, ch *channel, a *attempt) {
	if n := l.process.net; a.number != 1 || int(n.Concurrent) < len(n.rooms) || n.Rate.PerSecond > 0 {
		return
	}
	since := a.accepted
	n := w.networks[ch.id.Network]
	for _, t := range []time.Time{ch.freed, ch.migrated, l.attached, w.hindrance, n.paused, n.alone} {
		if t.After(since) {
			since = t
		}
	}
	if late := a.begun.Sub(since); late > patience+w.run.schedule.Pace*20 {
		w.breachLocked("O7", "operation %s waited %v for nothing of its channel", a.id, late)
	}
}

func (p *process) isDead() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

// sent is told when the work of a Put can't send any more.
func (w *witness) sent(r *plugv1.PutRequest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if op := w.operations[id.OperationID(r.OperationId)]; op != nil {
		for _, a := range op.attempts {
			if a.number == r.Attempt {
				a.sending = false
			}
		}
	}
}

// reports is told what a plug reports late, before it does.
func (w *witness) reports(r *plugv1.PutRequest, response *plugv1.PutResponse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if op := w.operations[id.OperationID(r.OperationId)]; op != nil {
		op.already = op.already || response.GetFailure().GetVerdict() == plugv1.Verdict_VERDICT_ALREADY
		for _, a := range op.attempts {
			if a.number == r.Attempt {
				a.report = response
			}
		}
	}
}

// ended is told what became of each RPC.
func (w *witness) ended(a *attempt, response *plugv1.PutResponse) {
	if a == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	a.ended = time.Now()
	w.noteLocked("put: attempt %d of %s ended: %v", a.number, a.id, response)
	a.response = response
	w.notAlone(w.networks[a.channel.Network], a)
	switch f := response.Failure; f.GetVerdict() {
	case plugv1.Verdict_VERDICT_UNSPECIFIED, plugv1.Verdict_VERDICT_UNCERTAIN:
		if a.state = answered; f != nil {
			a.state = uncertain
			ch := w.channel(a.channel)
			if n := len(ch.passes); n > 0 {
				p := ch.passes[n-1]
				p.uncertain = a.ended
				w.released(p, false)
			}
		}
	case plugv1.Verdict_VERDICT_ALREADY:
		a.already = true
		a.state = over
	default:
		a.state = over
	}
	if response.Failure != nil && len(response.Receipts) > 0 {
		w.counts[SentInPart]++
	}
	if a.state == over {
		a.sending = false // the SDK may have answered without the author's code
	}
}

// pauses notes how long a failure keeps Puts of the whole plug waiting, at the
// most.
func (w *witness) pauses(n id.NetworkID, f *plugv1.PutFailure) {
	if f.GetVerdict() == plugv1.Verdict_VERDICT_RATE_LIMITED && f.Scope == plugv1.FailureScope_FAILURE_SCOPE_PLUG {
		pause := f.RetryAfter.AsDuration()
		if pause == 0 {
			pause = time.Minute // the longest back-off
		}
		w.networks[n].paused = time.Now().Add(pause)
	}
}

// holds tells whether an attempt that began before an event was appended still
// holds it, and why.
func (w *witness) holds(a *attempt, e *event) (guarantee string) {
	if a.settled != nil && (len(a.settled.Receipts) == 0 || !a.mapped.IsZero()) || a.tick > e.tick {
		return ""
	}
	n := w.spec(a.channel.Network)
	if n.id != e.channel.Network || n.Scope == plugv1.PutScope_PUT_SCOPE_CHANNEL && a.channel != e.channel {
		return ""
	}
	switch a.state {
	case running, answered:
		if a.life != w.life {
			return "" // the Put ended with its host; it counts as uncertain below
		}
		if e.copy != nil && e.copy.operation == a.id {
			return "O1"
		}
		return "O2"
	case uncertain:
		since := a.ended
		if a.life != w.life && w.life.opened.After(since) {
			since = w.life.opened
		}
		if e.event.Own != plugv1.Own_OWN_NO && time.Since(since) < settleTimeout {
			return "O5"
		}
	}
	return ""
}

// waited is told each event that the gate let go after it had waited: something
// that began before must have let it go at this very moment (O2).
func (w *witness) waited(c id.Channel, s id.Sequence, own bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	relevant := func(p *pass) bool {
		return p.noted < s && (p.scope == gate.Plug || p.channel == c)
	}
	for _, r := range w.networks[c.Network].released {
		if relevant(r.pass) && r.at.Equal(now) && (r.own || !own) {
			return
		}
	}
	for _, ch := range w.channels {
		for _, p := range ch.passes {
			if own && ch.id.Network == c.Network && relevant(p) && !p.uncertain.IsZero() && p.uncertain.Add(settleTimeout).Equal(now) {
				return
			}
		}
	}
	w.breachLocked("O2", "%s: the gate let %d go, and nothing that began before it ended", c, s)
}

func (w *witness) countSettled(op *operation) {
	s := op.settled
	unsure := 0
	var first *attempt
	for _, a := range op.attempts {
		if a.state == uncertain || a.state == running && a.life != w.life {
			unsure++
			if first == nil {
				first = a
			}
		}
	}
	switch {
	case unsure == 0:
	case s.Outcome == journalv1.Outcome_OUTCOME_PARKED:
		w.counts[SettledParked]++
	case s.By == journalv1.SettledBy_SETTLED_BY_ECHO:
		w.counts[SettledByEcho]++
	case s.By == journalv1.SettledBy_SETTLED_BY_HISTORY:
		w.counts[SettledByHistory]++
	case s.By == journalv1.SettledBy_SETTLED_BY_PUT_OUTCOME:
		w.counts[SettledByOutcome]++
	default:
		w.counts[SettledByAttempt]++
	}
	if first != nil && first.process.isDead() && w.networks[op.channel.Network].attached.Sub(first.ended) > 10*time.Second {
		w.counts[ResumedLate]++
	}
}
