package plug

import (
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// The constructors below make the events of each kind with what every one of them
// needs; the caller adds what else the network tells: author and actor, time, event
// id, the fields of the kind. All take the canonical source of the channel first, then
// the id of the message that it is about, and last whether it was done through this
// plug: that is about who did it, and not about who wrote the message.

// NewEdit makes the event of a message that has a new, plain text. Where the network
// names revisions, the caller sets Edit.Revision.
func NewEdit(channel, id, text string, own plugv1.Own) *plugv1.Event {
	return &plugv1.Event{MessageId: id, Channel: channel, Own: own,
		Kind: &plugv1.Event_Edit{Edit: &plugv1.Edit{Content: &plugv1.Message{Text: NewText(text)}}}}
}

// NewDelete makes the event of a message that is gone.
func NewDelete(channel, id string, own plugv1.Own) *plugv1.Event {
	return &plugv1.Event{MessageId: id, Channel: channel, Own: own,
		Kind: &plugv1.Event_Delete{Delete: &plugv1.Delete{}}}
}

// Emoji makes a reaction of a Unicode emoji.
func Emoji(emoji string) *plugv1.Reaction {
	return &plugv1.Reaction{Key: &plugv1.Reaction_Emoji{Emoji: emoji}}
}

// CustomEmoji makes a reaction of the network's own key of a picture, and of words
// for those who don't see it.
func CustomEmoji(key, name string) *plugv1.Reaction {
	return &plugv1.Reaction{Key: &plugv1.Reaction_Custom{Custom: key}, Name: name}
}

// NewReactionAdded makes the event of a reaction to a message; the actor is who
// reacted. Where the network gives reactions ids of their own, the caller sets
// ReactionAdded.ReactionId.
func NewReactionAdded(channel, id string, reaction *plugv1.Reaction, own plugv1.Own) *plugv1.Event {
	return &plugv1.Event{MessageId: id, Channel: channel, Own: own,
		Kind: &plugv1.Event_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{Reaction: reaction}}}
}

// NewReactionRemoved makes the event of a reaction that was taken back. Where the
// network tells only the reaction's own id, id is empty, reaction is nil, and the
// caller sets ReactionRemoved.ReactionId.
func NewReactionRemoved(channel, id string, reaction *plugv1.Reaction, own plugv1.Own) *plugv1.Event {
	return &plugv1.Event{MessageId: id, Channel: channel, Own: own,
		Kind: &plugv1.Event_ReactionRemoved{ReactionRemoved: &plugv1.ReactionRemoved{Reaction: reaction}}}
}

// NewReactionsSet makes the event of an actor's whole set of reactions to a message,
// where the network tells nothing smaller.
func NewReactionsSet(channel, id string, reactions []*plugv1.Reaction, own plugv1.Own) *plugv1.Event {
	return &plugv1.Event{MessageId: id, Channel: channel, Own: own,
		Kind: &plugv1.Event_ReactionsSet{ReactionsSet: &plugv1.ReactionsSet{Reactions: reactions}}}
}

// NewMembersJoined makes the event of users who came into a channel.
func NewMembersJoined(channel string, users []*plugv1.User, own plugv1.Own) *plugv1.Event {
	return &plugv1.Event{Channel: channel, Own: own,
		Kind: &plugv1.Event_MembersJoined{MembersJoined: &plugv1.MembersJoined{Users: users}}}
}

// NewMembersLeft makes the event of users who left a channel, with the network's
// words for why.
func NewMembersLeft(channel string, users []*plugv1.User, reason string, own plugv1.Own) *plugv1.Event {
	return &plugv1.Event{Channel: channel, Own: own,
		Kind: &plugv1.Event_MembersLeft{MembersLeft: &plugv1.MembersLeft{Users: users, Reason: reason}}}
}

// NewTitleChanged makes the event of a channel that has a new title.
func NewTitleChanged(channel, title string, own plugv1.Own) *plugv1.Event {
	return &plugv1.Event{Channel: channel, Own: own,
		Kind: &plugv1.Event_ChannelChanged{ChannelChanged: &plugv1.ChannelChanged{Title: &title}}}
}

// NewTopicChanged makes the event of a channel that has a new topic.
func NewTopicChanged(channel, topic string, own plugv1.Own) *plugv1.Event {
	return &plugv1.Event{Channel: channel, Own: own,
		Kind: &plugv1.Event_ChannelChanged{ChannelChanged: &plugv1.ChannelChanged{Topic: &topic}}}
}

// NewChannelMigrated makes the event of a channel that goes on under another source.
func NewChannelMigrated(channel, to string) *plugv1.Event {
	return &plugv1.Event{Channel: channel, Own: plugv1.Own_OWN_NO,
		Kind: &plugv1.Event_ChannelMigrated{ChannelMigrated: &plugv1.ChannelMigrated{To: to}}}
}

// NewChannelState makes the event of a channel that can be used from now, or no
// longer; reason says why, and what a person can do.
func NewChannelState(channel string, state plugv1.ChannelState, reason string) *plugv1.Event {
	return &plugv1.Event{Channel: channel, Own: plugv1.Own_OWN_NO,
		Kind: &plugv1.Event_ChannelStateChanged{ChannelStateChanged: &plugv1.ChannelStateChanged{State: state, Reason: reason}}}
}

// NewTyping makes the event of somebody who is writing, or has stopped. It is best
// effort (see Queue.Event).
func NewTyping(channel string, actor *plugv1.User, typing bool, own plugv1.Own) *plugv1.Event {
	return &plugv1.Event{Channel: channel, Actor: actor, Own: own,
		Kind: &plugv1.Event_Typing{Typing: &plugv1.Typing{Typing: typing}}}
}

// NewReadMarker makes the event of somebody who has read up to a message. It is best
// effort (see Queue.Event).
func NewReadMarker(channel, id string, actor *plugv1.User, own plugv1.Own) *plugv1.Event {
	return &plugv1.Event{MessageId: id, Channel: channel, Actor: actor, Own: own,
		Kind: &plugv1.Event_ReadMarker{ReadMarker: &plugv1.ReadMarker{}}}
}
