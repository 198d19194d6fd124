package contract

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const (
	// maxAttachments is the most attachments of a message.
	maxAttachments = 32
	// maxLinkBytes is the longest address of a link.
	maxLinkBytes = 2 << 10
	// maxSpoolName is the longest name of a file in a spool, in bytes.
	maxSpoolName = 255
)

// checkKind refuses an event whose kind lacks what it needs.
func checkKind(e *plugv1.Event, refuse Refuse) error {
	switch k := e.Kind.(type) {
	case *plugv1.Event_Message:
		return first(needsMessage(e, "a message"), checkMessage(k.Message, refuse))
	case *plugv1.Event_Edit:
		if k.Edit.Content == nil {
			return errors.New("an edit has no content")
		}
		return first(needsMessage(e, "an edit"), optionalID("revision", k.Edit.Revision), checkMessage(k.Edit.Content, refuse))
	case *plugv1.Event_Delete:
		k.Delete.Reason = CleanLine(k.Delete.Reason)
		return needsMessage(e, "a delete")
	case *plugv1.Event_ReactionAdded:
		return first(needsMessage(e, "a reaction"), optionalID("reaction_id", k.ReactionAdded.ReactionId), checkReaction(k.ReactionAdded.Reaction))
	case *plugv1.Event_ReactionRemoved:
		r := k.ReactionRemoved
		if r.ReactionId != "" && (e.MessageId == "" || r.Reaction == nil) {
			return optionalID("reaction_id", r.ReactionId) // the rest is found by it
		}
		return first(needsMessage(e, "a removed reaction"), checkReaction(r.Reaction))
	case *plugv1.Event_ReactionsSet:
		k.ReactionsSet.Added, k.ReactionsSet.Removed = nil, nil
		for _, r := range k.ReactionsSet.Reactions {
			if err := checkReaction(r); err != nil {
				return err
			}
		}
		return needsMessage(e, "a set of reactions")
	case *plugv1.Event_MembersJoined:
		return checkUsers(k.MembersJoined.Users)
	case *plugv1.Event_MembersLeft:
		k.MembersLeft.Reason = CleanLine(k.MembersLeft.Reason)
		return checkUsers(k.MembersLeft.Users)
	case *plugv1.Event_ChannelMigrated:
		return RequiredID("the source that a channel migrates to", k.ChannelMigrated.To)
	case *plugv1.Event_ChannelStateChanged:
		if _, known := plugv1.ChannelState_name[int32(k.ChannelStateChanged.State)]; !known {
			k.ChannelStateChanged.State = plugv1.ChannelState_CHANNEL_STATE_UNSPECIFIED
		}
		k.ChannelStateChanged.Reason = CleanLine(k.ChannelStateChanged.Reason)
	case *plugv1.Event_ReadMarker:
		return needsMessage(e, "a read marker")
	}
	return nil
}

func needsMessage(e *plugv1.Event, what string) error {
	if e.MessageId == "" {
		return fmt.Errorf("message_id is empty, and %s needs one", what)
	}
	return nil
}

// checkMessage refuses content that cannot be kept. An attachment that can't be
// read is taken out, the rest of the message lives.
func checkMessage(m *plugv1.Message, refuse Refuse) error {
	if r := m.GetReplyTo(); r != nil {
		r.Target = nil // an action's
		if err := optionalID("reply_to.message_id", r.MessageId); err != nil {
			return err
		}
	}
	m.Attachments = keep("attachment", m.GetAttachments(), refuse, checkAttachment)
	if n := len(m.Attachments); n > maxAttachments {
		refuse("attachment", fmt.Errorf("there are %d, allowed are %d", n, maxAttachments))
		m.Attachments = m.Attachments[:maxAttachments]
	}
	return nil
}

func checkAttachment(a *plugv1.Attachment) error {
	f := a.GetFile()
	if f == nil {
		return nil
	}
	f.Unavailable = CleanLine(f.Unavailable)
	if f.Url != "" && !publicAddress(f.Url) {
		f.Url = ""
	}
	return checkSpoolFile(f.Spool)
}

// checkSpoolFile accepts a bare name. What only the host may say is taken out.
func checkSpoolFile(f *plugv1.SpoolFile) error {
	if f == nil {
		return nil
	}
	f.Sha256, f.Size = nil, 0
	if f.Name == "" || strings.HasPrefix(f.Name, ".") || strings.ContainsAny(f.Name, "/\x00") {
		return errors.New("the name of its spool file is not a bare name")
	}
	return atMost("the name of its spool file", len(f.Name), maxSpoolName)
}

// publicAddress accepts http and https without credentials.
func publicAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxLinkBytes && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

func checkReaction(r *plugv1.Reaction) error {
	switch k := r.GetKey().(type) {
	case *plugv1.Reaction_Emoji:
		return RequiredID("the emoji of a reaction", k.Emoji)
	case *plugv1.Reaction_Custom:
		return RequiredID("the key of a reaction", k.Custom)
	}
	return errors.New("a reaction has neither emoji nor custom key")
}

func checkUsers(users []*plugv1.User) error {
	for _, u := range users {
		if err := checkUser("user", u); err != nil {
			return err
		}
	}
	return nil
}

// checkUser refuses a user who can't be kept. A picture that can't be read is
// taken out.
func checkUser(name string, u *plugv1.User) error {
	if u == nil {
		return nil
	}
	if a := u.Avatar; a != nil && (RequiredID("hash", a.Hash) != nil || checkSpoolFile(a.File) != nil) {
		u.Avatar = nil
	}
	if a := u.Avatar; a != nil && a.Url != "" && !publicAddress(a.Url) {
		a.Url = ""
	}
	if u.ProfileLink != "" && !publicAddress(u.ProfileLink) {
		u.ProfileLink = ""
	}
	return optionalID(name+".id", u.Id)
}
