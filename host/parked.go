package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/accept"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// ParkedOperation is an action that could not be delivered, and is kept for a person.
// Receipts of its Operation are of the parts that were sent all the same.
type ParkedOperation struct {
	hook.Operation
	Action  *plugv1.Action
	Verdict plugv1.Verdict // what the plug said last
	Time    time.Time      // when it was parked
	// FirstAttempt is when the first attempt began; zero if there was none.
	FirstAttempt time.Time
	// Source is the message that caused it, Target what an edit, a delete or a
	// reaction is about; nil if there is none.
	Source, Target *hook.Target
}

// Parked lists what is parked, oldest first.
func (h *Host) Parked(ctx context.Context) ([]ParkedOperation, error) {
	if _, err := h.run(); err != nil {
		return nil, err
	}
	parked, err := h.journal.ParkedOperations(ctx)
	if err != nil {
		return nil, explain(err)
	}
	all := make([]ParkedOperation, len(parked))
	for i, p := range parked {
		all[i] = h.parked(&p)
	}
	return all, nil
}

func (h *Host) parked(p *journal.Parked) ParkedOperation {
	op := p.Record.Operation
	made := ParkedOperation{
		Operation: hook.Operation{ID: id.OperationID(op.Id), Channel: h.Label(p.Channel), State: hook.Parked,
			Reason: p.Record.Reason, Attempts: int(p.Record.Attempts), Hook: id.HookName(op.Hook), Accepted: op.AcceptedTime.AsTime()},
		Action: op.Action, Verdict: p.Record.Verdict, Time: p.Record.Time.AsTime(),
		Source: targetOf(op.Source), Target: targetOf(op.Target),
	}
	if p.Record.FirstTime != nil {
		made.FirstAttempt = p.Record.FirstTime.AsTime()
	}
	for _, s := range p.Record.Sent {
		made.Receipts = append(made.Receipts, s.Receipt)
	}
	return made
}

// targetOf is the message that a key names.
func targetOf(k *journalv1.MessageKey) *hook.Target {
	switch {
	case k.GetId() == "":
		return nil
	case k.NetworkId == "":
		return &hook.Target{Operation: id.OperationID(k.Id)}
	}
	return &hook.Target{Message: id.Message{Channel: id.Channel{Network: id.NetworkID(k.NetworkId), Source: id.ChannelSource(k.Channel)}, ID: id.MessageID(k.Id)}}
}

// ParkedOperation gives one parked operation.
func (h *Host) ParkedOperation(ctx context.Context, operation id.OperationID) (*ParkedOperation, error) {
	if _, err := h.run(); err != nil {
		return nil, err
	}
	p, err := h.journal.ParkedOperation(ctx, operation)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, notParked(operation)
	case err != nil:
		return nil, explain(err)
	case p.Record.Resolution == journalv1.Resolution_RESOLUTION_PUT_BACK:
		return nil, wasPutBack(operation)
	case p.Record.Resolution == journalv1.Resolution_RESOLUTION_DROPPED:
		return nil, wasDropped(operation)
	case p.Record.Resolution == journalv1.Resolution_RESOLUTION_SENT:
		return nil, wasSent(operation)
	}
	made := h.parked(p)
	return &made, nil
}

// PutBack is a parked operation that was put back, as a new one.
type PutBack struct {
	Parked, As id.OperationID
}

// RetryParked puts parked operations back, each at the end of its channel's queue, in
// the order in which they were parked. Each gets a new id: under the old one a network
// that remembers operations would answer and send nothing, and a late echo would pass
// for the new one's. The old id still names the message that is made. The same again
// puts nothing back twice. With an error that one is not parked, was dropped, or turned
// out to have been sent, nothing was put back.
func (h *Host) RetryParked(ctx context.Context, operations ...id.OperationID) ([]PutBack, error) {
	run, ordered, err := h.resolving(ctx, operations, func(r journalv1.Resolution, operation id.OperationID) error {
		switch r {
		case journalv1.Resolution_RESOLUTION_DROPPED:
			return wasDropped(operation)
		case journalv1.Resolution_RESOLUTION_SENT:
			return wasSent(operation)
		}
		return nil
	})
	var all []PutBack
	for _, operation := range ordered {
		as, err := run.accept.PutBack(ctx, operation)
		if err != nil {
			return all, resolveError(operation, err)
		}
		h.log.Info("an operator puts a parked operation back", "operation", string(operation), "as", string(as))
		all = append(all, PutBack{operation, as})
	}
	return all, err
}

// DropParked gives parked operations up for good. The same again does nothing more.
// With an error that one is not parked, was put back, or turned out to have been sent,
// nothing was dropped.
func (h *Host) DropParked(ctx context.Context, operations ...id.OperationID) error {
	run, ordered, err := h.resolving(ctx, operations, func(r journalv1.Resolution, operation id.OperationID) error {
		switch r {
		case journalv1.Resolution_RESOLUTION_PUT_BACK:
			return wasPutBack(operation)
		case journalv1.Resolution_RESOLUTION_SENT:
			return wasSent(operation)
		}
		return nil
	})
	for _, operation := range ordered {
		if err := run.accept.Drop(ctx, operation); err != nil {
			return resolveError(operation, err)
		}
		h.log.Info("an operator drops a parked operation", "operation", string(operation))
	}
	return err
}

// resolving looks operations up before any of them is resolved, and gives them in the
// order in which they were parked.
func (h *Host) resolving(ctx context.Context, operations []id.OperationID, check func(journalv1.Resolution, id.OperationID) error) (*running, []id.OperationID, error) {
	run, err := h.run()
	if err != nil {
		return nil, nil, err
	}
	places := map[id.OperationID]id.Sequence{}
	var ordered []id.OperationID
	for _, operation := range operations {
		p, err := h.journal.ParkedOperation(ctx, operation)
		if errors.Is(err, storage.ErrNotFound) {
			err = notParked(operation)
		}
		if err == nil {
			err = check(p.Record.Resolution, operation)
		}
		if err != nil {
			return nil, nil, explain(err)
		}
		if places[operation] == 0 {
			places[operation], ordered = p.Sequence, append(ordered, operation)
		}
	}
	slices.SortFunc(ordered, func(a, b id.OperationID) int { return int(int64(places[a]) - int64(places[b])) })
	return run, ordered, nil
}

func resolveError(operation id.OperationID, err error) error {
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return notParked(operation)
	case errors.Is(err, accept.ErrDropped):
		return wasDropped(operation)
	case errors.Is(err, accept.ErrPutBack):
		return wasPutBack(operation)
	case errors.Is(err, accept.ErrSent):
		return wasSent(operation)
	}
	return explain(fmt.Errorf("parked operation %s: %w", operation, err))
}

func notParked(operation id.OperationID) error {
	return &hook.Error{Code: codes.NotFound, Text: fmt.Sprintf("no operation %q is parked; see plughost parked list", operation)}
}

func wasDropped(operation id.OperationID) error {
	return &hook.Error{Code: codes.FailedPrecondition, Text: fmt.Sprintf("parked operation %s was dropped; send it anew if it is wanted", operation)}
}

func wasSent(operation id.OperationID) error {
	return &hook.Error{Code: codes.FailedPrecondition, Text: fmt.Sprintf("parked operation %s turned out to have been sent: its network said so late; there is nothing left to do", operation)}
}

func wasPutBack(operation id.OperationID) error {
	return &hook.Error{Code: codes.FailedPrecondition, Text: fmt.Sprintf("parked operation %s was put back already; see plughost status for what waits", operation)}
}
