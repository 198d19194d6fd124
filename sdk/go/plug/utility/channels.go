package utility

import (
	"context"
	"errors"
	"strings"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// defaultLimit is the length of a list where the host names none.
const defaultLimit = 100

func limitOf(n uint32) int {
	if n == 0 {
		return defaultLimit
	}
	return int(n)
}

type channels struct {
	plugv1.UnimplementedChannelsServer
	plug any
	env  Env
}

func (s *channels) SetChannels(ctx context.Context, req *plugv1.SetChannelsRequest) (*plugv1.SetChannelsResponse, error) {
	if s.env.SetChannels == nil {
		return nil, Status(errors.ErrUnsupported)
	}
	states, err := s.env.SetChannels(ctx, req.GetSources())
	return &plugv1.SetChannelsResponse{Channels: states}, err
}

func (s *channels) ListChannels(ctx context.Context, req *plugv1.ListChannelsRequest) (*plugv1.ListChannelsResponse, error) {
	resp := &plugv1.ListChannelsResponse{}
	return resp, with(ctx, s.plug, s.env, "ListChannels", func(ctx context.Context, p ChannelLister) error {
		limit := limitOf(req.GetLimit())
		list, err := p.ListChannels(ctx, req.GetPrivate(), req.GetContains(), limit)
		for _, c := range list {
			if len(resp.Channels) < limit && c.GetPrivate() == req.GetPrivate() &&
				(strings.Contains(c.GetSource(), req.GetContains()) || strings.Contains(c.GetTitle(), req.GetContains())) {
				resp.Channels = append(resp.Channels, c)
			}
		}
		return err
	})
}

func (s *channels) GetChannel(ctx context.Context, req *plugv1.GetChannelRequest) (*plugv1.GetChannelResponse, error) {
	resp := &plugv1.GetChannelResponse{}
	return resp, with(ctx, s.plug, s.env, "GetChannel", func(ctx context.Context, p ChannelGetter) (err error) {
		resp.Channel, err = p.GetChannel(ctx, req.GetSource())
		return found(err, resp.Channel == nil)
	})
}

func (s *channels) GetDirectChannel(ctx context.Context, req *plugv1.GetDirectChannelRequest) (*plugv1.GetDirectChannelResponse, error) {
	resp := &plugv1.GetDirectChannelResponse{}
	return resp, with(ctx, s.plug, s.env, "GetDirectChannel", func(ctx context.Context, p DirectChannelGetter) (err error) {
		resp.Channel, err = p.GetDirectChannel(ctx, req.GetUser())
		return found(err, resp.Channel == nil)
	})
}

func (s *channels) ListMembers(ctx context.Context, req *plugv1.ListMembersRequest) (*plugv1.ListMembersResponse, error) {
	resp := &plugv1.ListMembersResponse{}
	return resp, with(ctx, s.plug, s.env, "ListMembers", func(ctx context.Context, p MemberLister) (err error) {
		resp.Users, err = p.ListMembers(ctx, req.GetSource())
		return err
	})
}

func (s *channels) ListAdmins(ctx context.Context, req *plugv1.ListAdminsRequest) (*plugv1.ListAdminsResponse, error) {
	resp := &plugv1.ListAdminsResponse{}
	return resp, with(ctx, s.plug, s.env, "ListAdmins", func(ctx context.Context, p AdminLister) (err error) {
		resp.Users, err = p.ListAdmins(ctx, req.GetSource())
		return err
	})
}

func (s *channels) RenameChannel(ctx context.Context, req *plugv1.RenameChannelRequest) (*plugv1.RenameChannelResponse, error) {
	return &plugv1.RenameChannelResponse{}, with(ctx, s.plug, s.env, "RenameChannel", func(ctx context.Context, p ChannelRenamer) error {
		return p.RenameChannel(ctx, req.GetSource(), req.GetTitle())
	})
}

func (s *channels) InviteMembers(ctx context.Context, req *plugv1.InviteMembersRequest) (*plugv1.InviteMembersResponse, error) {
	return &plugv1.InviteMembersResponse{}, with(ctx, s.plug, s.env, "InviteMembers", func(ctx context.Context, p Inviter) error {
		return p.InviteMembers(ctx, req.GetSource(), req.GetUsers())
	})
}

func (s *channels) RemoveMembers(ctx context.Context, req *plugv1.RemoveMembersRequest) (*plugv1.RemoveMembersResponse, error) {
	return &plugv1.RemoveMembersResponse{}, with(ctx, s.plug, s.env, "RemoveMembers", func(ctx context.Context, p Remover) error {
		return p.RemoveMembers(ctx, req.GetSource(), req.GetUsers())
	})
}

func (s *channels) CreateInviteLink(ctx context.Context, req *plugv1.CreateInviteLinkRequest) (*plugv1.CreateInviteLinkResponse, error) {
	resp := &plugv1.CreateInviteLinkResponse{}
	return resp, with(ctx, s.plug, s.env, "CreateInviteLink", func(ctx context.Context, p InviteLinker) (err error) {
		resp.Link, err = p.CreateInviteLink(ctx, req.GetSource())
		return err
	})
}

func (s *channels) RevokeInviteLink(ctx context.Context, req *plugv1.RevokeInviteLinkRequest) (*plugv1.RevokeInviteLinkResponse, error) {
	return &plugv1.RevokeInviteLinkResponse{}, with(ctx, s.plug, s.env, "RevokeInviteLink", func(ctx context.Context, p InviteLinker) error {
		return p.RevokeInviteLink(ctx, req.GetSource(), req.GetLink())
	})
}
