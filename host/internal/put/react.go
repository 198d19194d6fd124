package put

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// The many people of the other networks react here as one account. So a reaction is
// put when the first of them feels it, and taken back when the last one no longer
// does; ReactedRecord remembers who does.

// prepareAdded finds out whether the reaction is new here.
func (o *operation) prepareAdded(ctx context.Context, s *slot, a *plugv1.ReactionAdded) (err error) {
	if a.Target, err = o.all(ctx); err != nil {
		return err
	}
	limits := s.Abilities.GetLimits()
	if e := a.Reaction.GetEmoji(); len(limits.GetReactionEmoji()) > 0 && !slices.Contains(limits.ReactionEmoji, e) {
		return o.instead(plugv1.Verdict_VERDICT_UNSUPPORTED, "the network doesn't have this reaction")
	}
	was, err := o.feel(ctx, a.Reaction)
	if err != nil {
		return err
	}
	if was && !o.unsettled() {
		return &decision{outcome: journalv1.Outcome_OUTCOME_SENT, reason: "somebody reacted like that before"}
	}
	a.Current = o.current()
	if n := int(limits.GetReactions()); n > 0 && len(a.Current) > n {
		return o.instead(plugv1.Verdict_VERDICT_UNSUPPORTED, "the network takes no more reactions of ours to this message")
	}
	return nil
}

// prepareRemoved finds out whether anybody else feels the reaction still.
func (o *operation) prepareRemoved(ctx context.Context, r *plugv1.ReactionRemoved) (err error) {
	if r.Target, err = o.all(ctx); err != nil {
		return err
	}
	felt, left, err := o.unfeel(ctx, r.Reaction)
	switch {
	case err != nil:
		return err
	case felt == nil:
		return dropped("there is no such reaction of ours")
	case left > 0:
		return &decision{outcome: journalv1.Outcome_OUTCOME_SENT, reason: "others still react like that"}
	}
	r.Added = felt.Receipts
	r.Current = o.current()
	return nil
}

// feel adds the user to those who react like that, and tells whether anybody did.
func (o *operation) feel(ctx context.Context, r *plugv1.Reaction) (was bool, err error) {
	if o.reacted, err = o.reactions(ctx); err != nil {
		return false, err
	}
	i := slices.IndexFunc(o.reacted.Reactions, same(r))
	if i < 0 {
		o.reacted.Reactions = append(o.reacted.Reactions, &journalv1.Reacted{Reaction: r, Users: []string{o.user()}})
		return false, nil
	}
	if felt := o.reacted.Reactions[i]; !slices.Contains(felt.Users, o.user()) {
		felt.Users = append(felt.Users, o.user())
	}
	return true, nil
}

// unfeel takes the user from those who react like that, and tells how many are left.
func (o *operation) unfeel(ctx context.Context, r *plugv1.Reaction) (felt *journalv1.Reacted, left int, err error) {
	if o.reacted, err = o.reactions(ctx); err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(o.reacted.Reactions, same(r))
	if i < 0 {
		return nil, 0, nil
	}
	felt = o.reacted.Reactions[i]
	felt.Users = slices.DeleteFunc(felt.Users, func(u string) bool { return u == o.user() })
	if len(felt.Users) == 0 {
		o.reacted.Reactions = slices.Delete(o.reacted.Reactions, i, i+1)
	}
	return felt, len(felt.Users), nil
}

// unsettled tells whether an earlier attempt may not have been carried out.
func (o *operation) unsettled() bool { return o.attempt != nil && !o.attempt.NotSent }

// reactions reads what of ours is on the message.
func (o *operation) reactions(ctx context.Context) (r *journalv1.ReactedRecord, err error) {
	err = o.must(ctx, func(ctx context.Context) (err error) {
		r, err = o.stage.Journal.Reacted(ctx, o.channel, o.record.Target)
		return err
	})
	return r, err
}

// addReactionReceipts keeps what the network needs to take the reaction back.
func (o *operation) addReactionReceipts(receipts []*plugv1.Receipt) {
	added := o.record.Action.GetReactionAdded()
	if added == nil || len(receipts) == 0 {
		return
	}
	if i := slices.IndexFunc(o.reacted.Reactions, same(added.Reaction)); i >= 0 {
		o.reacted.Reactions[i].Receipts = receipts
	}
}

// current is all that is on the message from us.
func (o *operation) current() (all []*plugv1.Reaction) {
	for _, r := range o.reacted.Reactions {
		all = append(all, proto.CloneOf(r.Reaction))
	}
	return all
}

// user is who reacts, over all networks.
func (o *operation) user() string { return o.record.Source.GetNetworkId() + " " + o.actor() }

func same(a *plugv1.Reaction) func(*journalv1.Reacted) bool {
	return func(b *journalv1.Reacted) bool {
		return a.GetEmoji() == b.Reaction.GetEmoji() && a.GetCustom() == b.Reaction.GetCustom()
	}
}
