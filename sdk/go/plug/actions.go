package plug

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug/internal/contract"
)

// wholeActions is what a WholePutter is asked for.
var wholeActions = []plugv1.ActionKind{
	plugv1.ActionKind_ACTION_KIND_MESSAGE,
	plugv1.ActionKind_ACTION_KIND_EDIT,
	plugv1.ActionKind_ACTION_KIND_DELETE,
	plugv1.ActionKind_ACTION_KIND_REACTION_ADDED,
	plugv1.ActionKind_ACTION_KIND_REACTION_REMOVED,
	plugv1.ActionKind_ACTION_KIND_CHANNEL_CHANGED,
	plugv1.ActionKind_ACTION_KIND_TYPING,
	plugv1.ActionKind_ACTION_KIND_READ_MARKER,
}

// accepts computes the actions that a Plug carries out from what it implements, in
// the order of their numbers.
func accepts(plug Plug) []plugv1.ActionKind {
	if _, ok := plug.(WholePutter); ok {
		return slices.Clone(wholeActions)
	}
	var kinds []plugv1.ActionKind
	if _, ok := plug.(Putter); ok {
		kinds = append(kinds, plugv1.ActionKind_ACTION_KIND_MESSAGE)
	}
	if _, ok := plug.(Editor); ok {
		kinds = append(kinds, plugv1.ActionKind_ACTION_KIND_EDIT)
	}
	if _, ok := plug.(Deleter); ok {
		kinds = append(kinds, plugv1.ActionKind_ACTION_KIND_DELETE)
	}
	if _, ok := plug.(Reactor); ok {
		kinds = append(kinds, plugv1.ActionKind_ACTION_KIND_REACTION_ADDED, plugv1.ActionKind_ACTION_KIND_REACTION_REMOVED)
	}
	if _, ok := plug.(ChannelChanger); ok {
		kinds = append(kinds, plugv1.ActionKind_ACTION_KIND_CHANNEL_CHANGED)
	}
	if _, ok := plug.(Typer); ok {
		kinds = append(kinds, plugv1.ActionKind_ACTION_KIND_TYPING)
	}
	if _, ok := plug.(ReadMarker); ok {
		kinds = append(kinds, plugv1.ActionKind_ACTION_KIND_READ_MARKER)
	}
	return kinds
}

// allowed gives the actions that abilities leave of those accepted: all, if they
// name none.
func allowed(accepted []plugv1.ActionKind, abilities *plugv1.Abilities) ([]plugv1.ActionKind, error) {
	for _, kind := range abilities.GetActions() {
		if !slices.Contains(accepted, kind) {
			return nil, fmt.Errorf("abilities: %v is listed, and the plug does not implement it", kind)
		}
	}
	if len(abilities.GetActions()) > 0 {
		return abilities.GetActions(), nil
	}
	return accepted, nil
}

func kindOf(action *plugv1.Action) plugv1.ActionKind {
	switch action.GetKind().(type) {
	case *plugv1.Action_Message:
		return plugv1.ActionKind_ACTION_KIND_MESSAGE
	case *plugv1.Action_Edit:
		return plugv1.ActionKind_ACTION_KIND_EDIT
	case *plugv1.Action_Delete:
		return plugv1.ActionKind_ACTION_KIND_DELETE
	case *plugv1.Action_ReactionAdded:
		return plugv1.ActionKind_ACTION_KIND_REACTION_ADDED
	case *plugv1.Action_ReactionRemoved:
		return plugv1.ActionKind_ACTION_KIND_REACTION_REMOVED
	case *plugv1.Action_ChannelChanged:
		return plugv1.ActionKind_ACTION_KIND_CHANNEL_CHANGED
	case *plugv1.Action_Typing:
		return plugv1.ActionKind_ACTION_KIND_TYPING
	case *plugv1.Action_ReadMarker:
		return plugv1.ActionKind_ACTION_KIND_READ_MARKER
	}
	return plugv1.ActionKind_ACTION_KIND_UNSPECIFIED
}

// makesMessage tells whether a success of this kind needs a receipt.
func makesMessage(kind plugv1.ActionKind) bool {
	return kind == plugv1.ActionKind_ACTION_KIND_MESSAGE || kind == plugv1.ActionKind_ACTION_KIND_EDIT
}

func isBestEffort(kind plugv1.ActionKind) bool {
	return kind == plugv1.ActionKind_ACTION_KIND_TYPING || kind == plugv1.ActionKind_ACTION_KIND_READ_MARKER
}

// actor carries one action out, within the context of its Put.
type actor func(ctx context.Context, deadline time.Time) ([]*plugv1.Receipt, error)

