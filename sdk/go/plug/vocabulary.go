package plug

import (
	"context"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Editor is a Plug that can give a message of its own new content. It is a Putter too:
// an edited message may have more parts than it had.
type Editor interface {
	// Edit replaces the content of one physical message by a part, and returns what
	// identifies it from now; p.Target is its receipt. Where the new text has more
	// parts than the old one, the SDK calls Put for the rest; where it has fewer, it
	// calls Delete for the rest, or Edit with an ellipsis if there is no Deleter. All of
	// them are counted in p.Of, so that the parts' operation ids are those of one
	// operation. A part that has this content already is an Already.
	//
	// Rules and errors are those of Putter.Put; TargetGone says that the message is
	// no longer there or is too old, Refused that the network doesn't let us.
	Edit(ctx context.Context, p *Part) (*plugv1.Receipt, error)
}

// Deleter is a Plug that can remove a message: one of its own, and where the
// account may, anyone's.
type Deleter interface {
	// Delete removes one physical message. One that is gone already is an Already or
	// a TargetGone, and the SDK goes on with the next part. Rules and errors are those
	// of Putter.Put.
	Delete(ctx context.Context, d *Deletion) error
}

// Deletion is one physical message to be removed.
type Deletion struct {
	// OperationID names the removal, the same on every attempt, with "-n" behind it if
	// the message has several parts.
	OperationID string
	// Channel is the canonical source of the channel that the message is in.
	Channel string
	// Target is the message.
	Target *plugv1.Receipt
	// Author is the person on whose behalf; nil if the host named none.
	Author *plugv1.Author
	// Reason is why, for a person; often empty.
	Reason string
	// Deadline is when the context ends.
	Deadline time.Time
}

// Reactor is a Plug that can react to a message.
type Reactor interface {
	// React adds or takes back one reaction. It returns what the network needs to take
	// it back later (nil if that is nothing), which comes back in r.Added. A reaction
	// that is there already, or already gone, is an Already. Rules and errors are those
	// of Putter.Put.
	React(ctx context.Context, r *Reacting) (*plugv1.Receipt, error)
}

// Reacting is one reaction to be added or taken back.
type Reacting struct {
	// OperationID names the operation, the same on every attempt.
	OperationID string
	// Channel is the canonical source of the channel that the message is in.
	Channel string
	// Target is what represents the message, the primary part first.
	Target []*plugv1.Receipt
	// Author is the person on whose behalf; nil if the host named none.
	Author *plugv1.Author
	// Reaction is what is felt.
	Reaction *plugv1.Reaction
	// Remove is true if it is to be taken back.
	Remove bool
	// Current is all that the message shall have from us afterwards, oldest first, for
	// networks that take nothing but the whole set.
	Current []*plugv1.Reaction
	// Added holds, with Remove, what React returned when it was added.
	Added []*plugv1.Receipt
	// Deadline is when the context ends.
	Deadline time.Time
}

// Typer is a Plug that can show that somebody is writing. Best-effort calls come one
// after another, in the order of the requests, beside the Puts.
type Typer interface {
	// Typing shows it for 10 s, or ends it. It is best effort: tried once, its error is
	// only logged.
	Typing(ctx context.Context, channel string, author *plugv1.Author, typing bool) error
}

// ReadMarker is a Plug that can show that somebody has read up to a message.
type ReadMarker interface {
	// MarkRead shows it for the last part of a message. It is best effort: tried once, its
	// error is only logged.
	MarkRead(ctx context.Context, channel string, author *plugv1.Author, target *plugv1.Receipt) error
}

// ChannelChanger is a Plug that can change a channel's title or topic.
type ChannelChanger interface {
	// ChangeChannel changes what is set. What is so already is an Already. Rules and
	// errors are those of Putter.Put.
	ChangeChannel(ctx context.Context, channel string, change *plugv1.ChannelChanged) error
}
