package put

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/gate"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Retries after an attempt that may have been sent: where the network takes an
// operation twice as one, and where it may double the message.
const (
	retriesIdempotent = 5
	retriesOtherwise  = 1
)

// errUnconfirmed says that no more attempts may be made.
var errUnconfirmed = errors.New("no attempt was confirmed by the network; look there, and send it again if it is missing")

// operation is one operation on its way to an outcome.
type operation struct {
	stage    *Stage
	channel  id.Channel
	progress *progress
	record   *journalv1.Operation
	position *journalv1.Position
	id       id.OperationID
	log      hclog.Logger

	attempt *journalv1.Attempt // the last one; nil before the first
	process uint64             // the plug's process that the last one went to
	passes  []*gate.Pass       // of all attempts that may have been sent
	reason  string             // why it is parked or given up

	mu    sync.Mutex
	heard heard
	news  chan struct{} // capacity 1
}

// heard is what the stream has told of an operation. Its size is bounded by the
// parts of one message.
type heard struct {
	whole   *plugv1.Receipt            // an echo with the bare id
	parts   map[uint32]*plugv1.Receipt // echoes with a part's id
	outcome *plugv1.PutOutcome
}

// run carries the operation out. Its error is the context's.
func (o *operation) run(ctx context.Context) error {
	o.news = make(chan struct{}, 1)
	o.stage.mu.Lock()
	o.stage.active[o.id] = o
	o.stage.mu.Unlock()
	defer func() {
		o.stage.mu.Lock()
		delete(o.stage.active, o.id)
		o.stage.mu.Unlock()
	}()

	delay := backoff.NewExponentialBackOff()
	delay.InitialInterval, delay.MaxInterval = 500*time.Millisecond, time.Minute
	response, by, err := o.resume(ctx)
	for err == nil {
		if response == nil {
			if response, by, err = o.try(ctx); err != nil || response == nil {
				continue
			}
		}
		o.keepSent(response)
		failure := response.Failure
		switch failure.GetVerdict() {
		case plugv1.Verdict_VERDICT_UNSPECIFIED, plugv1.Verdict_VERDICT_UNCERTAIN:
			if failure == nil {
				return o.settle(ctx, journalv1.Outcome_OUTCOME_SENT, by, response.Receipts)
			}
			o.log.Warn("it is uncertain whether the message was sent", "attempt", o.attempt.Number, "reason", failure.Message)
			if len(response.Receipts) > 0 { // the parts that are certain are not sent again after a crash
				if err = o.save(ctx, &journalv1.PutRecord{Settled: o.progress.settled, Attempt: o.attempt}); err != nil {
					break
				}
			}
			response, by, err = o.await(ctx)
		case plugv1.Verdict_VERDICT_ALREADY:
			return o.settle(ctx, journalv1.Outcome_OUTCOME_SENT, by, response.Receipts)
		case plugv1.Verdict_VERDICT_NOT_SENT, plugv1.Verdict_VERDICT_RATE_LIMITED, plugv1.Verdict_VERDICT_LOGGED_OUT:
			if err = o.notSent(ctx); err == nil {
				err = o.pause(ctx, failure, delay)
			}
			response = nil
		default: // REFUSED, TARGET_GONE, UNSUPPORTED and what this host doesn't know
			return o.park(ctx, failure.Verdict, failure.Message)
		}
	}
	if errors.Is(err, errExpired) {
		return o.expire(ctx)
	}
	if errors.Is(err, errUnconfirmed) {
		return o.park(ctx, plugv1.Verdict_VERDICT_UNCERTAIN, err.Error())
	}
	return err
}