// actor gives the function that carries the request out, or nil if there is none.
// Each kind of action was accepted because of the interface that it calls here.
func (s *server) actor(r *run, req *plugv1.PutRequest) actor {
	if !slices.Contains(r.actions, kindOf(req.GetAction())) {
		return nil
	}
	if p, ok := s.plug.(WholePutter); ok {
		return func(ctx context.Context, deadline time.Time) ([]*plugv1.Receipt, error) {
			return s.putWhole(ctx, p, newWhole(r, req, deadline))
		}
	}
	var steps func(deadline time.Time) []step
	switch kind := req.GetAction().GetKind().(type) {
	case *plugv1.Action_Message:
		steps = func(deadline time.Time) []step { return s.messageSteps(r, req, deadline) }
	case *plugv1.Action_Edit:
		steps = func(deadline time.Time) []step { return s.editSteps(r, req, deadline) }
	case *plugv1.Action_Delete:
		steps = func(deadline time.Time) []step { return s.deleteSteps(req, deadline) }
	case *plugv1.Action_ReactionAdded:
		added := kind.ReactionAdded
		steps = func(deadline time.Time) []step {
			return s.reactionStep(req, deadline, &Reacting{
				Target: added.GetTarget().GetReceipts(), Reaction: added.GetReaction(), Current: added.GetCurrent(),
			})
		}
	case *plugv1.Action_ReactionRemoved:
		removed := kind.ReactionRemoved
		steps = func(deadline time.Time) []step {
			return s.reactionStep(req, deadline, &Reacting{
				Target: removed.GetTarget().GetReceipts(), Reaction: removed.GetReaction(), Current: removed.GetCurrent(),
				Remove: true, Added: removed.GetAdded(),
			})
		}
	case *plugv1.Action_ChannelChanged:
		steps = func(time.Time) []step { return s.channelStep(req, kind.ChannelChanged) }
	case *plugv1.Action_Typing:
		return func(ctx context.Context, _ time.Time) ([]*plugv1.Receipt, error) {
			return nil, s.plug.(Typer).Typing(ctx, req.GetChannel(), req.GetAction().GetAuthor(), kind.Typing.GetTyping())
		}
	case *plugv1.Action_ReadMarker:
		return func(ctx context.Context, _ time.Time) ([]*plugv1.Receipt, error) {
			return nil, s.markRead(ctx, req, kind.ReadMarker.GetTarget().GetReceipts())
		}
	default:
		return nil
	}
	return func(ctx context.Context, deadline time.Time) ([]*plugv1.Receipt, error) {
		return s.carryOut(ctx, r, req, steps(deadline))
	}
}

// step is one call of the author's code within an action.
type step struct {
	number, of int
	method     string
	call       func(ctx context.Context) (*plugv1.Receipt, error)

	// makes says that the step leaves a message, whose receipt it must give.
	makes bool
	// already is the receipt that an Already stands for, if it is known.
	already *plugv1.Receipt
	// done holds the verdicts that end the step well, without a receipt.
	done []plugv1.Verdict
}

// carryOut makes the steps that were not made yet, in order. It gives the receipts
// of the steps from the first on without a hole, and why it stopped. A part that the
// network has already, without telling its id, leaves such a hole.
func (s *server) carryOut(ctx context.Context, r *run, req *plugv1.PutRequest, steps []step) ([]*plugv1.Receipt, error) {
	if len(steps) == 0 {
		return nil, TargetGone(errors.New("nothing on this network represents the message"))
	}
	known := make(map[int]*plugv1.Receipt, len(steps))
	for _, part := range req.GetSent() {
		known[int(part.GetPart())] = part.GetReceipt()
	}
	makes := false
	for _, st := range steps {
		makes = makes || st.makes
		if st.makes && known[st.number] != nil {
			continue
		}
		if err := s.mayGo(ctx, r, req.GetChannel(), st); err != nil {
			return firstReceipts(known), err
		}
		receipt, err := s.call(ctx, st)
		switch verdict := VerdictOf(err); {
		case err == nil && receipt != nil:
			known[st.number] = receipt
		case verdict == plugv1.Verdict_VERDICT_ALREADY && st.already != nil:
			known[st.number] = st.already
		case err != nil && !slices.Contains(st.done, verdict):
			return firstReceipts(known), err
		}
	}
	var receipts []*plugv1.Receipt
	for _, st := range steps {
		if known[st.number] != nil {
			receipts = append(receipts, known[st.number])
		}
	}
	if makes && len(receipts) == 0 {
		return nil, Already()
	}
	return receipts, nil
}

// mayGo waits until the network's rates allow a step, and says if it can't begin.
func (s *server) mayGo(ctx context.Context, r *run, channel string, st step) error {
	if ctx.Err() != nil {
		return NotSent(fmt.Errorf("part %d of %d: %w", st.number, st.of, context.Cause(ctx)))
	}
	tooLong, err := r.pacer.Wait(ctx, channel, r.abilities.GetLimits().GetChannelRate())
	switch {
	case err != nil:
		return NotSent(fmt.Errorf("part %d of %d: %w", st.number, st.of, err))
	case tooLong > 0:
		return RateLimited(fmt.Errorf("part %d of %d: the network's rate lets it go after the deadline", st.number, st.of), tooLong)
	}
	return nil
}

