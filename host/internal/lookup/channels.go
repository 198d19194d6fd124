package lookup

import (
	"context"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// channels implements hook.Channels.
type channels struct {
	*Lookups
	plug id.InstanceName
}

// ask makes a call about one channel, with its canonical source.
func ask[A any](c *channels, source id.ChannelSource, do func(c plugv1.ChannelsClient, source string) (A, error)) (A, error) {
	if err := required(source != "", "the channel has no source"); err != nil {
		var none A
		return none, err
	}
	canonical := c.Plugs.Canonical(hook.Channel{Plug: c.plug, Source: source})
	return call(c.Lookups, c.plug, Link.Channels, func(client plugv1.ChannelsClient) (A, error) {
		return do(client, string(canonical.Source))
	})
}

func (c *channels) List(ctx context.Context, private bool, contains string, limit int) ([]*plugv1.Channel, error) {
	a, err := call(c.Lookups, c.plug, Link.Channels, func(client plugv1.ChannelsClient) (*plugv1.ListChannelsResponse, error) {
		return client.ListChannels(ctx, &plugv1.ListChannelsRequest{Private: private, Contains: contains, Limit: uint32(max(0, limit))})
	})
	return a.GetChannels(), err
}

func (c *channels) Direct(ctx context.Context, user *plugv1.User) (*plugv1.Channel, error) {
	if err := named(user); err != nil {
		return nil, err
	}
	a, err := call(c.Lookups, c.plug, Link.Channels, func(client plugv1.ChannelsClient) (*plugv1.GetDirectChannelResponse, error) {
		return client.GetDirectChannel(ctx, &plugv1.GetDirectChannelRequest{User: user})
	})
	return a.GetChannel(), err
}

func (c *channels) Get(ctx context.Context, source id.ChannelSource) (*plugv1.Channel, error) {
	a, err := ask(c, source, func(client plugv1.ChannelsClient, source string) (*plugv1.GetChannelResponse, error) {
		return client.GetChannel(ctx, &plugv1.GetChannelRequest{Source: source})
	})
	return a.GetChannel(), err
}

func (c *channels) Members(ctx context.Context, source id.ChannelSource) ([]*plugv1.User, error) {
	a, err := ask(c, source, func(client plugv1.ChannelsClient, source string) (*plugv1.ListMembersResponse, error) {
		return client.ListMembers(ctx, &plugv1.ListMembersRequest{Source: source})
	})
	return a.GetUsers(), err
}

func (c *channels) Admins(ctx context.Context, source id.ChannelSource) ([]*plugv1.User, error) {
	a, err := ask(c, source, func(client plugv1.ChannelsClient, source string) (*plugv1.ListAdminsResponse, error) {
		return client.ListAdmins(ctx, &plugv1.ListAdminsRequest{Source: source})
	})
	return a.GetUsers(), err
}

func (c *channels) Rename(ctx context.Context, source id.ChannelSource, title string) error {
	_, err := ask(c, source, func(client plugv1.ChannelsClient, source string) (*plugv1.RenameChannelResponse, error) {
		return client.RenameChannel(ctx, &plugv1.RenameChannelRequest{Source: source, Title: title})
	})
	return err
}

func (c *channels) Invite(ctx context.Context, source id.ChannelSource, users ...*plugv1.User) error {
	if err := allNamed(users); err != nil {
		return err
	}
	_, err := ask(c, source, func(client plugv1.ChannelsClient, source string) (*plugv1.InviteMembersResponse, error) {
		return client.InviteMembers(ctx, &plugv1.InviteMembersRequest{Source: source, Users: users})
	})
	return err
}

func (c *channels) Remove(ctx context.Context, source id.ChannelSource, users ...*plugv1.User) error {
	if err := allNamed(users); err != nil {
		return err
	}
	_, err := ask(c, source, func(client plugv1.ChannelsClient, source string) (*plugv1.RemoveMembersResponse, error) {
		return client.RemoveMembers(ctx, &plugv1.RemoveMembersRequest{Source: source, Users: users})
	})
	return err
}

func (c *channels) CreateInviteLink(ctx context.Context, source id.ChannelSource) (string, error) {
	a, err := ask(c, source, func(client plugv1.ChannelsClient, source string) (*plugv1.CreateInviteLinkResponse, error) {
		return client.CreateInviteLink(ctx, &plugv1.CreateInviteLinkRequest{Source: source})
	})
	return a.GetLink(), err
}

func (c *channels) RevokeInviteLink(ctx context.Context, source id.ChannelSource, link string) error {
	if err := required(link != "", "the address is empty"); err != nil {
		return err
	}
	_, err := ask(c, source, func(client plugv1.ChannelsClient, source string) (*plugv1.RevokeInviteLinkResponse, error) {
		return client.RevokeInviteLink(ctx, &plugv1.RevokeInviteLinkRequest{Source: source, Link: link})
	})
	return err
}
