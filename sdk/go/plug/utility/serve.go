package utility

import (
	"context"
	"errors"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/grpc"
)

// Env is what the services need of the plug around them.
type Env struct {
	// Call runs an author's method, with a context that also ends at Stop, contains its
	// panics, and answers with a gRPC status: of its own if the plug is not started, else
	// Status of the error that the method gave.
	Call func(ctx context.Context, method string, call func(ctx context.Context) error) error
	// SetChannels is Channels.SetChannels; nil if the plug does not implement it.
	SetChannels func(ctx context.Context, sources []string) ([]*plugv1.ChannelStatus, error)
}

// Services gives the full names of the services that a Plug has something of.
func Services(plug any, setsChannels bool) []string {
	var names []string
	switch plug.(type) {
	case UserGetter, UsernameGetter, SelfKnower:
		names = append(names, plugv1.Users_ServiceDesc.ServiceName)
	}
	switch plug.(type) {
	case ChannelLister, ChannelGetter, DirectChannelGetter, MemberLister, AdminLister, ChannelRenamer, Inviter, Remover, InviteLinker:
		setsChannels = true
	}
	if setsChannels {
		names = append(names, plugv1.Channels_ServiceDesc.ServiceName)
	}
	switch plug.(type) {
	case MessageLister, MessageGetter, OperationFinder:
		names = append(names, plugv1.History_ServiceDesc.ServiceName)
	}
	return names
}

// Register registers the services that a Plug has something of. A call that it does
// not implement answers UNIMPLEMENTED.
func Register(g grpc.ServiceRegistrar, plug any, env Env) {
	for _, name := range Services(plug, env.SetChannels != nil) {
		switch name {
		case plugv1.Users_ServiceDesc.ServiceName:
			plugv1.RegisterUsersServer(g, &users{plug: plug, env: env})
		case plugv1.Channels_ServiceDesc.ServiceName:
			plugv1.RegisterChannelsServer(g, &channels{plug: plug, env: env})
		case plugv1.History_ServiceDesc.ServiceName:
			plugv1.RegisterHistoryServer(g, &history{plug: plug, env: env})
		}
	}
}

// with calls a method of an optional interface, if the plug has it.
func with[I any](ctx context.Context, plug any, env Env, method string, call func(ctx context.Context, implemented I) error) error {
	implemented, ok := plug.(I)
	if !ok {
		return Status(errors.ErrUnsupported)
	}
	return env.Call(ctx, method, func(ctx context.Context) error { return call(ctx, implemented) })
}

// found makes NotFound of an author's nil without an error.
func found(err error, missing bool) error {
	if err == nil && missing {
		return NotFound(nil)
	}
	return err
}

type users struct {
	plugv1.UnimplementedUsersServer
	plug any
	env  Env
}

func (s *users) GetUser(ctx context.Context, req *plugv1.GetUserRequest) (*plugv1.GetUserResponse, error) {
	resp := &plugv1.GetUserResponse{}
	return resp, with(ctx, s.plug, s.env, "GetUser", func(ctx context.Context, p UserGetter) (err error) {
		resp.User, err = p.GetUser(ctx, req.GetId())
		return found(err, resp.User == nil)
	})
}

func (s *users) GetUserByUsername(ctx context.Context, req *plugv1.GetUserByUsernameRequest) (*plugv1.GetUserByUsernameResponse, error) {
	resp := &plugv1.GetUserByUsernameResponse{}
	return resp, with(ctx, s.plug, s.env, "GetUserByUsername", func(ctx context.Context, p UsernameGetter) (err error) {
		resp.User, err = p.GetUserByUsername(ctx, req.GetUsername())
		return found(err, resp.User == nil)
	})
}

func (s *users) IsSelf(ctx context.Context, req *plugv1.IsSelfRequest) (*plugv1.IsSelfResponse, error) {
	resp := &plugv1.IsSelfResponse{}
	return resp, with(ctx, s.plug, s.env, "IsSelf", func(ctx context.Context, p SelfKnower) (err error) {
		resp.IsSelf, err = p.IsSelf(ctx, req.GetUser())
		return err
	})
}
