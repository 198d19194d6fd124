package plug

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug/internal/contract"
	"google.golang.org/protobuf/proto"
)

const (
	// defaultPutTimeout is the time for a Put whose request names no deadline.
	defaultPutTimeout = 30 * time.Second
	// answerMargin is between a Put's deadline and its RPC's.
	answerMargin = 5 * time.Second
	// listenAfterDeadline is how long after a Put's deadline its Echoes still listen:
	// the host's RPC ends answerMargin after the deadline, and the answer needs time to travel.
	listenAfterDeadline = 4 * time.Second
)

// errPutDeadline is the cause with which the context of a Put ends at its deadline.
var errPutDeadline = errors.New("the deadline of the Put has passed")

// Put carries one action out, whatever becomes of the RPC: the author's context
// follows the request's deadline alone.
func (s *server) Put(ctx context.Context, req *plugv1.PutRequest) (*plugv1.PutResponse, error) {
	r := s.running()
	if r == nil || !r.up {
		return failed(NotSent(errors.New("the plug is not started"))), nil
	}
	act := s.actor(r, req)
	if act == nil {
		return failed(Unsupported(errors.New("this plug does not carry out this kind of action"))), nil
	}
	if isBestEffort(kindOf(req.GetAction())) {
		s.tryLater(ctx, r, req, act)
		return &plugv1.PutResponse{}, nil
	}
	deadline, ok := deadlineOf(ctx, req)
	if !ok {
		deadline = time.Now().Add(defaultPutTimeout)
	}
	wait, cancelWait := context.WithDeadline(ctx, deadline)
	defer cancelWait()
	if err := s.slots.take(wait, req.GetChannel()); err != nil {
		return failed(NotSent(fmt.Errorf("begin the put: %w", err))), nil
	}
	defer s.slots.free(req.GetChannel())
	if !s.outbox.beginPut() {
		return failed(NotSent(errors.New("the plug's queue to the host is full"))), nil
	}
	defer s.outbox.endPut()

	author, cancel := authorContext(r.puts, deadline)
	defer cancel()
	ended := s.watchStuck(req.GetChannel(), deadline)
	receipts, err := act(author, deadline)
	ended()
	resp := &plugv1.PutResponse{Receipts: receipts}
	if err != nil {
		resp.Failure = putFailure(err)
	}
	if ctx.Err() != nil && isKnown(resp) { // nobody waits for the answer any more
		outcome := &plugv1.PutOutcome{OperationId: req.GetOperationId(), Attempt: req.GetAttempt(), Response: resp}
		s.outbox.addOutcome(outcome, proto.Size(outcome))
	}
	return resp, nil
}

// deadlineOf is when all of a Put that could still send must have ended, if the host has
// named that. Where a clock was set between the host's look at it and this one, the RPC's
// own deadline is nearer: it travels as a span.
func deadlineOf(ctx context.Context, req *plugv1.PutRequest) (at time.Time, ok bool) {
	if req.GetDeadline() == nil {
		return time.Time{}, false
	}
	at = req.GetDeadline().AsTime()
	if rpc, ok := ctx.Deadline(); ok && rpc.Add(-answerMargin).Before(at) {
		at = rpc.Add(-answerMargin)
	}
	return at, true
}

// isKnown says whether a response tells more than that nothing is certain.
func isKnown(resp *plugv1.PutResponse) bool {
	return len(resp.GetReceipts()) > 0 || resp.GetFailure().GetVerdict() != plugv1.Verdict_VERDICT_UNCERTAIN
}

func failed(err error) *plugv1.PutResponse { return &plugv1.PutResponse{Failure: putFailure(err)} }

// listeningKey leads from the context of a Put to the one that ends when its Echoes
// stop listening.
type listeningKey struct{}

