package intake

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/moves"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// completes tells whether an event says or needs something that the journal keeps apart
// from events.
func completes(e *plugv1.Event) bool {
	switch k := e.Kind.(type) {
	case *plugv1.Event_Message:
		return len(e.Aliases) > 0 || len(e.Reference) > 0
	case *plugv1.Event_ReactionAdded:
		return k.ReactionAdded.ReactionId != ""
	case *plugv1.Event_ReactionRemoved:
		return k.ReactionRemoved.ReactionId != "" && (k.ReactionRemoved.Reaction == nil || e.MessageId == "")
	case *plugv1.Event_ReactionsSet:
		return true
	case *plugv1.Event_ChannelMigrated:
		return !e.History
	}
	return false
}

// complete gives an event what only the host knows of it, and remembers what later
// events may refer to. It is called before the event is appended, so that whoever
// reads the event finds it. Its error is the context's.
func (in *Intake) complete(ctx context.Context, c id.Channel, e *plugv1.Event) error {
	if in.files != nil {
		if err := in.files.Receive(ctx, e); err != nil {
			return err
		}
	}
	if !completes(e) {
		return nil
	}
	switch k := e.Kind.(type) {
	case *plugv1.Event_Message:
		return in.until(ctx, func() error {
			return in.o.Journal.SaveOriginal(ctx, c, &journalv1.OriginalRecord{Id: e.MessageId, Aliases: e.Aliases, Reference: e.Reference, AuthorId: e.Author.GetId()})
		})
	case *plugv1.Event_ReactionAdded:
		return in.until(ctx, func() error {
			return in.o.Journal.SaveFelt(ctx, c, k.ReactionAdded.ReactionId, &journalv1.FeltRecord{MessageId: e.MessageId, Reaction: k.ReactionAdded.Reaction, User: actor(e)})
		})
	case *plugv1.Event_ReactionRemoved:
		return in.completeRemoved(ctx, c, e, k.ReactionRemoved)
	case *plugv1.Event_ReactionsSet:
		return in.completeSet(ctx, c, e, k.ReactionsSet)
	case *plugv1.Event_ChannelMigrated:
		return in.follow(ctx, c, id.ChannelSource(k.ChannelMigrated.To))
	}
	return nil
}

// follow has everything of a channel follow to where it goes on.
func (in *Intake) follow(ctx context.Context, c id.Channel, to id.ChannelSource) error {
	err := in.until(ctx, func() error {
		err := in.o.Moves.Moved(ctx, c, to)
		if errors.Is(err, moves.ErrTooMany) {
			in.log.Error("a channel that migrated is not followed", "channel", c.String(), "to", string(to), "error", err)
			return nil
		}
		return err
	})
	if err == nil && in.o.Moved != nil {
		in.o.Moved(c, to)
	}
	return err
}

// completeRemoved finds out which reaction to which message it was, where the
// network tells only the reaction's own id.
func (in *Intake) completeRemoved(ctx context.Context, c id.Channel, e *plugv1.Event, r *plugv1.ReactionRemoved) error {
	return in.until(ctx, func() error {
		felt, err := in.o.Journal.Felt(ctx, c, r.ReactionId)
		if errors.Is(err, storage.ErrNotFound) {
			return nil // older than the map; hooks make nothing of it
		}
		if err != nil {
			return err
		}
		e.MessageId, r.Reaction = felt.MessageId, felt.Reaction
		if e.Actor == nil && e.Author == nil {
			e.Actor = felt.User
		}
		return nil
	})
}

// completeSet works out what is new and what is gone in a user's whole set. The
// record names the event, so that one that comes again is answered the same.
func (in *Intake) completeSet(ctx context.Context, c id.Channel, e *plugv1.Event, set *plugv1.ReactionsSet) error {
	m := id.Message{Channel: c, ID: id.MessageID(e.MessageId)}
	return in.until(ctx, func() error {
		r, err := in.o.Journal.Feels(ctx, m, actor(e).GetId())
		if err != nil {
			return err
		}
		if r.EventId != e.EventId {
			r = &journalv1.FeelsRecord{EventId: e.EventId, Before: r.Now, Now: set.Reactions}
			if err := in.o.Journal.SaveFeels(ctx, m, actor(e).GetId(), r); err != nil {
				return err
			}
		}
		set.Added, set.Removed = without(r.Now, r.Before), without(r.Before, r.Now)
		return nil
	})
}

// without gives the reactions of a that b doesn't have.
func without(a, b []*plugv1.Reaction) (rest []*plugv1.Reaction) {
	for _, r := range a {
		if !slices.ContainsFunc(b, func(o *plugv1.Reaction) bool {
			return o.GetEmoji() == r.GetEmoji() && o.GetCustom() == r.GetCustom()
		}) {
			rest = append(rest, proto.CloneOf(r))
		}
	}
	return rest
}

// actor is who did it.
func actor(e *plugv1.Event) *plugv1.User {
	if e.Actor != nil {
		return e.Actor
	}
	return e.Author
}
