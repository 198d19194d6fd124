package lookup

import (
	"context"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// users implements hook.Users.
type users struct {
	*Lookups
	plug id.InstanceName
}

func (u *users) Get(ctx context.Context, userID string) (*plugv1.User, error) {
	if err := required(userID != "", "the user's id is empty"); err != nil {
		return nil, err
	}
	a, err := call(u.Lookups, u.plug, Link.Users, func(c plugv1.UsersClient) (*plugv1.GetUserResponse, error) {
		return c.GetUser(ctx, &plugv1.GetUserRequest{Id: userID})
	})
	return a.GetUser(), err
}

func (u *users) ByUsername(ctx context.Context, username string) (*plugv1.User, error) {
	if err := required(username != "", "the username is empty"); err != nil {
		return nil, err
	}
	a, err := call(u.Lookups, u.plug, Link.Users, func(c plugv1.UsersClient) (*plugv1.GetUserByUsernameResponse, error) {
		return c.GetUserByUsername(ctx, &plugv1.GetUserByUsernameRequest{Username: username})
	})
	return a.GetUser(), err
}

func (u *users) IsSelf(ctx context.Context, user *plugv1.User) (bool, error) {
	if err := named(user); err != nil {
		return false, err
	}
	a, err := call(u.Lookups, u.plug, Link.Users, func(c plugv1.UsersClient) (*plugv1.IsSelfResponse, error) {
		return c.IsSelf(ctx, &plugv1.IsSelfRequest{User: user})
	})
	return a.GetIsSelf(), err
}

// history implements hook.History.
type history struct {
	*Lookups
	plug id.InstanceName
}

// maxMessages bounds one answer of History.
const maxMessages = 1000

func (h *history) Messages(ctx context.Context, source id.ChannelSource, before *plugv1.Receipt, limit int) ([]*hook.Delivery, error) {
	if err := required(source != "", "the channel has no source"); err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = 100
	}
	limit = min(limit, maxMessages)
	channel := h.Plugs.Canonical(hook.Channel{Plug: h.plug, Source: source})
	a, err := call(h.Lookups, h.plug, Link.History, func(c plugv1.HistoryClient) (*plugv1.ListMessagesResponse, error) {
		return c.ListMessages(ctx, &plugv1.ListMessagesRequest{Channel: string(channel.Source), Before: before, Limit: uint32(limit)})
	})
	if err != nil {
		return nil, err
	}
	events := a.Events[max(0, len(a.Events)-limit):]
	deliveries := make([]*hook.Delivery, len(events))
	for i, e := range events {
		if deliveries[i], err = h.Plugs.Delivery(ctx, h.plug, e); err != nil {
			return nil, h.Error(err)
		}
	}
	return deliveries, nil
}

func (h *history) Message(ctx context.Context, source id.ChannelSource, message *plugv1.Receipt) (*hook.Delivery, error) {
	if err := required(source != "" && (message.GetId() != "" || len(message.GetReference()) > 0), "the channel has no source, or the message neither id nor reference"); err != nil {
		return nil, err
	}
	channel := h.Plugs.Canonical(hook.Channel{Plug: h.plug, Source: source})
	a, err := call(h.Lookups, h.plug, Link.History, func(c plugv1.HistoryClient) (*plugv1.GetMessageResponse, error) {
		return c.GetMessage(ctx, &plugv1.GetMessageRequest{Channel: string(channel.Source), Message: message})
	})
	if err != nil {
		return nil, err
	}
	d, err := h.Plugs.Delivery(ctx, h.plug, a.Event)
	if err != nil {
		return nil, h.Error(err)
	}
	return d, nil
}
