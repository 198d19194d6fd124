package put

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/go-hclog"

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

// operation is one operation on its way to an outcome.
type operation struct {
	stage    *Stage
	channel  id.Channel
	progress *progress
	record   *journalv1.Operation
	position *journalv1.Position
	id       id.OperationID
	log      hclog.Logger

	attempt  *journalv1.Attempt       // the last one; nil before the first
	begun    time.Time                // when the first one was made, by a clock that nobody sets; zero: not known yet
	process  uint64                   // the plug's process that the last one went to
	until    time.Time                // when that one's RPC gives up
	passes   []*gate.Pass             // of all attempts that may have been sent
	folded   []string                 // edits whose content is sent in place of the first
	quote    []*plugv1.Segment        // what stands in front of a reply that its fallback quotes
	of       string                   // the operation whose messages are edited
	edited   []*plugv1.Receipt        // those messages
	reacted  *journalv1.ReactedRecord // with a reaction: what shall hold once it is sent
	certain  bool                     // the network has told what of the attempts was sent
	takeBack func()                   // removes the files that the plug was given for the last attempt
	reason   string                   // why it is parked or given up
	asked    id.OperationID           // the one that was accepted, also where its fallback is carried out

	mu    sync.Mutex
	heard heard
	news  chan struct{} // capacity 1
}

// heard is what the stream and the network's history have told of an operation. Its size is bounded by the
// parts of one message.
type heard struct {
	whole   *plugv1.Receipt            // of an echo with the bare id
	by      journalv1.SettledBy        // what told of it
	parts   map[uint32]*plugv1.Receipt // of echoes with a part's id
	outcome *plugv1.PutOutcome
	asked   map[uint32]id.ChannelSource // by attempt: where it was asked for, if not under the home
}

// note notes the receipt of a part, of the whole operation if part is 0.
func (h *heard) note(part uint32, r *plugv1.Receipt, by journalv1.SettledBy) {
	if part == 0 {
		h.whole, h.by = r, by
		return
	}
	if h.parts == nil {
		h.parts = map[uint32]*plugv1.Receipt{}
	}
	h.parts[part] = r
}

// report notes an outcome. Several may come at once, of different attempts: that one was
// sent stays true whatever is said of another, and that one is uncertain tells nothing.
func (h *heard) report(outcome *plugv1.PutOutcome) {
	f := outcome.Response.GetFailure()
	if uncertain(f) || f != nil && h.outcome != nil && h.outcome.Response.GetFailure() == nil {
		return
	}
	h.outcome = outcome
}

// asks notes where an attempt is asked for, which a receipt need not name.
func (h *heard) asks(attempt uint32, source id.ChannelSource) {
	if h.asked == nil {
		h.asked = map[uint32]id.ChannelSource{}
	}
	h.asked[attempt] = source
}

// run carries the operation out. Its error is the context's.
func (o *operation) run(ctx context.Context) error {
	o.news, o.asked = make(chan struct{}, 1), o.id
	o.enter()
	defer o.leave()
	defer o.cleanup()
	if !o.waitsForNothing() {
		if err := o.progress.flush(ctx); err != nil {
			return err
		}
	}
	if done, err := o.takeUp(ctx); done || err != nil {
		return err
	}
	delay := backoff.NewExponentialBackOff()
	delay.InitialInterval, delay.MaxInterval = 500*time.Millisecond, time.Minute
	response, by, err := o.resume(ctx)
	for {
		if err == nil && response == nil {
			response, by, err = o.try(ctx)
		}
		if d := (*decision)(nil); errors.As(err, &d) {
			if !d.fallback {
				return o.conclude(ctx, d)
			}
			o.fallBack()
			response, err = nil, nil
			continue
		}
		if err != nil {
			return err
		}
		if response == nil {
			continue
		}
		o.know(response.Receipts) // also those of a late outcome
		o.keepSent(response)
		failure := response.Failure
		switch failure.GetVerdict() {
		case plugv1.Verdict_VERDICT_UNSPECIFIED, plugv1.Verdict_VERDICT_UNCERTAIN:
			if failure == nil {
				return o.settle(ctx, journalv1.Outcome_OUTCOME_SENT, by, response.Receipts)
			}
			o.log.Warn("it is uncertain whether the message was sent", "attempt", o.attempt.Number, "reason", failure.Message)
			if len(response.Receipts) > 0 { // the parts that are certain are not sent again after a crash
				if err = o.save(ctx, o.attempt); err != nil {
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
		case plugv1.Verdict_VERDICT_TARGET_GONE, plugv1.Verdict_VERDICT_UNSUPPORTED:
			d := o.gone(failure)
			if d == nil {
				d = o.instead(failure.Verdict, failure.Message)
			}
			if d.fallback {
				if err = o.notSent(ctx); err != nil {
					break
				}
			}
			err = d
		default: // REFUSED, and what this host doesn't know
			return o.park(ctx, failure.Verdict, failure.Message)
		}
	}
}

// enter makes the operation known to the stream under its id.
func (o *operation) enter() {
	o.stage.mu.Lock()
	defer o.stage.mu.Unlock()
	o.stage.active[o.id] = o
}

func (o *operation) leave() {
	o.stage.mu.Lock()
	defer o.stage.mu.Unlock()
	delete(o.stage.active, o.id)
}

// settled is the record of the operation's end.
func (o *operation) settled(outcome journalv1.Outcome, by journalv1.SettledBy, receipts []*plugv1.Receipt) *journalv1.Settled {
	settled := &journalv1.Settled{Position: o.position, OperationId: string(o.id), Outcome: outcome, By: by,
		Receipts: receipts, Attempts: o.attempt.GetNumber(), Source: o.record.Source, Hook: o.record.Hook,
		AuthorId: o.record.Action.GetAuthor().GetUser().GetId(), Folded: o.attempt.GetFolded(), As: settledAs(o.record.Action)}
	if settled.As != journalv1.SettledAs_SETTLED_AS_UNSPECIFIED {
		settled.Source, settled.OfOperationId = o.record.Target, o.of
	} else {
		settled.OfOperationId = o.record.PutBack.GetOperationId()
	}
	if outcome == journalv1.Outcome_OUTCOME_DROPPED {
		settled.Reason = o.reason
	}
	return settled
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
