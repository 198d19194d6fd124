package put

import (
	"context"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// decision ends an operation without another attempt, or puts its fallback in its
// place.
type decision struct {
	verdict  plugv1.Verdict
	outcome  journalv1.Outcome
	reason   string
	fallback bool
}

func (d *decision) Error() string { return d.reason }

// dropped gives an operation up: nothing is to be done, or a rule says so.
func dropped(reason string) *decision {
	return &decision{outcome: journalv1.Outcome_OUTCOME_DROPPED, reason: reason}
}

// instead decides what becomes of an action whose target is gone, or that the
// network can't do: its fallback; else a message is parked and anything less is
// dropped, since nobody could do anything about it.
func (o *operation) instead(verdict plugv1.Verdict, reason string) *decision {
	// What is sent in place of a message must not stand beside it. What was edited of
	// one stands in any case.
	begun := o.attempt.GetUncertain() > 1 || len(o.attempt.GetSent()) > 0
	switch {
	case o.record.Fallback != nil && (!begun || o.record.Action.GetEdit() != nil):
		return &decision{verdict: verdict, reason: reason, fallback: true}
	case o.record.Action.GetMessage() != nil || o.record.Action.GetEdit() != nil:
		return &decision{verdict: verdict, reason: reason, outcome: journalv1.Outcome_OUTCOME_PARKED}
	}
	return dropped(reason)
}

// gone decides what becomes of an action that wants something away which the network no
// longer has: it is done. Nil for any other.
func (o *operation) gone(f *plugv1.PutFailure) *decision {
	if f.Verdict == plugv1.Verdict_VERDICT_TARGET_GONE && (o.record.Action.GetDelete() != nil || o.record.Action.GetReactionRemoved() != nil) {
		return &decision{verdict: f.Verdict, outcome: journalv1.Outcome_OUTCOME_SENT, reason: "it was gone already"}
	}
	return nil
}

// conclude carries out a decision that is no fallback.
func (o *operation) conclude(ctx context.Context, d *decision) error {
	if d.outcome == journalv1.Outcome_OUTCOME_PARKED {
		return o.park(ctx, d.verdict, d.reason)
	}
	o.reason = d.reason
	o.log.Info("given up", "verdict", d.verdict.String(), "reason", d.reason)
	return o.settle(ctx, d.outcome, journalv1.SettledBy_SETTLED_BY_HOST, nil)
}

// fallBack puts the fallback in the operation's place: an operation of its own, at
// the same place in the channel.
func (o *operation) fallBack() {
	o.leave()
	if reply, quoted := o.record.Action.GetMessage(), o.record.Fallback.GetMessage(); reply != nil && quoted != nil {
		o.quote = inFront(reply, quoted)
	}
	record := journal.Fallback(o.record)
	o.id = id.OperationID(record.Id)
	o.log = o.stage.Logger.With("channel", o.channel.String(), "operation", record.Id)
	o.record, o.attempt, o.folded, o.of, o.edited = record, nil, nil, "", nil
	o.begun = time.Time{}
	o.mu.Lock()
	o.heard = heard{}
	o.mu.Unlock()
	o.enter()
}

// settledAs says what an action does to the message map.
func settledAs(a *plugv1.Action) journalv1.SettledAs {
	switch a.GetKind().(type) {
	case *plugv1.Action_Message, nil:
		return journalv1.SettledAs_SETTLED_AS_UNSPECIFIED
	case *plugv1.Action_Edit:
		return journalv1.SettledAs_SETTLED_AS_EDIT
	case *plugv1.Action_Delete:
		return journalv1.SettledAs_SETTLED_AS_DELETE
	}
	return journalv1.SettledAs_SETTLED_AS_OTHER
}

// chart brings the message map to where the operation has led.
func (o *operation) chart(ctx context.Context, settled *journalv1.Settled) error {
	if settled.As != journalv1.SettledAs_SETTLED_AS_OTHER {
		return o.stage.Journal.SaveCopies(ctx, o.channel, settled)
	}
	if o.reacted == nil || settled.Outcome != journalv1.Outcome_OUTCOME_SENT {
		return nil
	}
	o.addReactionReceipts(settled.Receipts)
	return o.stage.Journal.SaveReacted(ctx, o.channel, o.record.Target, o.reacted)
}

// recall finds again what an attempt of an earlier life was about.
func (o *operation) recall(ctx context.Context) (err error) {
	switch k := o.record.Action.Kind.(type) {
	case *plugv1.Action_Edit:
		copies, err := o.copies(ctx, o.record.Target)
		if len(copies) > 0 {
			last := copies[len(copies)-1]
			o.of, o.edited = last.OperationId, last.Receipts
		}
		return err
	case *plugv1.Action_ReactionAdded:
		_, err = o.feel(ctx, k.ReactionAdded.Reaction)
	case *plugv1.Action_ReactionRemoved:
		_, _, err = o.unfeel(ctx, k.ReactionRemoved.Reaction)
	}
	return err
}

// messageOf is the message that a key names, if it is one of a network's own.
func messageOf(k *journalv1.MessageKey) id.Message {
	return id.Message{Channel: id.Channel{Network: id.NetworkID(k.NetworkId), Source: id.ChannelSource(k.Channel)}, ID: id.MessageID(k.Id)}
}