func (s *server) call(ctx context.Context, st step) (receipt *plugv1.Receipt, err error) {
	err = contain(s.log, st.method, func() (err error) {
		receipt, err = st.call(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if receipt == nil && !st.makes {
		return nil, nil
	}
	if err := contract.Receipt(receipt); err != nil {
		return nil, Uncertain(err)
	}
	return receipt, nil
}

// firstReceipts gives the receipts of parts 1 to n, n+1 being the first unknown.
func firstReceipts(known map[int]*plugv1.Receipt) []*plugv1.Receipt {
	var receipts []*plugv1.Receipt
	for n := 1; known[n] != nil; n++ {
		receipts = append(receipts, known[n])
	}
	return receipts
}

// gone holds the verdicts that say that a message is no longer there.
var gone = []plugv1.Verdict{plugv1.Verdict_VERDICT_ALREADY, plugv1.Verdict_VERDICT_TARGET_GONE}

func (s *server) messageSteps(r *run, req *plugv1.PutRequest, deadline time.Time) []step {
	parts := s.parts(r, req, deadline)
	steps := make([]step, len(parts))
	for i, p := range parts {
		steps[i] = s.putStep(p)
	}
	return steps
}

func (s *server) putStep(p *Part) step {
	return step{
		number: p.Number, of: p.Of, method: "Put", makes: true, done: []plugv1.Verdict{plugv1.Verdict_VERDICT_ALREADY},
		call: func(ctx context.Context) (*plugv1.Receipt, error) { return s.plug.(Putter).Put(ctx, p) },
	}
}

func (s *server) deleteSteps(req *plugv1.PutRequest, deadline time.Time) []step {
	targets := req.GetAction().GetDelete().GetTarget().GetReceipts()
	steps := make([]step, len(targets))
	for i, target := range targets {
		steps[i] = s.deleteStep(req, deadline, target, i+1, len(targets))
	}
	return steps
}

func (s *server) deleteStep(req *plugv1.PutRequest, deadline time.Time, target *plugv1.Receipt, number, of int) step {
	d := &Deletion{
		OperationID: partID(req.GetOperationId(), number, of),
		Channel:     channelOf(target, req),
		Target:      target,
		Author:      req.GetAction().GetAuthor(),
		Reason:      req.GetAction().GetDelete().GetReason(),
		Deadline:    deadline,
	}
	return step{
		number: number, of: of, method: "Delete", done: gone,
		call: func(ctx context.Context) (*plugv1.Receipt, error) { return nil, s.plug.(Deleter).Delete(ctx, d) },
	}
}

// reactionStep completes what is the same for adding and removing.
func (s *server) reactionStep(req *plugv1.PutRequest, deadline time.Time, reacting *Reacting) []step {
	if len(reacting.Target) == 0 {
		return nil
	}
	reacting.OperationID = req.GetOperationId()
	reacting.Channel = channelOf(reacting.Target[0], req)
	reacting.Author = req.GetAction().GetAuthor()
	reacting.Deadline = deadline
	return []step{{
		number: 1, of: 1, method: "React",
		call: func(ctx context.Context) (*plugv1.Receipt, error) { return s.plug.(Reactor).React(ctx, reacting) },
	}}
}

func (s *server) channelStep(req *plugv1.PutRequest, change *plugv1.ChannelChanged) []step {
	return []step{{
		number: 1, of: 1, method: "ChangeChannel",
		call: func(ctx context.Context) (*plugv1.Receipt, error) {
			return nil, s.plug.(ChannelChanger).ChangeChannel(ctx, req.GetChannel(), change)
		},
	}}
}

// markRead marks the last part of the message: whoever has read that has read all.
func (s *server) markRead(ctx context.Context, req *plugv1.PutRequest, target []*plugv1.Receipt) error {
	if len(target) == 0 {
		return TargetGone(nil)
	}
	last := target[len(target)-1]
	return s.plug.(ReadMarker).MarkRead(ctx, channelOf(last, req), req.GetAction().GetAuthor(), last)
}

// channelOf is the channel that a message is in.
func channelOf(target *plugv1.Receipt, req *plugv1.PutRequest) string {
	if target.GetChannel() != "" {
		return target.GetChannel()
	}
	return req.GetChannel()
}

// partID names part n of an operation; a single part has the bare id.
func partID(operation string, number, of int) string {
	if of == 1 {
		return operation
	}
	return fmt.Sprintf("%s-%d", operation, number)
}
