package accept

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// Errors of an operation that was resolved otherwise.
var (
	ErrDropped = errors.New("it was dropped")
	ErrPutBack = errors.New("it was put back")
	ErrSent    = errors.New("it turned out to have been sent")
)

// PutBack accepts a parked operation again, at the end of its channel's queue, and
// returns the new one's id. However often it is called, and whatever crashes in
// between, that is one operation: the acceptance alone decides, and what is left to
// be written behind it the put stage writes too, before it carries the operation out.
// Its error is storage.ErrNotFound for one that is not parked, ErrDropped or ErrSent.
func (s *Stage) PutBack(ctx context.Context, operation id.OperationID) (id.OperationID, error) {
	done, err := s.journal.Resolving(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	p, putBack, err := s.resolution(ctx, operation)
	if err != nil || putBack != "" {
		return putBack, err
	}
	op := s.journal.PutBack(p)
	op.AcceptedTime = timestamppb.Now()
	if err := s.journal.Accept(ctx, []journal.Accepted{{Channel: p.Channel, Operations: []*journalv1.Operation{op}}}); err != nil {
		return "", err
	}
	putBack = id.OperationID(op.Id)
	return putBack, s.resolve(ctx, p.Channel, operation, putBack)
}

// Drop gives a parked operation up for good. Its error is storage.ErrNotFound for one
// that is not parked, ErrPutBack or ErrSent.
func (s *Stage) Drop(ctx context.Context, operation id.OperationID) error {
	done, err := s.journal.Resolving(ctx)
	if err != nil {
		return err
	}
	defer done()
	p, putBack, err := s.resolution(ctx, operation)
	switch {
	case errors.Is(err, ErrDropped):
		return nil
	case err != nil:
		return err
	case putBack != "":
		return ErrPutBack
	}
	return s.resolve(ctx, p.Channel, operation, "")
}

// resolution tells what became of a parked operation. Of one that was put back, it
// completes what a crash may have left.
func (s *Stage) resolution(ctx context.Context, operation id.OperationID) (p *journal.Parked, putBack id.OperationID, err error) {
	if p, err = s.journal.ParkedOperation(ctx, operation); err != nil {
		return nil, "", err
	}
	switch p.Record.Resolution {
	case journalv1.Resolution_RESOLUTION_DROPPED:
		return p, "", ErrDropped
	case journalv1.Resolution_RESOLUTION_SENT:
		return p, "", ErrSent
	case journalv1.Resolution_RESOLUTION_PUT_BACK:
		return p, id.OperationID(p.Record.PutBackId), nil
	}
	accepted := id.OperationID(s.journal.PutBack(p).Id)
	queued, err := s.journal.Queued(ctx, p.Channel, accepted)
	switch {
	case err != nil:
		return nil, "", err
	case queued:
		return p, accepted, s.resolve(ctx, p.Channel, operation, accepted)
	}
	// Were it settled by now, the put stage would have resolved the parked one before.
	if p, err = s.journal.ParkedOperation(ctx, operation); err != nil {
		return nil, "", err
	}
	return p, id.OperationID(p.Record.PutBackId), nil
}

// resolve records what became of a parked operation, and makes Find tell it.
func (s *Stage) resolve(ctx context.Context, c id.Channel, operation, putBack id.OperationID) error {
	if err := s.journal.Unpark(ctx, c, operation, putBack); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.recent[operation]; r != nil {
		p := &journalv1.ParkedRecord{Resolution: journalv1.Resolution_RESOLUTION_DROPPED, PutBackId: string(putBack)}
		if putBack != "" {
			p.Resolution = journalv1.Resolution_RESOLUTION_PUT_BACK
		}
		r = r.resolved(p)
		s.keep(r.ID, r)
		s.keep(r.CarriedOut, r)
	}
	return nil
}

// resolved is the result of a parked operation once it was resolved.
func (r *Result) resolved(p *journalv1.ParkedRecord) *Result {
	changed := *r
	switch p.Resolution {
	case journalv1.Resolution_RESOLUTION_PUT_BACK:
		changed.PutBack = id.OperationID(p.PutBackId)
	case journalv1.Resolution_RESOLUTION_DROPPED:
		changed.Outcome, changed.Reason = journalv1.Outcome_OUTCOME_DROPPED, "dropped by an operator; it had been parked: "+r.Reason
	case journalv1.Resolution_RESOLUTION_SENT:
		changed.Outcome, changed.Reason, changed.Receipts = journalv1.Outcome_OUTCOME_SENT, "", nil
		for _, s := range p.Sent {
			changed.Receipts = append(changed.Receipts, s.Receipt)
		}
	}
	return &changed
}
