package put

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/gate"
	"github.com/plughost/plughost/host/internal/journal"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// try makes one attempt, unless an earlier one is settled while it waits for the
// plug.
func (o *operation) try(ctx context.Context) (*plugv1.PutResponse, journalv1.SettledBy, error) {
	slot, err := o.ready(ctx)
	if err != nil {
		return nil, 0, err
	}
	if o.attempt.GetUncertain() > 0 && (!o.due() || o.crashed()) {
		// The plug was restarted while this waited for a slot, and may still have
		// an echo to tell.
		slot.release()
		return o.await(ctx)
	}
	released := false
	release := func() {
		if !released {
			released = true
			slot.release()
		}
	}
	defer release()
	if err := o.findBefore(ctx, slot.Live); err != nil {
		return nil, 0, err
	}
	if r, by := o.known(); r != nil {
		return r, by, nil
	}
	if last := o.attempt; last != nil && int(last.Uncertain) > slot.retries(o.age(), o.certain) {
		return nil, 0, o.unconfirmed() // the network's memory may have ended meanwhile
	}
	action, err := o.prepare(ctx, slot)
	if err != nil {
		return nil, 0, err
	}
	if err := o.deliver(ctx, slot, action); err != nil {
		o.log.Error("the files can't be given to the plug; the channel waits", "error", err, "next_try", deliverAgain)
		release()
		return nil, 0, o.sleep(ctx, deliverAgain, false)
	}
	pass := o.stage.Gate.Begin(o.channel, slot.scope())
	o.passes = append(o.passes, pass)
	now := time.Now()
	timeout := slot.timeout()
	a := &journalv1.Attempt{Position: o.position, OperationId: string(o.id), Number: 1, Uncertain: 1,
		Noted: uint64(pass.Noted()), FirstTime: timestamppb.New(now), Deadline: timestamppb.New(now.Add(timeout + rpcMargin))}
	a.Folded = o.folded
	// The order of the channel goes on under its new source, wherever it was accepted.
	source := o.stage.Moves.Now(o.channel).Source
	if source != o.channel.Source {
		a.Channel = string(source)
	}
	if last := o.attempt; last != nil {
		a.Number, a.FirstTime = last.Number+1, last.FirstTime
		a.Sent, a.Continuation = last.Sent, last.Continuation
		if last.Uncertain > 0 {
			a.Uncertain, a.Noted = last.Uncertain+1, last.Noted
		}
		a.Crashes = last.Crashes
	}
	if err := o.save(ctx, a); err != nil {
		pass.End()
		return nil, 0, err
	}
	// The record may have taken its time; what the next attempt waits for is the
	// deadline of this RPC, by a clock that nobody sets. (In the record it doesn't
	// count: a host that reads it has new processes.)
	o.until = time.Now().Add(timeout + rpcMargin)
	o.attempt, o.process, o.certain = a, slot.process, false
	o.age() // from here
	slot.paid(slot.parts(action, len(a.Sent)))
	if a.Channel != "" {
		o.mu.Lock()
		o.heard.asks(a.Number, source)
		o.mu.Unlock()
	}
	// The RPC outlives ctx: a stopping host lets it end by the stop ladder (S4).
	response := slot.Link.Put(context.WithoutCancel(ctx), &plugv1.PutRequest{
		OperationId:      string(o.id),
		Channel:          string(source),
		Action:           action,
		Attempt:          a.Number,
		FirstAttemptTime: a.FirstTime,
		Sent:             o.sentTo(source),
		Continuation:     a.Continuation,
	}, timeout)
	o.landed(response, id.ChannelSource(a.Channel))
	// Before any event that waits for this Put is yielded, its receipts are known
	// (O4), those of an attempt that failed half-way too.
	o.know(response.Receipts)
	if uncertain(response.Failure) {
		pass.Uncertain(o.stage.SettleTimeout)
	} else {
		o.mu.Lock()
		delete(o.heard.asked, a.Number) // nothing more is told of it
		o.mu.Unlock()
	}
	o.check(slot, response)
	if response.Failure != nil {
		// The stream may have told meanwhile that an earlier attempt was sent
		// after all, or what became of this one.
		if r, by := o.known(); r != nil && (r.Failure == nil || uncertain(response.Failure)) {
			return r, by, nil
		}
	}
	return response, journalv1.SettledBy_SETTLED_BY_ANSWER, nil
}

// sentTo lists the parts known to have been sent, for a Put to a source: a receipt that
// names no channel is of the home to us, and of the source asked for to the plug.
func (o *operation) sentTo(source id.ChannelSource) []*plugv1.SentPart {
	sent := o.sent()
	if source == o.channel.Source {
		return sent
	}
	for i, s := range sent {
		sent[i] = &plugv1.SentPart{Part: s.Part, Receipt: o.place(s.Receipt)}
	}
	return sent
}

// age is how long ago the first attempt was made. Only what was before this process is
// read off the wall clock, once: setting that changes nothing about what the network
// remembers.
func (o *operation) age() time.Duration {
	if o.begun.IsZero() {
		o.begun = time.Now().Add(-max(time.Since(o.attempt.FirstTime.AsTime()), 0))
	}
	return time.Since(o.begun)
}

// deliverAgain is the time between two tries to give a plug the files of an action.
const deliverAgain = 5 * time.Second

// deliver gives the plug the files of an action, and takes back those of the attempt
// before.
func (o *operation) deliver(ctx context.Context, s *slot, a *plugv1.Action) (err error) {
	o.cleanup()
	if s.Files == nil {
		return nil
	}
	o.takeBack, err = s.Files.Deliver(ctx, a)
	return err
}

