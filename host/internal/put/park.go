package put

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// park gives the operation up, and keeps it for a person.
func (o *operation) park(ctx context.Context, verdict plugv1.Verdict, reason string) error {
	if uncertain := o.attempt.GetUncertain(); uncertain > 1 || uncertain == 1 && verdict == plugv1.Verdict_VERDICT_UNCERTAIN {
		reason += "; it may have been sent all the same"
	}
	if err := o.progress.flush(ctx); err != nil {
		return err
	}
	o.reason = reason
	o.log.Error("parked", "verdict", verdict.String(), "reason", reason)
	record, err := o.asTried(ctx)
	if err != nil {
		return err
	}
	if err := o.must(ctx, func(ctx context.Context) error {
		return o.stage.Journal.Park(ctx, o.channel, &journalv1.ParkedRecord{Operation: record, Reason: reason, Verdict: verdict,
			Attempts: o.attempt.GetNumber(), FirstTime: o.attempt.GetFirstTime(), Time: timestamppb.Now(),
			Sent: o.sent(), Continuation: o.attempt.GetContinuation()})
	}); err != nil {
		return err
	}
	o.listen()
	return o.settle(ctx, journalv1.Outcome_OUTCOME_PARKED, journalv1.SettledBy_SETTLED_BY_HOST, o.receipts())
}

// asTried is the operation with the content that was last tried: the edits that were
// folded into it may be forgotten before a person puts it back.
func (o *operation) asTried(ctx context.Context) (*journalv1.Operation, error) {
	m := o.record.Action.GetMessage()
	if m == nil || len(o.attempt.GetFolded()) == 0 {
		return o.record, nil
	}
	content, err := o.foldedContent(ctx, o.attempt.Folded[len(o.attempt.Folded)-1])
	if err != nil || content == nil {
		return o.record, err
	}
	record := proto.CloneOf(o.record)
	content = proto.CloneOf(content)
	content.ReplyTo = m.ReplyTo
	if quoted := record.Fallback.GetMessage(); quoted != nil {
		quoted.Text = &plugv1.Text{Segments: append(inFront(m, quoted), content.Text.GetSegments()...)}
	}
	if len(o.quote) > 0 {
		content.Text = &plugv1.Text{Segments: slices.Concat(o.quote, content.Text.GetSegments())}
	}
	record.Action.Kind = &plugv1.Action_Message{Message: content}
	return record, nil
}

// takeUp begins with what is known of the operation already. One that was parked as
// the host ended is done: a person may have put it back since. For one that puts back
// a parked one, that one is resolved, durably before this one can be settled and
// forgotten; so nothing is put back twice, wherever a crash came. Its error is the
// context's.
func (o *operation) takeUp(ctx context.Context) (done bool, err error) {
	reopened := o.progress.reopened
	o.progress.reopened = false
	if reopened {
		names := []id.OperationID{o.id}
		if o.record.Fallback != nil {
			names = append(names, journal.FallbackID(o.id))
		}
		for _, name := range names {
			parked, err := o.parkedAs(ctx, name)
			if err != nil {
				return false, err
			}
			if parked != nil {
				return true, o.parkedBefore(ctx, name, parked)
			}
		}
	}
	back := o.record.PutBack
	if back == nil {
		return false, nil
	}
	if len(back.Sent) > 0 {
		o.attempt = &journalv1.Attempt{OperationId: string(o.id), NotSent: true, FirstTime: timestamppb.Now(), Sent: back.Sent, Continuation: back.Continuation}
	}
	return false, o.must(ctx, func(ctx context.Context) error {
		return o.stage.Journal.Unpark(ctx, o.channel, id.OperationID(back.OperationId), o.id)
	})
}

func (o *operation) parkedAs(ctx context.Context, name id.OperationID) (parked *journalv1.ParkedRecord, err error) {
	err = o.must(ctx, func(ctx context.Context) error {
		p, err := o.stage.Journal.ParkedOperation(ctx, name)
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		if err == nil {
			parked = p.Record
		}
		return err
	})
	return parked, err
}

// parkedBefore settles an operation whose record says that it is parked, or was until it
// turned out to have been sent.
func (o *operation) parkedBefore(ctx context.Context, name id.OperationID, parked *journalv1.ParkedRecord) error {
	if name != o.id {
		o.fallBack()
	}
	o.progress.attempt, o.reason = nil, parked.Reason
	if pass := o.progress.resumed; pass != nil {
		o.passes, o.progress.resumed = append(o.passes, pass), nil
	}
	o.attempt = &journalv1.Attempt{Number: parked.Attempts, Sent: parked.Sent}
	if parked.Resolution == journalv1.Resolution_RESOLUTION_SENT {
		o.reason = ""
		return o.settle(ctx, journalv1.Outcome_OUTCOME_SENT, journalv1.SettledBy_SETTLED_BY_HOST, o.receipts())
	}
	return o.settle(ctx, journalv1.Outcome_OUTCOME_PARKED, journalv1.SettledBy_SETTLED_BY_HOST, o.receipts())
}
