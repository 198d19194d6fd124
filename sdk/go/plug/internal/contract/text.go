package contract

import (
	"strings"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// normalise makes valid UTF-8 of everything in an event that people wrote: what is
// not becomes U+FFFD, because one wrong byte would end the stream for all the
// others. Ids, names that address somebody, and addresses are left alone: another
// one in their place would be wrong, so an event is refused for them.
func normalise(e *plugv1.Event) {
	normaliseUser(e.GetAuthor())
	normaliseUser(e.GetActor())
	switch k := e.GetKind().(type) {
	case *plugv1.Event_Message:
		normaliseMessage(k.Message)
	case *plugv1.Event_Edit:
		normaliseMessage(k.Edit.GetContent())
	case *plugv1.Event_Delete:
		valid(&k.Delete.Reason)
	case *plugv1.Event_ReactionAdded:
		normaliseReaction(k.ReactionAdded.GetReaction())
	case *plugv1.Event_ReactionRemoved:
		normaliseReaction(k.ReactionRemoved.GetReaction())
	case *plugv1.Event_ReactionsSet:
		for _, r := range k.ReactionsSet.GetReactions() {
			normaliseReaction(r)
		}
	case *plugv1.Event_MembersJoined:
		normaliseUsers(k.MembersJoined.GetUsers())
	case *plugv1.Event_MembersLeft:
		valid(&k.MembersLeft.Reason)
		normaliseUsers(k.MembersLeft.GetUsers())
	case *plugv1.Event_ChannelChanged:
		valid(k.ChannelChanged.Title)
		valid(k.ChannelChanged.Topic)
	case *plugv1.Event_ChannelStateChanged:
		valid(&k.ChannelStateChanged.Reason)
	}
}

func valid(s *string) {
	if s != nil {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
}

func normaliseMessage(m *plugv1.Message) {
	normaliseText(m.GetText())
	if r := m.GetReplyTo(); r != nil {
		normaliseText(r.GetText())
		normaliseUser(r.GetAuthor())
	}
	for _, a := range m.GetAttachments() {
		if f := a.GetFile(); f != nil {
			valid(&f.Name)
			valid(&f.Unavailable)
			valid(&f.AltText)
		}
		if l := a.GetLocation(); l != nil {
			valid(&l.Name)
		}
	}
}

func normaliseText(t *plugv1.Text) {
	for _, s := range t.GetSegments() {
		if s == nil {
			continue
		}
		valid(&s.Text)
		normaliseUser(s.GetMention().GetUser())
		if s.GetPreformatted() != nil {
			valid(&s.Preformatted.Language)
		}
	}
}

func normaliseReaction(r *plugv1.Reaction) {
	if r != nil {
		valid(&r.Name)
	}
}

func normaliseUsers(users []*plugv1.User) {
	for _, u := range users {
		normaliseUser(u)
	}
}

func normaliseUser(u *plugv1.User) {
	if u != nil {
		valid(&u.DisplayName)
	}
}
