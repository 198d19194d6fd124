package script

import (
	"encoding/json"
	"errors"
)

// Kind is a kind of thing that happens in a channel. Empty is a message.
type Kind string

// Kinds.
const (
	KindMessage Kind = ""
	KindEdit    Kind = "edit"
	KindDelete  Kind = "delete"
	KindReact   Kind = "react"
	KindUnreact Kind = "unreact"
	// KindReactions is somebody's whole set of reactions to a message.
	KindReactions Kind = "reactions"
	KindTyping    Kind = "typing"
	KindRead      Kind = "read"
	KindJoined    Kind = "joined"
	KindLeft      Kind = "left"
	// KindChange changes the channel's title or topic.
	KindChange Kind = "change"
	// KindState changes whether the channel can be used.
	KindState Kind = "state"
	// KindMigrate says that the channel goes on under another name. Unless its members
	// follow, nothing but the word of it happens.
	KindMigrate Kind = "migrate"
)

// Act has somebody do something other than speak. Whoever speaks by a script may do
// it to anybody's message: some networks relay such.
type Act struct {
	Channel string `json:"channel"`
	Kind    Kind   `json:"kind"`
	// ID of the message that it is done to.
	ID string `json:"id,omitempty"`
	// Author and Account are who does it, as with Say.
	Author  string `json:"author,omitempty"`
	Account string `json:"account,omitempty"`
	// Text and Rich are what an edited message says from now, as with Say; Text is also
	// why a message is deleted, a user left, or a channel has another state.
	Text string          `json:"text,omitempty"`
	Rich json.RawMessage `json:"rich,omitempty"`
	// Moderation marks an edit or delete by somebody who may.
	Moderation bool `json:"moderation,omitempty"`
	// Reaction is what is felt, Reactions the whole set. One of several letters is the
	// network's own key of a picture.
	Reaction  string   `json:"reaction,omitempty"`
	Reactions []string `json:"reactions,omitempty"`
	// Stopped: no more typing.
	Stopped bool `json:"stopped,omitempty"`
	// Users who joined or left.
	Users []string `json:"users,omitempty"`
	Title *string  `json:"title,omitempty"`
	Topic *string  `json:"topic,omitempty"`
	State State    `json:"state,omitempty"`
	// To is where the channel migrates. Follow: its members go along, and it takes nothing
	// more; who logs in to it is still shown what was said there, and then to the other.
	To          string `json:"to,omitempty"`
	Follow      bool   `json:"follow,omitempty"`
	OperationID string `json:"operation_id,omitempty"`
	Own         Own    `json:"own,omitempty"`
}

func (a *Act) validate() error {
	err := join(
		need("channel", a.Channel), need("kind", string(a.Kind)),
		oneOf("kind", a.Kind, KindEdit, KindDelete, KindReact, KindUnreact, KindReactions, KindTyping, KindRead,
			KindJoined, KindLeft, KindChange, KindState, KindMigrate),
		oneOf("state", a.State, StateJoined, StatePending, StateReadOnly, StateDenied, StateNotFound),
		oneOf("own", a.Own, OwnNo, OwnYes, OwnUnknown, OwnMissing),
	)
	switch a.Kind {
	case KindEdit, KindDelete, KindReactions, KindRead:
		err = join(err, need("id", a.ID))
	case KindReact, KindUnreact:
		err = join(err, need("id", a.ID), need("reaction", a.Reaction))
	case KindJoined, KindLeft:
		if len(a.Users) == 0 {
			err = join(err, errors.New(`"users" is missing`))
		}
	case KindState:
		err = join(err, need("state", string(a.State)))
	case KindMigrate:
		err = join(err, need("to", a.To))
	}
	return err
}

// Ability is something that a network may lack.
type Ability string

// Abilities: actions, and what a message may have.
const (
	CanEdit   Ability = "edit"
	CanDelete Ability = "delete"
	CanReact  Ability = "react"
	CanType   Ability = "typing"
	CanRead   Ability = "read"
	CanChange Ability = "change"

	CanReply   Ability = "reply"
	CanThread  Ability = "thread"
	CanFormat  Ability = "formatting"
	CanMention Ability = "mention"
	CanLocate  Ability = "location"
	CanEmote   Ability = "emote"
)

// ReactionStyle is how a network tells and takes reactions.
type ReactionStyle string

// Styles of reactions.
const (
	// ReactionsOne tells what is added and what is removed.
	ReactionsOne ReactionStyle = "one"
	// ReactionsByID removes a reaction by the id that it had when it was added, and
	// tells nothing else of it.
	ReactionsByID ReactionStyle = "by_id"
	// ReactionsWhole tells and takes somebody's whole set.
	ReactionsWhole ReactionStyle = "whole"
)
