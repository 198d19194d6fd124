package contract

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/protobuf/proto"
)

const (
	// maxAttachments is the most attachments of a message.
	maxAttachments = 32
	// maxSpoolName is the longest name of a file in a spool, in bytes.
	maxSpoolName = 255
)

// ID accepts an id, a source or a scope, also an empty one.
func ID(name, id string) error {
	if len(id) > plugv1.MaxIDBytes {
		return fmt.Errorf("its %s has %d bytes, %d are allowed", name, len(id), plugv1.MaxIDBytes)
	}
	if !utf8.ValidString(id) {
		return fmt.Errorf("its %s is not valid UTF-8: %q", name, id)
	}
	return nil
}

// Size is the size of m on the wire, or why it can't go there. It encodes m, which
// is the one way to find a string of invalid UTF-8 wherever it stands.
func Size(m proto.Message) (int, error) {
	b, err := proto.Marshal(m)
	if err != nil {
		return 0, fmt.Errorf("encode it: %w", err)
	}
	if len(b) > plugv1.MaxEventBytes {
		return 0, fmt.Errorf("it has %d bytes, %d are allowed", len(b), plugv1.MaxEventBytes)
	}
	return len(b), nil
}

// Receipt finds what would keep a receipt from the host.
func Receipt(r *plugv1.Receipt) error {
	if r.GetId() == "" {
		return errors.New("the plug gave no receipt")
	}
	err := first(
		ID("receipt's id", r.GetId()),
		ID("receipt's channel", r.GetChannel()),
		ID("receipt's revision", r.GetRevision()),
		ids("receipt's alias", r.GetAliases()),
		reference(r.GetReference()),
	)
	if err != nil {
		return err
	}
	_, err = Size(r)
	return err
}

// SpoolName accepts the bare name of a file in a spool.
func SpoolName(name string) error {
	if name == "" || len(name) > maxSpoolName || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\x00") || !utf8.ValidString(name) {
		return fmt.Errorf("%q is not the bare name of a file in the spool", name)
	}
	return nil
}

// BestEffort tells whether an event is of a kind that is never kept.
func BestEffort(e *plugv1.Event) bool { return e.GetTyping() != nil || e.GetReadMarker() != nil }

// Event makes an event ready for the host: what people wrote becomes valid UTF-8, an
// id is derived where there is none (see EventID). It gives the event's size on the
// wire, or why it can't go there. An event of a kind that this package does not know
// needs a channel only.
func Event(e *plugv1.Event) (size int, err error) {
	if e == nil {
		return 0, errors.New("it is nil")
	}
	if k := e.ProtoReflect().WhichOneof(e.ProtoReflect().Descriptor().Oneofs().ByName("kind")); k != nil && !e.ProtoReflect().Get(k).Message().IsValid() {
		return 0, fmt.Errorf("its %s is nil", k.Name())
	}
	normalise(e)
	if e.GetEventId() == "" {
		e.EventId = EventID(e)
	}
	if err := check(e); err != nil {
		return 0, err
	}
	return Size(e)
}

func check(e *plugv1.Event) error {
	if e.GetChannel() == "" {
		return errors.New("it has no channel: a network without channels uses one constant source")
	}
	return first(
		ID("channel", e.GetChannel()),
		ID("message id", e.GetMessageId()),
		ID("event id", e.GetEventId()),
		ID("operation id", e.GetOperationId()),
		ID("thread", e.GetThread()),
		ids("alias", e.GetAliases()),
		user("author", e.GetAuthor()),
		user("actor", e.GetActor()),
		reference(e.GetReference()),
		kind(e),
	)
}

