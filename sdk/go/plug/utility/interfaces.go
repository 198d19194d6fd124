package utility

import (
	"context"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// UserGetter is a Plug that can look a user up by the network's id.
type UserGetter interface {
	// GetUser gives the user of an id.
	GetUser(ctx context.Context, id string) (*plugv1.User, error)
}

// UsernameGetter is a Plug that can look a user up by the name by which the network
// addresses people.
type UsernameGetter interface {
	// GetUserByUsername gives the user of a name, as the host writes it.
	GetUserByUsername(ctx context.Context, username string) (*plugv1.User, error)
}

// SelfKnower is a Plug that can tell whether somebody is the plug itself.
type SelfKnower interface {
	// IsSelf tells whether a user, of whom id or username is set, is the plug's own
	// account, webhook or puppet.
	IsSelf(ctx context.Context, user *plugv1.User) (bool, error)
}

// ChannelLister is a Plug that can list channels which could be used.
type ChannelLister interface {
	// ListChannels gives the channels that are not open to everybody, or the public
	// ones. It may give more than is wanted: what doesn't have contains in its source
	// or title, and what is over limit, is left out for it.
	ListChannels(ctx context.Context, private bool, contains string, limit int) ([]*plugv1.Channel, error)
}

// ChannelGetter is a Plug that can describe a channel.
type ChannelGetter interface {
	// GetChannel describes a channel.
	GetChannel(ctx context.Context, source string) (*plugv1.Channel, error)
}

// DirectChannelGetter is a Plug that can speak to one user alone.
type DirectChannelGetter interface {
	// GetDirectChannel gives the channel for a user, of whom id or username is set, and
	// makes it if need be.
	GetDirectChannel(ctx context.Context, user *plugv1.User) (*plugv1.Channel, error)
}

// MemberLister is a Plug that knows who is in a channel.
type MemberLister interface {
	// ListMembers lists who is in a channel.
	ListMembers(ctx context.Context, source string) ([]*plugv1.User, error)
}

// AdminLister is a Plug that knows who may change a channel.
type AdminLister interface {
	// ListAdmins lists who may change a channel.
	ListAdmins(ctx context.Context, source string) ([]*plugv1.User, error)
}

// ChannelRenamer is a Plug that can give a channel another title.
type ChannelRenamer interface {
	// RenameChannel changes a channel's title.
	RenameChannel(ctx context.Context, source, title string) error
}

// Inviter is a Plug that can ask users into a channel.
type Inviter interface {
	// InviteMembers asks users in, of each of whom id or username is set.
	InviteMembers(ctx context.Context, source string, users []*plugv1.User) error
}

// Remover is a Plug that can put users out of a channel.
type Remover interface {
	// RemoveMembers puts users out, of each of whom id or username is set.
	RemoveMembers(ctx context.Context, source string, users []*plugv1.User) error
}

// InviteLinker is a Plug that can make an address by which people come into a channel.
type InviteLinker interface {
	// CreateInviteLink makes such an address.
	CreateInviteLink(ctx context.Context, source string) (string, error)
	// RevokeInviteLink makes one useless.
	RevokeInviteLink(ctx context.Context, source, link string) error
}

// MessageLister is a Plug whose network keeps messages.
type MessageLister interface {
	// ListMessages gives the messages of a channel before one of them, or if before is
	// nil the newest, oldest first: at most limit. What is over it, or would not fit
	// into an answer, is left out from the oldest on.
	//
	// The events are made as those for the queue; History is set for them.
	ListMessages(ctx context.Context, channel string, before *plugv1.Receipt, limit int) ([]*plugv1.Event, error)
}

// MessageGetter is a Plug that can look one message up.
type MessageGetter interface {
	// GetMessage gives a message, of which id or reference is set. History is set for
	// it.
	GetMessage(ctx context.Context, channel string, message *plugv1.Receipt) (*plugv1.Event, error)
}

// OperationFinder is a Plug that can find out what became of a Put.
type OperationFinder interface {
	// FindOperation gives the parts that an operation of ours made, in order; the part
	// of an operation with a single one has the number 0. None means that there is
	// certainly none: one that may still come, or that can't be seen, is an error.
	FindOperation(ctx context.Context, channel, operationID string) ([]*plugv1.FoundPart, error)
}
