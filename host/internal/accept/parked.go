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
)

// PutBack accepts a parked operation again, at the end of its channel's queue, and
// returns the new one's id. However often it is called, and whatever crashes in
// between, that is one operation: the acceptance alone decides, and what is left to
// be written behind it the put stage writes too, before it carries the operation out.
// Its error is storage.ErrNotFound for one that is not parked, or ErrDropped.
func (s *Stage) PutBack(ctx context.Context, operation id.OperationID) (id.OperationID, error) {
	s.parked.Lock()
	defer s.parked.Unlock()
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
// that is not parked, or ErrPutBack.
func (s *Stage) Drop(ctx context.Context, operation id.OperationID) error {
	s.parked.Lock()
	defer s.parked.Unlock()
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
		r = r.resolved(putBack)
		s.keep(r.ID, r)
		s.keep(r.CarriedOut, r)
	}
	return nil
}

// resolved is the result of a parked operation once it was put back, or else dropped.
func (r *Result) resolved(putBack id.OperationID) *Result {
	changed := *r
	if changed.PutBack = putBack; putBack == "" {
		changed.Outcome, changed.Reason = journalv1.Outcome_OUTCOME_DROPPED, "dropped by an operator; it had been parked: "+r.Reason
	}
	return &changed
}
