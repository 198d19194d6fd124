package accept

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// recentResults is how many outcomes are kept in memory, for those who ask soon.
const recentResults = 4096

// placeIndex stands in the ids of operations that no event made: no record has so
// many events.
const placeIndex = 63

// journalTimeout bounds the acceptance of a request.
const journalTimeout = 10 * time.Second

// Journal is where operations go to, and where outcomes are.
type Journal interface {
	End(ctx context.Context) (id.Sequence, error)
	OperationID(event id.Sequence, index int, h id.HookName, target id.Channel, ordinal int) id.OperationID
	RequestID(client id.HookName, target id.Channel, request string) id.OperationID
	BeginRequest(ctx context.Context, operation id.OperationID, c id.Channel) (accepted bool, err error)
	EndRequest(ctx context.Context, operation id.OperationID) error
	// Accept makes operations durable; whoever is to know of them before does.
	Accept(ctx context.Context, accepted []journal.Accepted) error
	Find(ctx context.Context, operation id.OperationID) (*journal.Progress, error)
	ParkedOperation(ctx context.Context, operation id.OperationID) (*journal.Parked, error)
	PutBack(p *journal.Parked) *journalv1.Operation
	Queued(ctx context.Context, c id.Channel, operation id.OperationID) (bool, error)
	Unpark(ctx context.Context, c id.Channel, operation, putBack id.OperationID) error
	Resolving(ctx context.Context) (done func(), err error)
}

// Result is what became of an operation.
type Result struct {
	ID id.OperationID
	// CarriedOut is the operation that an echo names: another one where the fallback
	// was carried out.
	CarriedOut id.OperationID
	Channel    id.Channel
	// Outcome is UNSPECIFIED while it waits.
	Outcome  journalv1.Outcome
	Receipts []*plugv1.Receipt
	Reason   string
	Attempts uint32
	Hook     id.HookName
	Accepted *timestamppb.Timestamp
	// PutBack is the operation as which one that was parked was put back.
	PutBack id.OperationID
}

// Stage accepts operations. Safe for concurrent use.
type Stage struct {
	journal  Journal
	ordinal  atomic.Uint32
	requests singleflight.Group

	mu      sync.Mutex
	waiters map[id.OperationID]*waiter
	recent  map[id.OperationID]*Result
	ring    []id.OperationID // of recent: grows up to recentResults, then wraps
	next    int
}

// waiter is what callers of Wait wait for.
type waiter struct {
	done   chan struct{} // closed once result is set
	result *Result
	count  int // callers
}

// New makes a stage.
func New(j Journal) *Stage {
	s := &Stage{journal: j, waiters: map[id.OperationID]*waiter{}, recent: map[id.OperationID]*Result{}}
	s.ordinal.Store(rand.Uint32())
	return s
}

// Accept makes an operation durable, and returns its id. op has no id; its hook is
// set. With a request, all calls of the same hook, request and channel are one
// operation, of which the first is accepted.
func (s *Stage) Accept(ctx context.Context, c id.Channel, op *journalv1.Operation, request string) (id.OperationID, error) {
	op.AcceptedTime = timestamppb.Now()
	accept := func(ctx context.Context) error {
		return s.journal.Accept(ctx, []journal.Accepted{{Channel: c, Operations: []*journalv1.Operation{op}}})
	}
	if request == "" {
		end, err := s.journal.End(ctx)
		if err != nil {
			return "", err
		}
		operation := s.journal.OperationID(end, placeIndex, id.HookName(op.Hook), c, int(s.ordinal.Add(1)))
		op.Id = string(operation)
		return operation, accept(ctx)
	}
	operation := s.journal.RequestID(id.HookName(op.Hook), c, request)
	op.Id = string(operation)
	_, err, _ := s.requests.Do(op.Id, func() (any, error) {
		// Others may share this call: it doesn't end because one of them goes.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalTimeout)
		defer cancel()
		accepted, err := s.journal.BeginRequest(ctx, operation, c)
		if err != nil {
			return nil, err
		}
		if !accepted {
			if err := accept(ctx); err != nil {
				return nil, err
			}
		}
		return nil, s.journal.EndRequest(ctx, operation)
	})
	return operation, err
}

// Settled is told the outcome of an operation: it has reached everybody who waits
// when this returns. It never blocks.
func (s *Stage) Settled(c id.Channel, asked id.OperationID, op *journalv1.Operation, settled *journalv1.Settled, reason string) *Result {
	r := &Result{ID: asked, CarriedOut: id.OperationID(op.Id), Channel: c, Outcome: settled.Outcome, Receipts: settled.Receipts, Reason: reason,
		Attempts: settled.Attempts, Hook: id.HookName(op.Hook), Accepted: op.AcceptedTime}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(r.ID, r)
	if r.CarriedOut != r.ID {
		s.keep(r.CarriedOut, r)
	}
	if w := s.waiters[r.ID]; w != nil && w.result == nil {
		w.result = r
		close(w.done)
	}
	return r
}

// keep remembers a result, in the place of the oldest. The caller holds mu.
func (s *Stage) keep(name id.OperationID, r *Result) {
	if s.recent[name] == nil {
		if len(s.ring) < recentResults {
			s.ring = append(s.ring, name)
		} else {
			delete(s.recent, s.ring[s.next])
			s.ring[s.next] = name
			s.next = (s.next + 1) % recentResults
		}
	}
	s.recent[name] = r
}

// Find tells what became of an operation, or that it waits; storage.ErrNotFound if
// none of this id was accepted, or if it was finished too long ago.
func (s *Stage) Find(ctx context.Context, operation id.OperationID) (*Result, error) {
	s.mu.Lock()
	r := s.recent[operation]
	s.mu.Unlock()
	if r != nil {
		return r, nil
	}
	p, err := s.journal.Find(ctx, operation)
	if err != nil {
		return nil, err
	}
	carried := id.OperationID(cmp.Or(p.Settled.GetOperationId(), string(operation))) // the fallback, if that was sent
	r = &Result{ID: id.OperationID(p.Operation.Id), CarriedOut: carried, Channel: p.Channel, Outcome: p.Settled.GetOutcome(), Receipts: p.Settled.GetReceipts(),
		Reason: p.Settled.GetReason(), Attempts: p.Attempts, Hook: id.HookName(p.Operation.Hook), Accepted: p.Operation.AcceptedTime}
	if p.Parked != nil {
		r.Reason = p.Parked.Reason
		if p.Parked.Resolution != journalv1.Resolution_RESOLUTION_UNSPECIFIED {
			r = r.resolved(p.Parked)
		}
	}
	return r, nil
}

// Wait returns the result of an operation once it is settled. Its error is Find's,
// or the context's.
func (s *Stage) Wait(ctx context.Context, operation id.OperationID) (*Result, error) {
	s.mu.Lock()
	w := s.waiters[operation]
	if w == nil {
		w = &waiter{done: make(chan struct{})}
		s.waiters[operation] = w
	}
	w.count++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if w.count--; w.count == 0 {
			delete(s.waiters, operation)
		}
	}()
	// Only now: what is settled in between is told to the waiter.
	r, err := s.Find(ctx, operation)
	if err != nil || r.Outcome != journalv1.Outcome_OUTCOME_UNSPECIFIED {
		return r, err
	}
	select {
	case <-ctx.Done():
		return r, ctx.Err()
	case <-w.done:
		return w.result, nil
	}
}

// IsNotFound tells whether an error says that there is no such operation.
func IsNotFound(err error) bool { return errors.Is(err, storage.ErrNotFound) }
