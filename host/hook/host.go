package hook

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Starter is a Hook that does more than answer events: it sends by itself, or looks
// things up.
type Starter interface {
	Hook
	// Start is called once in each life of the host, before the first Receive and
	// before any plug starts, so what it asks of a plug is answered later only. It
	// returns soon; what it leaves running it ends when ctx ends, which is when the
	// host stops. With an error the hook is given nothing in this life of the host;
	// its place is kept.
	Start(ctx context.Context, h Host) error
}

// Host is what a hook may use beside its answers. All methods may be called at any
// time between Start and the end of its context, by any goroutine. Errors that say
// something of a plug, a channel or the request are an *Error.
type Host interface {
	// Send accepts an action for a channel, in the hook's name. When it returns the
	// action is durable, and will be carried out whatever crashes, after all that
	// was accepted for the channel before. A plug that is down is no error. It waits
	// while the plug starts for the first time ever. Typing is shown at once or never:
	// it gets no id.
	Send(ctx context.Context, r Request) (id.OperationID, error)
	// Wait returns when it is known what became of an operation: in process, before
	// any hook is given an echo of it (O1). Do not wait in Receive for a send to the
	// same plug: the channel waits for Receive.
	Wait(ctx context.Context, operation id.OperationID) (*Operation, error)
	// Users, Channels and History look things up on the network of a plug. That
	// there is no such plug is told by their methods.
	Users(plug id.InstanceName) Users
	Channels(plug id.InstanceName) Channels
	History(plug id.InstanceName) History
}

// Ref names a message: where it is and its id there, whoever wrote it (a copy that
// the host made counts as what it is a copy of), or the operation that made it.
type Ref struct {
	// Channel, if it has migrated, is under the source at which the message was said.
	Channel Channel
	ID      id.MessageID
	// Operation made it; then the other two are empty.
	Operation id.OperationID
}

// Request is one action to be put into a channel, outside Receive.
type Request struct {
	// Channel is where it goes.
	Channel Channel
	// Action is what to do. What it refers to is left out of it and named by Target,
	// ReplyTo and Thread. At most 256 KiB.
	Action *plugv1.Action
	// ID is the caller's own id of the request, if not empty, at most 256 bytes: a
	// second one with the same id to the same channel is the same operation, and
	// sent once. It is known for as long as the message map is kept, 90 days.
	ID string
	// Expiry is when it is given up if nothing was sent until then; zero: never.
	Expiry time.Time
	// Target is what an edit, a delete or a reaction is about.
	Target *Ref
	// ReplyTo is what a message answers; nil: nothing.
	ReplyTo *Ref
	// Thread is the root of the thread that it goes to; nil: none.
	Thread *Ref
}

// OperationState is what became of an operation.
type OperationState int

// States of an operation.
const (
	Waiting OperationState = iota + 1 // for its turn, the plug, or the network's answer
	Sent                              // carried out
	Parked                            // not deliverable, kept for a person
	Expired                           // given up
)

var stateNames = map[OperationState]string{Waiting: "waiting", Sent: "sent", Parked: "parked", Expired: "expired"}

// String gives the state in a word.
func (s OperationState) String() string { return stateNames[s] }

// Operation is an accepted action, and what became of it.
type Operation struct {
	ID      id.OperationID
	Channel Channel
	State   OperationState
	// Receipts are all that represents a sent message, the primary one first; of
	// one that is parked or expired, the parts that were sent all the same.
	Receipts []*plugv1.Receipt
	// Reason of one that is parked or expired, for a person.
	Reason   string
	Attempts int
	// Hook that made it; "api:" and a name for a client of the API.
	Hook     id.HookName
	Accepted time.Time
	// PutBack is the operation as which a parked one was put back since; empty if it
	// was not.
	PutBack id.OperationID
}

// Users looks up the people of a network. Each call is answered by the plug, within
// 10 s.
type Users interface {
	// Get gives the user of an id.
	Get(ctx context.Context, userID string) (*plugv1.User, error)
	// ByUsername gives the user whom the network addresses by a name.
	ByUsername(ctx context.Context, username string) (*plugv1.User, error)
	// IsSelf tells whether a user, of whom id or username is set, is the plug's own
	// account, webhook or puppet.
	IsSelf(ctx context.Context, user *plugv1.User) (bool, error)
}

// Channels looks up and changes the channels of a network. Each call is answered by
// the plug, within 30 s. Of a user id or username is set.
type Channels interface {
	// List lists channels that could be used, at most limit, 100 if that is 0: the
	// public ones or the others, of which source or title contains a string.
	List(ctx context.Context, private bool, contains string, limit int) ([]*plugv1.Channel, error)
	// Get describes one channel.
	Get(ctx context.Context, source id.ChannelSource) (*plugv1.Channel, error)
	// Direct gives the channel in which one user is spoken to alone, and makes it if
	// need be.
	Direct(ctx context.Context, user *plugv1.User) (*plugv1.Channel, error)
	// Members and Admins list who is in a channel, and who may change it.
	Members(ctx context.Context, source id.ChannelSource) ([]*plugv1.User, error)
	Admins(ctx context.Context, source id.ChannelSource) ([]*plugv1.User, error)
	// Rename changes a channel's title.
	Rename(ctx context.Context, source id.ChannelSource, title string) error
	// Invite and Remove ask users into a channel, and put them out.
	Invite(ctx context.Context, source id.ChannelSource, users ...*plugv1.User) error
	Remove(ctx context.Context, source id.ChannelSource, users ...*plugv1.User) error
	// CreateInviteLink makes an address by which people come in; RevokeInviteLink
	// makes it useless.
	CreateInviteLink(ctx context.Context, source id.ChannelSource) (string, error)
	RevokeInviteLink(ctx context.Context, source id.ChannelSource, link string) error
}

// History reads what a network keeps. Each call is answered by the plug, within
// 30 s; no Put holds it back. What it gives has its origin, and no place in the
// journal.
type History interface {
	// Messages gives the messages of a channel before one of them, or the newest if
	// that is nil, oldest first, at most limit, 100 if that is 0.
	Messages(ctx context.Context, source id.ChannelSource, before *plugv1.Receipt, limit int) ([]*Delivery, error)
	// Message gives one message, of which id or reference is set.
	Message(ctx context.Context, source id.ChannelSource, message *plugv1.Receipt) (*Delivery, error)
}

// Error says what happened, to which plug or channel, and what to do.
type Error struct {
	// Code tells what kind of error it is, as gRPC has it: INVALID_ARGUMENT for a
	// request that can never be carried out; NOT_FOUND; UNIMPLEMENTED for what the
	// plug cannot do; UNAVAILABLE for a plug or a host that is down;
	// FAILED_PRECONDITION; DEADLINE_EXCEEDED; PERMISSION_DENIED; ALREADY_EXISTS for
	// a subscription in use; INTERNAL.
	Code codes.Code
	// Text is for a person.
	Text string
}

// Error implements error.
func (e *Error) Error() string { return e.Text }
