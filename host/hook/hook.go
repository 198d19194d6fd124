// Package hook is how external code takes part in what a host carries: it is
// given every event of every channel, in order, and answers with what shall be
// sent.
//
// The built-in bridging is a hook like any other. A hook in another language is a
// client of the host's API.
package hook

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Hook receives events. Register it with host.Options.
type Hook interface {
	// Name is the name under which the hook's progress is stored: constant, and
	// different for each hook of a host. A hook with a new name starts now.
	Name() id.HookName

	// Receive is given one event and returns what shall be sent because of it,
	// in order; the host makes it durable before it moves on, so it is sent
	// whatever crashes (D3).
	//
	// Events of one channel come one after another, in the order the plug
	// emitted them (O6); Receive runs for several channels at once. After a crash
	// of the host it may be called again for an event that it had answered: it
	// should answer the same, and what was accepted then is not sent twice.
	//
	// ctx ends after CallTimeout or when the host stops. With an error made by
	// Hold the event is given again after a back-off, and its channel waits (for
	// this hook only). With any other error, or a panic, the event is logged and
	// passed over.
	Receive(ctx context.Context, d *Delivery) ([]Send, error)
}

// CallTimeout is the time one call of Receive may take.
const CallTimeout = 30 * time.Second

// Channel names a channel as an operator does: by the plug instance's name.
type Channel struct {
	Plug   id.InstanceName
	Source id.ChannelSource
}

// String gives the channel as in the config: "plug/source".
func (c Channel) String() string { return string(c.Plug) + "/" + string(c.Source) }

// Delivery is one event with what the host knows of it. It must not be changed.
type Delivery struct {
	// Channel is where it happened. Its source is the canonical one, and stays so when the
	// network has the channel migrate. Messages are named by In.
	Channel Channel
	// Network identifies the plug's access to the network for good.
	Network id.NetworkID
	// NetworkName is the network as people call it.
	NetworkName string
	// Event is what happened. Its kind may be one that this host's version does
	// not know: then Kind is nil.
	Event *plugv1.Event
	// Sequence and Index say where it is in the journal.
	Sequence id.Sequence
	Index    int
	// Origin is our own message that this event is an echo of (O4); nil if it is
	// none of ours.
	Origin *Origin
	// About is the message that the event is about, where that is not the event's own:
	// the one that is edited, deleted, reacted to or answered. It names the message
	// that others are copies of, wherever it was said: a reply to one of our copies is
	// about its source. Nil if there is none.
	About *Target
	// Thread is the root of the thread that a message is in, likewise; nil if it is in
	// none.
	Thread *Target
	// Ours is true for everything that was sent through this plug, also where
	// Origin is nil: from another device of the same account, or by an account
	// that cannot be told from ours. A bridge drops what is ours.
	Ours bool
}

// In is the channel under the source that it had when the event happened: the one by
// which the event's message is named. It differs from Channel once the channel has
// migrated, since ids may begin anew then.
func (d *Delivery) In() id.Channel {
	return id.Channel{Network: d.Network, Source: cmp.Or(id.ChannelSource(d.Event.GetChannel()), d.Channel.Source)}
}

// Origin is the operation that a message of ours came of.
type Origin struct {
	Operation id.OperationID
	// Hook made the operation.
	Hook id.HookName
	// Source is the message that caused it; nil if none did. One that an operation of
	// ours stands for has no channel, and the operation's id.
	Source *id.Message
	// Primary is false for all but the first of several physical messages.
	Primary bool
}

// Target names a message of any network, whatever represents it in the channel that
// is sent to: itself, our copies of it, or nothing.
type Target struct {
	// Message is one of the networks' messages: the original or any copy of ours.
	Message id.Message
	// Operation names the message that one of our own operations makes, which has no
	// original; Message is then empty.
	Operation id.OperationID
}

// Send is one action to be put into a channel.
type Send struct {
	Channel Channel
	Action  *plugv1.Action
	// Target is what an edit, a delete, a reaction or a read marker is about. Whatever
	// the action's own Target holds is replaced by it when the Put begins.
	Target *Target
	// ReplyTo is the message that Action.message answers.
	ReplyTo *Target
	// Thread is the root of the thread that a message shall go to.
	Thread *Target
	// Fallback is what to do where the network can't carry out Action, or where its
	// target is gone: a message in place of an edit, a quote in place of a reply. Nil:
	// nothing. It is an operation of its own.
	Fallback *plugv1.Action
	// ActorID is who did it on the network of origin, where that is not the action's
	// author. An edit by another than the message's author is dropped, unless
	// Moderation says that they may.
	ActorID    string
	Moderation bool
	// CatchUp says when a message is given up that has waited; nil: never.
	CatchUp *CatchUp
}

// CatchUp bounds what is delivered late. A message is given up, and counted, once it is
// older than MaxAge by the time at which it was said, or once more than MaxMessages wait
// for its channel, itself among them, of which it is the oldest; but never within its
// first minute. Zero is no bound. Edits of what was given up do nothing.
type CatchUp struct {
	MaxAge      time.Duration
	MaxMessages int
}

// BestEffort is a Hook that takes part in what is never stored: typing and read
// markers.
type BestEffort interface {
	// ReceiveBestEffort is given such an event and returns what shall be shown because
	// of it, at once or never. It must not block; it is not called for events of our
	// own.
	ReceiveBestEffort(d *Delivery) []Send
}

// Hold makes an error that asks for the same event again after a back-off.
func Hold(err error) error { return &holdError{err} }

type holdError struct{ err error }

func (e *holdError) Error() string { return fmt.Sprintf("held: %v", e.err) }
func (e *holdError) Unwrap() error { return e.err }
func (e *holdError) Hold() bool    { return true }