func kind(e *plugv1.Event) error {
	switch k := e.GetKind().(type) {
	case *plugv1.Event_Message:
		return first(needsMessage(e, "a message"), message(k.Message))
	case *plugv1.Event_Edit:
		if k.Edit.GetContent() == nil {
			return errors.New("an edit needs its content")
		}
		return first(needsMessage(e, "an edit"), ID("revision", k.Edit.GetRevision()), message(k.Edit.GetContent()))
	case *plugv1.Event_Delete:
		return needsMessage(e, "a delete")
	case *plugv1.Event_ReactionAdded:
		r := k.ReactionAdded
		return first(needsMessage(e, "a reaction"), ID("reaction id", r.GetReactionId()), reaction(r.GetReaction()))
	case *plugv1.Event_ReactionRemoved:
		r := k.ReactionRemoved
		if r.GetReactionId() != "" && (e.GetMessageId() == "" || r.GetReaction() == nil) {
			return ID("reaction id", r.GetReactionId()) // the host finds the rest by it
		}
		return first(needsMessage(e, "a reaction"), ID("reaction id", r.GetReactionId()), reaction(r.GetReaction()))
	case *plugv1.Event_ReactionsSet:
		err := needsMessage(e, "a set of reactions")
		for _, r := range k.ReactionsSet.GetReactions() {
			err = first(err, reaction(r))
		}
		return err
	case *plugv1.Event_MembersJoined:
		return users(k.MembersJoined.GetUsers())
	case *plugv1.Event_MembersLeft:
		return users(k.MembersLeft.GetUsers())
	case *plugv1.Event_ChannelChanged:
		if k.ChannelChanged.Title == nil && k.ChannelChanged.Topic == nil {
			return errors.New("a changed channel needs its new title or topic")
		}
	case *plugv1.Event_ChannelMigrated:
		if k.ChannelMigrated.GetTo() == "" {
			return errors.New("a migrated channel needs its new source")
		}
		return ID("new source", k.ChannelMigrated.GetTo())
	case *plugv1.Event_ChannelStateChanged:
		if k.ChannelStateChanged.GetState() == plugv1.ChannelState_CHANNEL_STATE_UNSPECIFIED {
			return errors.New("a channel's state needs to be named")
		}
	case *plugv1.Event_ReadMarker:
		return needsMessage(e, "a read marker")
	}
	return nil
}

func needsMessage(e *plugv1.Event, what string) error {
	if e.GetMessageId() == "" {
		return errors.New(what + " needs a message id")
	}
	return nil
}

func message(m *plugv1.Message) error {
	if n := len(m.GetAttachments()); n > maxAttachments {
		return fmt.Errorf("it has %d attachments, %d are allowed", n, maxAttachments)
	}
	for _, a := range m.GetAttachments() {
		if spool := a.GetFile().GetSpool(); spool != nil {
			if err := SpoolName(spool.GetName()); err != nil {
				return err
			}
		}
	}
	r := m.GetReplyTo()
	if r == nil {
		return nil
	}
	if r.GetMessageId() == "" {
		return errors.New("a reply needs the id of the message that it answers")
	}
	return first(ID("reply's message id", r.GetMessageId()), user("reply's author", r.GetAuthor()))
}

func reaction(r *plugv1.Reaction) error {
	key := r.GetEmoji() + r.GetCustom()
	if key == "" {
		return errors.New("a reaction needs an emoji or a key of its own")
	}
	return ID("reaction", key)
}

func users(list []*plugv1.User) error {
	if len(list) == 0 {
		return errors.New("members that come or go need to be named")
	}
	for _, u := range list {
		if err := user("user", u); err != nil {
			return err
		}
	}
	return nil
}

func user(name string, u *plugv1.User) error {
	if file := u.GetAvatar().GetFile(); file != nil {
		if err := SpoolName(file.GetName()); err != nil {
			return err
		}
	}
	return first(ID(name+"'s id", u.GetId()), ID(name+"'s avatar's hash", u.GetAvatar().GetHash()))
}

func ids(name string, list []string) error {
	for _, id := range list {
		if err := ID(name, id); err != nil {
			return err
		}
	}
	return nil
}

func reference(b []byte) error {
	if len(b) > plugv1.MaxReferenceBytes {
		return fmt.Errorf("its reference has %d bytes, %d are allowed", len(b), plugv1.MaxReferenceBytes)
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
