package api

import (
	"context"

	"github.com/plughost/plughost/host/id"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	"github.com/plughost/plughost/proto/plughost/host/v1/hostv1connect"
)

// channels implements ChannelService.
type channels struct{ host Host }

var _ hostv1connect.ChannelServiceHandler = (*channels)(nil)

// ListChannels implements hostv1connect.ChannelServiceHandler.
func (s *channels) ListChannels(ctx context.Context, request *hostv1.ListChannelsRequest) (*hostv1.ListChannelsResponse, error) {
	list, err := s.host.Channels(id.InstanceName(request.Plug)).List(ctx, request.Private, request.Contains, int(request.Limit))
	if err != nil {
		return nil, failure(err)
	}
	return &hostv1.ListChannelsResponse{Channels: list}, nil
}

// GetDirectChannel implements hostv1connect.ChannelServiceHandler.
func (s *channels) GetDirectChannel(ctx context.Context, request *hostv1.GetDirectChannelRequest) (*hostv1.GetDirectChannelResponse, error) {
	channel, err := s.host.Channels(id.InstanceName(request.Plug)).Direct(ctx, request.User)
	if err != nil {
		return nil, failure(err)
	}
	return &hostv1.GetDirectChannelResponse{Channel: channel}, nil
}

// GetChannel implements hostv1connect.ChannelServiceHandler.
func (s *channels) GetChannel(ctx context.Context, request *hostv1.GetChannelRequest) (*hostv1.GetChannelResponse, error) {
	c, err := ParseChannel(request.Channel)
	if err != nil {
		return nil, err
	}
	answer, err := s.host.Channels(c.Plug).Get(ctx, c.Source)
	if err != nil {
		return nil, failure(err)
	}
	return &hostv1.GetChannelResponse{Channel: answer}, nil
}

// ListMembers implements hostv1connect.ChannelServiceHandler.
func (s *channels) ListMembers(ctx context.Context, request *hostv1.ListMembersRequest) (*hostv1.ListMembersResponse, error) {
	c, err := ParseChannel(request.Channel)
	if err != nil {
		return nil, err
	}
	answer, err := s.host.Channels(c.Plug).Members(ctx, c.Source)
	if err != nil {
		return nil, failure(err)
	}
	return &hostv1.ListMembersResponse{Users: answer}, nil
}

// ListAdmins implements hostv1connect.ChannelServiceHandler.
func (s *channels) ListAdmins(ctx context.Context, request *hostv1.ListAdminsRequest) (*hostv1.ListAdminsResponse, error) {
	c, err := ParseChannel(request.Channel)
	if err != nil {
		return nil, err
	}
	answer, err := s.host.Channels(c.Plug).Admins(ctx, c.Source)
	if err != nil {
		return nil, failure(err)
	}
	return &hostv1.ListAdminsResponse{Users: answer}, nil
}

// RenameChannel implements hostv1connect.ChannelServiceHandler.
func (s *channels) RenameChannel(ctx context.Context, request *hostv1.RenameChannelRequest) (*hostv1.RenameChannelResponse, error) {
	c, err := ParseChannel(request.Channel)
	if err != nil {
		return nil, err
	}
	if err := s.host.Channels(c.Plug).Rename(ctx, c.Source, request.Title); err != nil {
		return nil, failure(err)
	}
	return &hostv1.RenameChannelResponse{}, nil
}

// InviteMembers implements hostv1connect.ChannelServiceHandler.
func (s *channels) InviteMembers(ctx context.Context, request *hostv1.InviteMembersRequest) (*hostv1.InviteMembersResponse, error) {
	c, err := ParseChannel(request.Channel)
	if err != nil {
		return nil, err
	}
	if err := s.host.Channels(c.Plug).Invite(ctx, c.Source, request.Users...); err != nil {
		return nil, failure(err)
	}
	return &hostv1.InviteMembersResponse{}, nil
}

// RemoveMembers implements hostv1connect.ChannelServiceHandler.
func (s *channels) RemoveMembers(ctx context.Context, request *hostv1.RemoveMembersRequest) (*hostv1.RemoveMembersResponse, error) {
	c, err := ParseChannel(request.Channel)
	if err != nil {
		return nil, err
	}
	if err := s.host.Channels(c.Plug).Remove(ctx, c.Source, request.Users...); err != nil {
		return nil, failure(err)
	}
	return &hostv1.RemoveMembersResponse{}, nil
}

// CreateInviteLink implements hostv1connect.ChannelServiceHandler.
func (s *channels) CreateInviteLink(ctx context.Context, request *hostv1.CreateInviteLinkRequest) (*hostv1.CreateInviteLinkResponse, error) {
	c, err := ParseChannel(request.Channel)
	if err != nil {
		return nil, err
	}
	answer, err := s.host.Channels(c.Plug).CreateInviteLink(ctx, c.Source)
	if err != nil {
		return nil, failure(err)
	}
	return &hostv1.CreateInviteLinkResponse{Link: answer}, nil
}

// RevokeInviteLink implements hostv1connect.ChannelServiceHandler.
func (s *channels) RevokeInviteLink(ctx context.Context, request *hostv1.RevokeInviteLinkRequest) (*hostv1.RevokeInviteLinkResponse, error) {
	c, err := ParseChannel(request.Channel)
	if err != nil {
		return nil, err
	}
	if err := s.host.Channels(c.Plug).RevokeInviteLink(ctx, c.Source, request.Link); err != nil {
		return nil, failure(err)
	}
	return &hostv1.RevokeInviteLinkResponse{}, nil
}
