package lookup

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Link makes the calls to one live plug. Errors say what happened and what to do.
type Link interface {
	Users() plugv1.UsersClient
	Channels() plugv1.ChannelsClient
	History() plugv1.HistoryClient
}

// Plugs knows the plugs that are up.
type Plugs interface {
	// Link returns the link to a plug that is up. Its error says why there is none.
	Link(plug id.InstanceName) (Link, error)
	// Canonical gives a channel of the config its canonical source, as it is now.
	Canonical(c hook.Channel) hook.Channel
	// Delivery joins an event of a plug with what the host knows of it.
	Delivery(ctx context.Context, plug id.InstanceName, e *plugv1.Event) (*hook.Delivery, error)
}

// Lookups asks plugs. Safe for concurrent use.
type Lookups struct {
	Plugs Plugs
	// Error makes a *hook.Error of a link's.
	Error func(error) error
}

// Users, Channels and History are those of one plug.
func (l *Lookups) Users(plug id.InstanceName) hook.Users       { return &users{l, plug} }
func (l *Lookups) Channels(plug id.InstanceName) hook.Channels { return &channels{l, plug} }
func (l *Lookups) History(plug id.InstanceName) hook.History   { return &history{l, plug} }

// call makes one call to a live plug.
func call[C, A any](l *Lookups, plug id.InstanceName, client func(Link) C, do func(C) (A, error)) (A, error) {
	var none A
	link, err := l.Plugs.Link(plug)
	if err != nil {
		return none, l.Error(err)
	}
	answer, err := do(client(link))
	if err != nil {
		return none, l.Error(err)
	}
	return answer, nil
}

// required refuses a request without what it is about.
func required(ok bool, what string) error {
	if ok {
		return nil
	}
	return &hook.Error{Code: codes.InvalidArgument, Text: what}
}

func named(u *plugv1.User) error {
	return required(u.GetId() != "" || u.GetUsername() != "", "the user has neither id nor username; give one of them")
}

func allNamed(users []*plugv1.User) error {
	err := required(len(users) > 0, "there are no users; name at least one")
	for _, u := range users {
		err = errors.Join(err, named(u))
	}
	return first(err)
}

// first undoes a join of errors.
func first(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}
