package conversation

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/hook"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// edited marks an edit that is sent as a new message.
const edited = "(edited) "

// message bridges a new message.
func (h *Hook) message(ctx context.Context, d *hook.Delivery, m *plugv1.Message) (sends []hook.Send) {
	h.recent.add(d, m)
	if blank(m.Text) && len(m.Attachments) == 0 {
		return nil
	}
	h.others(d, func(_ *Conversation, to Member) {
		made := h.content(ctx, d, m, to, to.MassMentions)
		send := hook.Send{Channel: to.Channel, Thread: d.Thread, CatchUp: to.CatchUp, Action: &plugv1.Action{
			Author: author(d, to, d.Event.Author), Kind: &plugv1.Action_Message{Message: made},
		}}
		if m.ReplyTo != nil {
			send.ReplyTo = d.About
			if quoted := h.quoted(d, made); quoted != nil {
				send.Fallback = &plugv1.Action{Author: send.Action.Author, Kind: &plugv1.Action_Message{Message: quoted}}
			}
		}
		h.show(ctx, d, to, send.Action.Author)
		sends = append(sends, send)
	})
	return sends
}

// edit bridges new content to wherever the message has gone. Only where it was written
// can it be edited: our copies are ours.
func (h *Hook) edit(ctx context.Context, d *hook.Delivery, e *plugv1.Edit) (sends []hook.Send) {
	if !here(d) || blank(e.Content.GetText()) && len(e.Content.GetAttachments()) == 0 {
		return nil
	}
	h.recent.add(d, e.Content)
	h.others(d, func(_ *Conversation, to Member) {
		content := h.content(ctx, d, e.Content, to, false) // nobody is called by an edit
		content.ReplyTo = nil                              // the edited message answers what it did
		again := proto.CloneOf(content)
		again.Text = before(again.Text, &plugv1.Segment{Text: edited})
		by := author(d, to, d.Event.Author)
		if d.Event.Author == nil {
			by = author(d, to, d.Event.Actor)
		}
		sends = append(sends, hook.Send{
			Channel: to.Channel, Target: d.About, Thread: d.Thread, ActorID: d.Event.Actor.GetId(), Moderation: e.Moderation, CatchUp: to.CatchUp,
			Action:   &plugv1.Action{Author: by, Kind: &plugv1.Action_Edit{Edit: &plugv1.Edit{Content: content}}},
			Fallback: &plugv1.Action{Author: by, Kind: &plugv1.Action_Message{Message: again}},
		})
	})
	return sends
}

// delete bridges a delete, as far as the conversation lets it.
func (h *Hook) delete(d *hook.Delivery, e *plugv1.Delete) (sends []hook.Send) {
	if d.About == nil {
		return nil
	}
	h.others(d, func(c *Conversation, to Member) {
		if c.Deletes == DeletesNone || c.Deletes == DeletesOrigin && !here(d) {
			return
		}
		sends = append(sends, hook.Send{
			Channel: to.Channel, Target: d.About, ActorID: actor(d).GetId(), Moderation: e.Moderation,
			Action: &plugv1.Action{Author: author(d, to, actor(d)), Kind: &plugv1.Action_Delete{Delete: &plugv1.Delete{Reason: e.Reason}}},
		})
	})
	return sends
}

// react bridges reactions that a Unicode emoji stands for. A custom one is a picture
// that only its own network has.
func (h *Hook) react(d *hook.Delivery, added, removed []*plugv1.Reaction) (sends []hook.Send) {
	if d.About == nil {
		return nil
	}
	h.others(d, func(_ *Conversation, to Member) {
		send := func(a *plugv1.Action) {
			a.Author = author(d, to, actor(d))
			sends = append(sends, hook.Send{Channel: to.Channel, Target: d.About, ActorID: actor(d).GetId(), Action: a})
		}
		for _, r := range removed {
			if r.GetEmoji() != "" {
				send(&plugv1.Action{Kind: &plugv1.Action_ReactionRemoved{ReactionRemoved: &plugv1.ReactionRemoved{Reaction: r}}})
			}
		}
		for _, r := range added {
			if r.GetEmoji() != "" {
				send(&plugv1.Action{Kind: &plugv1.Action_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{Reaction: r}}})
			}
		}
	})
	return sends
}

// content is a message as a member shall get it: whoever is known there is mentioned
// there, everybody else by name only; a mass mention is kept or becomes text.
func (h *Hook) content(ctx context.Context, d *hook.Delivery, m *plugv1.Message, to Member, mass bool) *plugv1.Message {
	made := proto.CloneOf(m)
	for _, s := range made.GetText().GetSegments() {
		if !mass {
			s.MassMention = plugv1.MassMention_MASS_MENTION_UNSPECIFIED
		}
		if s.Mention != nil {
			s.Mention = h.mention(ctx, d, s, to)
		}
	}
	for _, s := range made.GetReplyTo().GetText().GetSegments() { // its author has called them already
		s.Mention, s.MassMention = nil, plugv1.MassMention_MASS_MENTION_UNSPECIFIED
	}
	return made
}

// mention finds the user whom a mention means on the network of a member; nil if they
// are not of it.
func (h *Hook) mention(ctx context.Context, d *hook.Delivery, s *plugv1.Segment, to Member) *plugv1.Mention {
	if h.people == nil {
		return nil
	}
	there := h.people.NetworkOf(to.Channel.Plug)
	if there == d.Network {
		return s.Mention // the same network under another channel
	}
	u := s.Mention.User
	for _, name := range []string{u.GetDisplayName(), u.GetUsername(), s.Text} {
		if name == "" {
			continue
		}
		if of, user, ok := h.people.Who(ctx, d.Network, name); ok && of == there {
			return &plugv1.Mention{User: user}
		}
	}
	return nil
}

// show remembers under which name an author is shown in a member.
func (h *Hook) show(ctx context.Context, d *hook.Delivery, to Member, by *plugv1.Author) {
	if h.people == nil || by.User.GetId() == "" && by.User.GetUsername() == "" {
		return
	}
	if there := h.people.NetworkOf(to.Channel.Plug); there != "" && there != d.Network {
		h.people.Show(ctx, there, by.FormattedName, d.Network, &plugv1.User{
			Id: by.User.Id, Username: by.User.Username, DisplayName: by.User.DisplayName,
		})
	}
}

// before puts a segment in front of a text.
func before(t *plugv1.Text, s *plugv1.Segment) *plugv1.Text {
	return &plugv1.Text{Segments: append([]*plugv1.Segment{s}, t.GetSegments()...)}
}
