package put

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/put/adapt"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// kindOf gives the kind of an action.
func kindOf(a *plugv1.Action) plugv1.ActionKind {
	switch a.GetKind().(type) {
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

// can tells whether a plug carries out a kind of action on this account.
func (l *Live) can(kind plugv1.ActionKind) bool {
	if l.Accepts != nil && !slices.Contains(l.Accepts, kind) {
		return false
	}
	actions := l.Abilities.GetActions()
	return len(actions) == 0 || slices.Contains(actions, kind)
}

// prepare makes the action as it goes out: its targets resolved to what represents
// them in the channel, its content the newest, what the network can't show in
// words. Its error is a decision, or the context's.
func (o *operation) prepare(ctx context.Context, s *slot) (*plugv1.Action, error) {
	first := o.attempt.GetUncertain() == 0 && len(o.attempt.GetSent()) == 0
	if o.mayExpire() && time.Now().After(o.record.Expiry.AsTime()) {
		return nil, o.expired()
	}
	if err := o.catchUp(ctx); err != nil {
		return nil, err
	}
	action := proto.CloneOf(o.record.Action)
	var err error
	switch k := action.Kind.(type) {
	case *plugv1.Action_Message:
		err = o.prepareMessage(ctx, s, action, k.Message, first)
	case *plugv1.Action_Edit:
		err = o.prepareEdit(ctx, s, k.Edit)
	case *plugv1.Action_Delete:
		k.Delete.Target, err = o.all(ctx)
		if err == nil && old(k.Delete.Target, s.Abilities.GetLimits().GetDeleteAge().AsDuration()) {
			err = o.instead(plugv1.Verdict_VERDICT_TARGET_GONE, "the message is too old to be deleted on this network")
		}
	case *plugv1.Action_ReactionAdded:
		err = o.prepareAdded(ctx, s, k.ReactionAdded)
	case *plugv1.Action_ReactionRemoved:
		err = o.prepareRemoved(ctx, k.ReactionRemoved)
	}
	if err != nil {
		return nil, err
	}
	if kind := kindOf(action); !s.can(kind) && kind != plugv1.ActionKind_ACTION_KIND_MESSAGE {
		return nil, o.instead(plugv1.Verdict_VERDICT_UNSUPPORTED, "the network can't do this")
	}
	return adapt.Action(action, s.Abilities), nil
}

// prepareMessage folds in edits that were accepted meanwhile, and resolves what the
// message answers and the thread it is in. A reply that can't be native is quoted.
func (o *operation) prepareMessage(ctx context.Context, s *slot, action *plugv1.Action, m *plugv1.Message, first bool) error {
	quoted := o.record.Fallback
	quote := o.quote // what stands in front of a quoted reply
	if o.record.ReplyTo != nil || m.ReplyTo != nil {
		receipts, err := o.resolve(ctx, o.record.ReplyTo)
		if err != nil {
			return err
		}
		switch {
		case len(receipts) > 0 && adapt.Has(s.Abilities, plugv1.Feature_FEATURE_REPLY):
			m.ReplyTo.Target = &plugv1.Target{Receipts: receipts}
		case quoted.GetMessage() != nil:
			quote = inFront(m, quoted.GetMessage())
			m = proto.CloneOf(quoted.GetMessage())
			action.Kind = &plugv1.Action_Message{Message: m}
		default:
			m.ReplyTo = nil
		}
	}
	if o.record.Thread != nil {
		receipts, err := o.resolve(ctx, o.record.Thread)
		if err != nil {
			return err
		}
		if len(receipts) > 0 {
			action.Thread = &plugv1.Target{Receipts: receipts}
		}
	}
	content, err := o.fold(ctx, first)
	if err != nil || content == nil {
		return err
	}
	content = proto.CloneOf(content)
	content.ReplyTo = m.ReplyTo
	if len(quote) > 0 {
		content.Text = &plugv1.Text{Segments: slices.Concat(quote, content.Text.GetSegments())}
	}
	action.Kind = &plugv1.Action_Message{Message: content}
	return nil
}

// inFront is what a quoted reply has in front of the reply itself.
func inFront(reply, quoted *plugv1.Message) []*plugv1.Segment {
	all := proto.CloneOf(quoted).GetText().GetSegments()
	return all[:max(0, len(all)-len(reply.GetText().GetSegments()))]
}

// prepareEdit finds the messages that represent the edited one here. Whoever isn't
// its author may not edit it.
func (o *operation) prepareEdit(ctx context.Context, s *slot, e *plugv1.Edit) error {
	copies, err := o.copies(ctx, o.record.Target)
	if err != nil {
		return err
	}
	if len(copies) == 0 {
		given, err := o.givenUp(ctx)
		if err == nil && given {
			err = dropped("the message itself was given up")
		}
		if err != nil {
			return err
		}
		// Nobody knows here who wrote it but the event itself.
		if !o.mayEdit(o.record.Action.GetAuthor().GetUser().GetId()) {
			return o.notTheirs()
		}
		return o.instead(plugv1.Verdict_VERDICT_TARGET_GONE, "there is no copy of the edited message here")
	}
	last := copies[len(copies)-1]
	switch {
	case slices.Contains(last.Folded, string(o.id)):
		return dropped("the message was sent with this edit in it")
	case !o.mayEdit(last.AuthorId):
		return o.notTheirs()
	}
	o.of, o.edited = last.OperationId, last.Receipts
	e.Target = &plugv1.Target{Receipts: o.placed(last.Receipts)}
	if old(e.Target, s.Abilities.GetLimits().GetEditAge().AsDuration()) {
		return o.instead(plugv1.Verdict_VERDICT_TARGET_GONE, "the message is too old to be edited on this network")
	}
	return nil
}

// notTheirs drops an edit by somebody else.
func (o *operation) notTheirs() error {
	o.log.Warn("an edit by another than the message's author was dropped", "actor", o.actor())
	return dropped("it is not by the message's author")
}

// actor is who edited.
func (o *operation) actor() string {
	if o.record.ActorId != "" {
		return o.record.ActorId
	}
	return o.record.Action.GetAuthor().GetUser().GetId()
}

func (o *operation) mayEdit(author string) bool {
	return o.record.Moderation || author == "" || o.actor() == author
}

// old tells whether a message is older than a network lets us touch it.
func old(t *plugv1.Target, limit time.Duration) bool {
	return limit > 0 && slices.ContainsFunc(t.Receipts, func(r *plugv1.Receipt) bool {
		return r.Time != nil && time.Since(r.Time.AsTime()) > limit
	})
}

// all is all that represents the target here; a decision if nothing does.
func (o *operation) all(ctx context.Context) (*plugv1.Target, error) {
	receipts, err := o.resolve(ctx, o.record.Target)
	if err == nil && len(receipts) == 0 {
		err = dropped("nothing represents the message here any more")
	}
	return &plugv1.Target{Receipts: receipts}, err
}

// resolve gives what represents a message in the operation's channel, in the order
// in which it was sent: itself, if it is of this channel, else our copies.
func (o *operation) resolve(ctx context.Context, k *journalv1.MessageKey) ([]*plugv1.Receipt, error) {
	if k == nil {
		return nil, nil
	}
	if m := messageOf(k); k.NetworkId != "" && o.stage.Moves.Home(m.Channel) == o.channel {
		r, err := o.original(ctx, m)
		return []*plugv1.Receipt{r}, err
	}
	copies, err := o.copies(ctx, k)
	var receipts []*plugv1.Receipt
	for _, c := range copies {
		receipts = append(receipts, o.placed(c.Receipts)...)
	}
	return receipts, err
}

// placed are receipts that name their channel: the plug may be asked for another than the
// one in which they landed.
func (o *operation) placed(receipts []*plugv1.Receipt) (placed []*plugv1.Receipt) {
	for _, r := range receipts {
		placed = append(placed, o.place(r))
	}
	return placed
}

func (o *operation) place(r *plugv1.Receipt) *plugv1.Receipt {
	r = proto.CloneOf(r)
	r.Channel = string(journal.ReceiptChannel(o.channel, r).Source)
	return r
}

// original gives a message of the channel's own as a receipt.
func (o *operation) original(ctx context.Context, m id.Message) (*plugv1.Receipt, error) {
	r := &plugv1.Receipt{Id: string(m.ID), Channel: string(m.Channel.Source)}
	err := o.must(ctx, func(ctx context.Context) error {
		original, err := o.stage.Journal.Original(ctx, m)
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		if err == nil {
			r.Aliases, r.Reference = original.Aliases, original.Reference
		}
		return err
	})
	return r, err
}

// copies gives our copies of a message in the operation's channel. Its error is the
// context's.
func (o *operation) copies(ctx context.Context, k *journalv1.MessageKey) (copies []*journalv1.FromRecord, err error) {
	if k == nil {
		return nil, nil
	}
	err = o.must(ctx, func(ctx context.Context) (err error) {
		copies, err = o.stage.Journal.CopiesIn(ctx, o.channel, k)
		return err
	})
	return copies, err
}
