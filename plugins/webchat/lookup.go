package main

import (
	"context"
	"errors"
	"slices"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug/utility"
)

// What can be looked up; each method is an optional call of the contract.
var (
	_ utility.MemberLister  = (*webchat)(nil)
	_ utility.MessageLister = (*webchat)(nil)
	_ utility.MessageGetter = (*webchat)(nil)
)

// ListMembers lists who has the page open in a room.
func (w *webchat) ListMembers(ctx context.Context, source string) (users []*plugv1.User, err error) {
	if !slices.Contains(w.rooms, source) {
		return nil, utility.NotFound(nil)
	}
	members, err := w.store.Members(ctx, source)
	for _, p := range members {
		users = append(users, user(p))
	}
	return users, err
}

// ListMessages gives messages as they stand now: edited ones with their last words,
// and none that was deleted.
func (w *webchat) ListMessages(ctx context.Context, channel string, before *plugv1.Receipt, limit int) (events []*plugv1.Event, err error) {
	messages, err := w.store.Before(ctx, channel, row(before), limit)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		if m.IsDeleted {
			continue
		}
		e, err := w.event(m.Change, inHistory)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// GetMessage looks one up.
func (w *webchat) GetMessage(ctx context.Context, channel string, message *plugv1.Receipt) (*plugv1.Event, error) {
	m, err := w.store.Message(ctx, channel, row(message))
	if errors.Is(err, room.ErrGone) {
		return nil, utility.NotFound(err)
	}
	if err != nil {
		return nil, err
	}
	return w.event(m.Change, inHistory)
}
