package plug

import (
	"context"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Definition is what a binary is: static facts, and how to make its Plug. What
// can be computed from the interfaces that the Plug implements is computed, so
// that a claim and an ability can't disagree.
type Definition struct {
	// Name of the plug, as in "use:" of the host's config. Required: lower case,
	// digits and dashes, at most 64 bytes.
	Name string
	// Version of the binary, semver without a leading "v". Required.
	Version string
	// Network is the network's name as people say it: "IRC". Required.
	Network string

	// Config is a zero value of the config's struct, or nil if the plug takes no
	// config. Its JSON Schema goes to the host, which checks a config before the
	// plug sees it. Every field needs `json` and `jsonschema:"description=..."`
	// tags; a secret has `jsonschema:"writeOnly=true"` too.
	Config any

	// Emits lists the kinds of events that the plug may queue. Nil means
	// messages; an empty list means a network that is only written to.
	Emits []plugv1.EventKind
	// Abilities is what the binary can do, before an account or server narrows it
	// (Started.Abilities). Nil means: none known.
	Abilities *plugv1.Abilities
	// PutScope is what a running Put may hold back. The default, the whole plug,
	// is right for every network and slow; PUT_SCOPE_CHANNEL is for networks where
	// a message always lands in the channel that was asked for.
	PutScope plugv1.PutScope
	// MaxConcurrentPuts is how many Puts may run at once over all channels, 1 if
	// zero. Within one channel it is always one.
	MaxConcurrentPuts uint32

	// New makes the process's one Plug. It does no work: it is called before the
	// plug is started, also by a host that only asks what the binary can do.
	New func() Plug
}

// Plug represents one external network in a standard form. Every author
// implements it, and with it Putter or WholePutter (a network that can be
// written to) and Receiver (one that is read by a loop).
//
// Order of calls: Start, then Put and Receive at any time and at once, then Stop,
// then perhaps Start again. A panic in any method ends that call, not the process.
type Plug interface {
	// Start makes the initial connections and subscribes to events. It must not
	// wait for messages, which are picked up by Receive or by event handlers that
	// call s.Queue; what a handler queues before Start has returned is kept.
	//
	// ctx ends when Start returns: what lives longer takes s.Context. An error is
	// one of Unreachable, LoggedOut and BadConfig; any other is read as Unreachable.
	// After an error Stop is not called: Start closes what it opened.
	Start(ctx context.Context, s *Session) (*Started, error)

	// Stop closes all connections and cleans up, until ctx ends. Receive has
	// returned before, and what it queued is in the host's journal if there was
	// time. What is queued until Stop returns is still taken.
	Stop(ctx context.Context) error
}

// Putter is a Plug that pushes messages into its network, one call for each
// physical part: the SDK splits a text by Abilities.Limits, puts the author's name
// in front, gives each part its operation id, and completes what an earlier
// attempt began.
type Putter interface {
	// Put sends one part and returns its identifiers, once they are known; where
	// the network reveals them only in the echo, Put waits for it (see Echoes).
	//
	// Put is called for up to Definition.MaxConcurrentPuts channels at once, within
	// one channel one after another and in order. ctx ends at p.Deadline, and not
	// when the host stops waiting; when it ends, nothing may be left that would
	// still send. The library's own retries and rate-limit waits must be off: the
	// host alone retries. A Put that is still running a minute after its deadline is
	// stuck: the process ends, so that the host can start it again.
	//
	// An error is a verdict on what is certain: NotSent, RateLimited, Refused,
	// Uncertain, Already, TargetGone, Unsupported or LoggedOut. Any other error, a
	// panic, and a receipt without an id, are Uncertain.
	Put(ctx context.Context, p *Part) (*plugv1.Receipt, error)
}

// WholePutter is a Plug that splits for itself: it gets each action whole, of every
// kind that there is, and answers Unsupported for what its network can't do. If it is
// implemented, Putter, Editor, Deleter and the like are not used. Typing and read
// markers are best effort here too: tried once, their answer is only logged. Describe
// claims all kinds, unless Abilities.Actions names those that work.
type WholePutter interface {
	// PutWhole carries out one action, by the rules of Putter.Put. With an error
	// the receipts are those of the parts that were sent; w.Sent and, if the error
	// was made by WithContinuation, w.Continuation bring them back at the next
	// attempt, which completes the action and repeats nothing. Without an error a
	// message and an edit need a receipt; an added reaction may have one.
	PutWhole(ctx context.Context, w *Whole) ([]*plugv1.Receipt, error)
}

// Receiver is a Plug that picks its messages up by a loop of its own: a socket
// that is read, a long poll. A Plug whose client library calls event handlers needs
// no Receiver: the handlers call Session.Queue.
type Receiver interface {
	// Receive queues what the network says, until ctx ends; it begins after the
	// last cursors of each scope, and from now on in a scope that has none. It owns
	// reconnection: after an error or an early return it is run again with back-off
	// (1 s to 60 s), with the last cursors that were queued. What people see of that is
	// said by Session.SetNetworkState; of a LoggedOut error the host is told here.
	//
	// It runs in the background from the moment the host has brought the cursors,
	// one run at a time; ctx ends when the host stops the plug, and when it changes the
	// channels in use (see ChannelSetter).
	Receive(ctx context.Context, q *Queue, cursors Cursors) error
}

// Started says as whom a plug is connected.
type Started struct {
	// NetworkID is the constant identifier of the access to the network, over
	// restarts too. It varies with the account and, where the network has separate
	// spaces, with the space: "irc:libera.chat:alice". Required, at most 512 bytes.
	NetworkID string
	// NetworkName is the network or server as people call it: "Libera.Chat".
	NetworkName string
	// Self is the plug's own user.
	Self *plugv1.User
	// Abilities, if not nil, replaces Definition.Abilities whole by what this
	// account on this server can do.
	Abilities *plugv1.Abilities
	// Channels holds the state and canonical source of each of Session.Channels. One
	// that is left out is joined, under the source asked for.
	Channels []*plugv1.ChannelStatus
}

// Part is one physical message that a plug is asked to send.
type Part struct {
	// OperationID names the part, the same on every attempt: the operation's id,
	// with "-n" behind it if there are several parts. A network that removes repeats
	// by a client's id gets this one.
	OperationID string
	// Channel is the canonical source of the channel.
	Channel string
	// Text is what to send, within Abilities.Limits; unless the author mode is
	// NATIVE it has the author's name in front.
	Text string
	// Content is the same text with its formatting. A plug that renders it for
	// itself, with sdk/go/text, takes this in place of Text.
	Content *plugv1.Text
	// Attachments are what comes with this part: files in spool "in/" (Session.Spool),
	// places. The first part has them all, unless Limits.Files allows it fewer files:
	// then those that follow have the rest. A message of nothing but attachments has one
	// part, with no text but the author's name.
	Attachments []*plugv1.Attachment
	// Emote is true for "/me".
	Emote bool
	// ReplyTo is what represents the message that is answered, the primary part first;
	// empty if none is. Only the first part has it.
	ReplyTo []*plugv1.Receipt
	// Thread is what represents the root of the thread that it goes to, the primary
	// part first; empty: to the channel itself. Every part has it.
	Thread []*plugv1.Receipt
	// Target is, in Edit, the message to be edited; nil in Put.
	Target *plugv1.Receipt
	// Author is the person whose words these are; nil if the host named none.
	Author *plugv1.Author
	// Number counts the parts from 1, Of is how many there are; in an edit those that
	// are removed are counted too.
	Number, Of int
	// Attempt is 1 for the first. FirstAttempt is the time of the first, the same
	// on every attempt.
	Attempt      uint32
	FirstAttempt time.Time
	// Deadline is when ctx ends.
	Deadline time.Time
	// Action is the whole action that the part belongs to; read only.
	Action *plugv1.Action
}

// Whole is one action for a plug that splits for itself.
type Whole struct {
	// OperationID names the operation, the same on every attempt. Part n of several
	// is called by it with "-n" behind.
	OperationID string
	// Channel is the canonical source of the channel.
	Channel string
	// Action is what to do; read only.
	Action *plugv1.Action
	// Text is the plain text of a message or an edit; unless the author mode is NATIVE it has
	// the author's name in front.
	Text string
	// Attempt is 1 for the first. FirstAttempt is the time of the first, the same
	// on every attempt.
	Attempt      uint32
	FirstAttempt time.Time
	// Deadline is when ctx ends.
	Deadline time.Time
	// Sent holds the parts that earlier attempts are known to have sent.
	Sent []*plugv1.SentPart
	// Continuation is what WithContinuation gave at the last attempt.
	Continuation []byte
}