// try makes one attempt, unless an earlier one is settled while it waits for the
// plug.
func (o *operation) try(ctx context.Context) (*plugv1.PutResponse, journalv1.SettledBy, error) {
	slot, err := o.ready(ctx)
	if err != nil {
		return nil, 0, err
	}
	if o.attempt.GetUncertain() > 0 && !o.due() {
		// The plug was restarted while this waited for a slot, and may still have
		// an echo to tell.
		slot.release()
		return o.await(ctx)
	}
	defer slot.release()
	if r, by := o.known(); r != nil {
		return r, by, nil
	}
	if last := o.attempt; last != nil && int(last.Uncertain) > slot.retries(last) {
		return nil, 0, errUnconfirmed // the network's memory has ended meanwhile
	}
	pass := o.stage.Gate.Begin(o.channel, slot.scope())
	o.passes = append(o.passes, pass)
	now := time.Now()
	timeout := slot.timeout()
	a := &journalv1.Attempt{Position: o.position, OperationId: string(o.id), Number: 1, Uncertain: 1,
		Noted: uint64(pass.Noted()), FirstTime: timestamppb.New(now), Deadline: timestamppb.New(now.Add(timeout + rpcMargin))}
	if last := o.attempt; last != nil {
		a.Number, a.FirstTime = last.Number+1, last.FirstTime
		a.Sent, a.Continuation = last.Sent, last.Continuation
		if last.Uncertain > 0 {
			a.Uncertain, a.Noted = last.Uncertain+1, last.Noted
		}
	}
	if err := o.save(ctx, &journalv1.PutRecord{Settled: o.progress.settled, Attempt: a}); err != nil {
		pass.End()
		return nil, 0, err
	}
	// The record may have taken its time; what the next attempt waits for is the
	// deadline of this RPC. (In the record it doesn't count: a host that reads it
	// has new processes.)
	a.Deadline = timestamppb.New(time.Now().Add(timeout + rpcMargin))
	o.attempt, o.process = a, slot.process
	// The RPC outlives ctx: a stopping host lets it end by the stop ladder (S4).
	response := slot.Link.Put(context.WithoutCancel(ctx), &plugv1.PutRequest{
		OperationId:      string(o.id),
		Channel:          string(o.channel.Source),
		Action:           named(o.record.Action, slot.Abilities),
		Attempt:          a.Number,
		FirstAttemptTime: a.FirstTime,
		Sent:             o.sent(),
		Continuation:     a.Continuation,
	}, timeout)
	// Before any event that waits for this Put is yielded, its receipts are known
	// (O4), those of an attempt that failed half-way too.
	o.know(response.Receipts)
	if uncertain(response.Failure) {
		pass.Uncertain(o.stage.SettleTimeout)
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

// uncertain tells whether a failure leaves open what was sent.
func uncertain(f *plugv1.PutFailure) bool {
	return f != nil && (f.Verdict == plugv1.Verdict_VERDICT_UNCERTAIN || f.Verdict == plugv1.Verdict_VERDICT_UNSPECIFIED)
}

// named gives the action the name as it shall be shown: where it stands in the
// text, it ends in a separator.
func named(a *plugv1.Action, abilities *plugv1.Abilities) *plugv1.Action {
	name := a.GetAuthor().GetFormattedName()
	if name == "" || strings.HasSuffix(name, " ") || abilities.GetAuthorMode() == plugv1.AuthorMode_AUTHOR_MODE_NATIVE {
		return a
	}
	return &plugv1.Action{Author: &plugv1.Author{User: a.Author.User, FormattedName: name + ": "}, Kind: a.Kind}
}

// check reports receipts that break a promise of the plug.
func (o *operation) check(slot *slot, response *plugv1.PutResponse) {
	if slot.scope() != gate.Channel || o.stage.Breach == nil {
		return
	}
	for _, r := range response.Receipts {
		if r.Channel != "" && r.Channel != string(o.channel.Source) {
			o.stage.Breach(o.channel.Network, fmt.Sprintf("it declared put scope CHANNEL, and its receipt for channel %q names channel %q", o.channel.Source, r.Channel))
		}
	}
}

// know makes receipts the origin of the events that they explain, from now.
func (o *operation) know(receipts []*plugv1.Receipt) {
	for i, r := range receipts {
		o.stage.origins.add(o.channel, o.record, uint32(i+1), r)
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
	o.attempt.Deadline = timestamppb.Now() // its RPC has ended
	if err := o.save(ctx, &journalv1.PutRecord{Settled: o.progress.settled, Attempt: o.attempt}); err != nil {
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
			o.stage.change(o.channel.Network, func(p *plug) { p.paused = time.Now().Add(wait) })
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

// settle finishes the operation: its receipts are durable, in the journal and in
// the message map, before any event that waits for it is yielded (O1).
func (o *operation) settle(ctx context.Context, outcome journalv1.Outcome, by journalv1.SettledBy, receipts []*plugv1.Receipt) error {
	o.know(receipts)
	settled := &journalv1.Settled{Position: o.position, OperationId: string(o.id), Outcome: outcome, By: by,
		Receipts: receipts, Attempts: o.attempt.GetNumber(), Source: o.record.Source, Hook: o.record.Hook}
	if outcome == journalv1.Outcome_OUTCOME_DROPPED {
		settled.Reason = o.reason
	}
	var both errgroup.Group
	both.Go(func() error { return o.save(ctx, &journalv1.PutRecord{Settled: settled}) })
	both.Go(func() error {
		return o.must(ctx, func(ctx context.Context) error { return o.stage.Journal.SaveCopies(ctx, o.channel, settled) })
	})
	if err := both.Wait(); err != nil {
		return err
	}
	o.progress.settled, o.progress.attempt = settled, nil
	if o.stage.Settled != nil {
		o.stage.Settled(o.channel, o.record, settled, o.reason)
	}
	for _, pass := range o.passes {
		pass.End()
	}
	return nil
}

// park gives the operation up, and keeps it for a person.
func (o *operation) park(ctx context.Context, verdict plugv1.Verdict, reason string) error {
	if uncertain := o.attempt.GetUncertain(); uncertain > 1 || uncertain == 1 && verdict == plugv1.Verdict_VERDICT_UNCERTAIN {
		reason = "it may have been sent all the same: " + reason
	}
	o.reason = reason
	o.log.Error("parked", "verdict", verdict.String(), "reason", reason)
	err := o.must(ctx, func(ctx context.Context) error {
		return o.stage.Journal.Park(ctx, o.channel, &journalv1.ParkedRecord{Operation: o.record, Reason: reason, Verdict: verdict,
			Attempts: o.attempt.GetNumber(), Time: timestamppb.Now(), Sent: o.sent()})
	})
	if err != nil {
		return err
	}
	return o.settle(ctx, journalv1.Outcome_OUTCOME_PARKED, journalv1.SettledBy_SETTLED_BY_HOST, o.receipts())
}

func (o *operation) save(ctx context.Context, record *journalv1.PutRecord) error {
	return o.must(ctx, func(ctx context.Context) error { return o.stage.Journal.SavePut(ctx, o.channel, record) })
}

// must tries until it succeeds or ctx has ended, and then once more: what a Put
// did is not forgotten because the host stops.
func (o *operation) must(ctx context.Context, try func(context.Context) error) error {
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval, policy.MaxInterval = 50*time.Millisecond, 5*time.Second
	for {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalTimeout)
		err := try(bounded)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := policy.NextBackOff()
		o.log.Error("the journal refused; the channel waits", "error", err, "next_try", wait)
		_ = await(ctx, nil, wait)
	}
}

// journalTimeout bounds one write to the journal.
const journalTimeout = 10 * time.Second