// authorContext is the context of one Put: it ends at the deadline with the cause
// errPutDeadline, or with the session.
func authorContext(session context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	listening, cancelListening := context.WithDeadline(session, deadline.Add(listenAfterDeadline))
	ctx, cancel := context.WithDeadlineCause(context.WithValue(listening, listeningKey{}, listening), deadline, errPutDeadline)
	return ctx, func() { cancel(); cancelListening() }
}

func listeningContext(ctx context.Context) (context.Context, bool) {
	listening, ok := ctx.Value(listeningKey{}).(context.Context)
	return listening, ok
}

// textAndPrefix gives the text of a message or an edit, and what stands in front of
// each part; nothing for other kinds.
func textAndPrefix(r *run, action *plugv1.Action) (text, prefix string) {
	content := contentOf(action)
	if content == nil {
		return "", ""
	}
	text = PlainText(content.GetText())
	if r.abilities.GetAuthorMode() != plugv1.AuthorMode_AUTHOR_MODE_NATIVE {
		prefix = action.GetAuthor().GetFormattedName()
	}
	return text, prefix
}

func newWhole(r *run, req *plugv1.PutRequest, deadline time.Time) *Whole {
	text, prefix := textAndPrefix(r, req.GetAction())
	return &Whole{
		OperationID:  req.GetOperationId(),
		Channel:      req.GetChannel(),
		Action:       req.GetAction(),
		Text:         prefix + text,
		Attempt:      req.GetAttempt(),
		FirstAttempt: req.GetFirstAttemptTime().AsTime(),
		Deadline:     deadline,
		Sent:         req.GetSent(),
		Continuation: req.GetContinuation(),
	}
}

func newParts(r *run, req *plugv1.PutRequest, deadline time.Time) []*Part {
	_, prefix := textAndPrefix(r, req.GetAction())
	contents := split(contentOf(req.GetAction()).GetText(), prefix, r.abilities.GetLimits())
	parts := make([]*Part, len(contents))
	for i, content := range contents {
		id := req.GetOperationId()
		if len(contents) > 1 {
			id = fmt.Sprintf("%s-%d", id, i+1)
		}
		parts[i] = &Part{
			OperationID:  id,
			Channel:      req.GetChannel(),
			Text:         PlainText(content),
			Content:      content,
			Author:       req.GetAction().GetAuthor(),
			Number:       i + 1,
			Of:           len(contents),
			Attempt:      req.GetAttempt(),
			FirstAttempt: req.GetFirstAttemptTime().AsTime(),
			Deadline:     deadline,
			Action:       req.GetAction(),
		}
	}
	return parts
}

func (s *server) putWhole(ctx context.Context, p WholePutter, w *Whole) (receipts []*plugv1.Receipt, err error) {
	err = contain(s.log, "PutWhole", func() (err error) {
		receipts, err = p.PutWhole(ctx, w)
		return err
	})
	for i, receipt := range receipts {
		if bad := contract.Receipt(receipt); bad != nil {
			return receipts[:i], Uncertain(bad)
		}
	}
	if err == nil && len(receipts) == 0 && makesMessage(kindOf(w.Action)) {
		err = Uncertain(errors.New("the plug gave no receipt"))
	}
	return receipts, err
}

// slots bounds the Puts that run at once: so many over all channels, and one within
// a channel. Waiting callers are RPCs, each with its deadline.
type slots struct {
	mu      sync.Mutex
	left    int
	busy    map[string]bool // bound: the Puts that run
	changed broadcast
}

func newSlots(n int) *slots { return &slots{left: n, busy: make(map[string]bool)} }

func (s *slots) take(ctx context.Context, channel string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.left == 0 || s.busy[channel] {
		changed := s.changed.wait()
		s.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		s.mu.Lock()
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil { // too late, with or without waiting
		return context.Cause(ctx)
	}
	s.left--
	s.busy[channel] = true
	return nil
}

func (s *slots) free(channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left++
	delete(s.busy, channel)
	s.changed.wake()
}