// cleanup takes back the files that the plug was given.
func (o *operation) cleanup() {
	if o.takeBack != nil {
		o.takeBack()
		o.takeBack = nil
	}
}

// uncertain tells whether a failure leaves open what was sent.
func uncertain(f *plugv1.PutFailure) bool {
	return f != nil && (f.Verdict == plugv1.Verdict_VERDICT_UNCERTAIN || f.Verdict == plugv1.Verdict_VERDICT_UNSPECIFIED)
}

// landed has the receipts of what was asked for under a source name that, if it is another
// than the one under which everything is kept; those of an edited message stay where it
// stands.
func (o *operation) landed(response *plugv1.PutResponse, source id.ChannelSource) {
	if source == "" {
		return
	}
	for _, r := range response.GetReceipts() {
		if r.Channel != "" {
			continue
		}
		r.Channel = string(source)
		if i := slices.IndexFunc(o.edited, func(e *plugv1.Receipt) bool { return e.Id == r.Id }); i >= 0 {
			r.Channel = string(journal.ReceiptChannel(o.channel, o.edited[i]).Source)
		}
	}
}

// check reports receipts that break a promise of the plug.
func (o *operation) check(slot *slot, response *plugv1.PutResponse) {
	if slot.scope() != gate.Channel || o.stage.Breach == nil {
		return
	}
	for _, r := range response.Receipts {
		landed := journal.ReceiptChannel(o.channel, r)
		if o.stage.Moves.Home(landed) != o.channel {
			o.stage.Breach(o.channel.Network, fmt.Sprintf("it declared put scope CHANNEL, and its receipt for channel %q names channel %q", o.channel.Source, r.Channel))
		}
	}
}

// know makes the operation and its receipts the origin of the events that they
// explain, from now.
func (o *operation) know(receipts []*plugv1.Receipt) {
	message := o.record
	switch settledAs(o.record.Action) {
	case journalv1.SettledAs_SETTLED_AS_EDIT: // the message stays what it is
		o.stage.origins.act(o.record)
		message = &journalv1.Operation{Id: o.of, Hook: o.record.Hook, Source: o.record.Target}
	case journalv1.SettledAs_SETTLED_AS_DELETE, journalv1.SettledAs_SETTLED_AS_OTHER:
		o.stage.origins.act(o.record)
		return // a reaction's receipt names no message
	}
	for i, r := range receipts {
		o.stage.origins.add(o.channel, message, uint32(i+1), r)
	}
}

// keepSent remembers which parts a failed attempt is known to have sent.
func (o *operation) keepSent(response *plugv1.PutResponse) {
	if response.Failure == nil || o.attempt == nil {
		return
	}
	o.attempt.Continuation = response.Failure.Continuation
	for i, r := range response.Receipts {
		part := uint32(i + 1)
		if !slices.ContainsFunc(o.attempt.Sent, func(s *plugv1.SentPart) bool { return s.Part == part }) {
			o.attempt.Sent = append(o.attempt.Sent, &plugv1.SentPart{Part: part, Receipt: r})
		}
	}
}

// notSent records that the last attempt sent nothing more, so that a crash now
// doesn't make it uncertain.
func (o *operation) notSent(ctx context.Context) error {
	o.attempt.Uncertain--
	o.attempt.NotSent = true
	o.until = time.Now()
	o.attempt.Deadline = timestamppb.New(o.until) // its RPC has ended
	if err := o.save(ctx, o.attempt); err != nil {
		return err
	}
	last := len(o.passes) - 1
	o.passes[last].End()
	o.passes = o.passes[:last]
	return nil
}

// pause waits before the next attempt as the failure asks for.
func (o *operation) pause(ctx context.Context, f *plugv1.PutFailure, delay backoff.BackOff) error {
	wait := delay.NextBackOff()
	switch f.Verdict {
	case plugv1.Verdict_VERDICT_RATE_LIMITED:
		if d := f.RetryAfter.AsDuration(); d > 0 {
			wait = d
		}
		if f.Scope == plugv1.FailureScope_FAILURE_SCOPE_PLUG {
			until := time.Now().Add(wait)
			o.stage.change(o.channel.Network, func(p *plug) {
				if until.After(p.paused) {
					p.paused = until
				}
			})
		}
		delay.Reset()
	case plugv1.Verdict_VERDICT_LOGGED_OUT:
		if o.stage.LoggedOut != nil {
			o.stage.LoggedOut(o.channel.Network, f.Message)
		}
	}
	o.log.Info("not sent; tried again later", "verdict", f.Verdict.String(), "reason", f.Message, "wait", wait)
	return o.sleep(ctx, o.untilExpiry(wait), f.Verdict == plugv1.Verdict_VERDICT_NOT_SENT)
}

// sleep waits; with wake, until the plug is up in a new process if that is sooner.
func (o *operation) sleep(ctx context.Context, d time.Duration, wake bool) error {
	if err := o.progress.flush(ctx); err != nil {
		return err
	}
	for end := time.Now().Add(d); ; {
		o.stage.mu.Lock()
		p := o.stage.plug(o.channel.Network)
		changed, renewed := p.changed, p.live != nil && p.process != o.process
		o.stage.mu.Unlock()
		left := time.Until(end)
		if left <= 0 || wake && renewed {
			return ctx.Err()
		}
		if err := await(ctx, changed, left); err != nil {
			return err
		}
	}
}
