package simplug

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"

	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
	"github.com/plughost/plughost/sdk/go/plug"
)

// event is the network's event as the host takes it.
func (l *line) event(e *wire.Event) (*plugv1.Event, error) {
	w := e.What
	if w == nil {
		w = &wire.What{}
	}
	event, err := l.happened(e, w)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", e.EventID, err)
	}
	event.Time = timestamppb.New(e.Time)
	if plugv1.BestEffort(event) {
		return event, nil
	}
	event.EventId = e.EventID
	event.Aliases, event.Reference = w.Aliases, []byte(w.Reference)
	if w.Kind == script.KindMessage || w.ActorID != "" {
		event.Author = user(e.AuthorID, e.Author)
	}
	if w.ActorID != "" {
		event.Actor = user(w.ActorID, w.Actor)
	}
	// Anybody may have sent an operation id of ours again: it counts only where the
	// message is proven our own. A careless plug does not look.
	if event.GetOwn() == plugv1.Own_OWN_YES || l.login.Settings.Careless {
		event.OperationId = e.OperationID
	}
	return event, nil
}

// happened makes the event of its kind.
func (l *line) happened(e *wire.Event, w *wire.What) (*plugv1.Event, error) {
	source, id, own := l.source(e.Channel), e.MessageID, own(script.Own(e.Own))
	style := l.login.Settings.Reactions
	switch w.Kind {
	case script.KindMessage:
		m, err := message(e.Text, w)
		event := &plugv1.Event{MessageId: id, Channel: source, Own: own, Thread: w.Thread, Kind: &plugv1.Event_Message{Message: m}}
		return event, err
	case script.KindEdit:
		m, err := message(e.Text, w)
		event := plug.NewEdit(source, id, "", own)
		event.GetEdit().Content, event.GetEdit().Revision, event.GetEdit().Moderation = m, w.Revision, w.Moderation
		return event, err
	case script.KindDelete:
		event := plug.NewDelete(source, id, own)
		event.GetDelete().Reason, event.GetDelete().Moderation = e.Text, w.Moderation
		return event, nil
	case script.KindReact, script.KindUnreact, script.KindReactions:
		if style == script.ReactionsWhole || w.Kind == script.KindReactions {
			return plug.NewReactionsSet(source, id, reactions(w.Reactions), own), nil
		}
		return l.reacted(source, id, w, own), nil
	case script.KindTyping:
		return plug.NewTyping(source, user(e.AuthorID, e.Author), !w.Stopped, own), nil
	case script.KindRead:
		return plug.NewReadMarker(source, id, user(e.AuthorID, e.Author), own), nil
	case script.KindJoined:
		return plug.NewMembersJoined(source, users(w.Users), own), nil
	case script.KindLeft:
		return plug.NewMembersLeft(source, users(w.Users), e.Text, own), nil
	case script.KindChange:
		return &plugv1.Event{Channel: source, Own: own, Kind: &plugv1.Event_ChannelChanged{
			ChannelChanged: &plugv1.ChannelChanged{Title: w.Title, Topic: w.Topic}}}, nil
	case script.KindState:
		return plug.NewChannelState(source, channelState(w.State), e.Text), nil
	case script.KindMigrate:
		return plug.NewChannelMigrated(source, w.To), nil
	}
	return nil, fmt.Errorf("unknown kind %q", w.Kind)
}

// reacted is one reaction that came or went. Where it is removed by its own id, the
// network tells nothing else of it.
func (l *line) reacted(source, id string, w *wire.What, own plugv1.Own) *plugv1.Event {
	byID := l.login.Settings.Reactions == script.ReactionsByID
	if w.Kind == script.KindReact {
		event := plug.NewReactionAdded(source, id, reaction(w.Reaction), own)
		if byID {
			event.GetReactionAdded().ReactionId = w.ReactionID
		}
		return event
	}
	if !byID {
		return plug.NewReactionRemoved(source, id, reaction(w.Reaction), own)
	}
	event := plug.NewReactionRemoved(source, "", nil, own)
	event.GetReactionRemoved().ReactionId = w.ReactionID
	return event
}

// message is what a message says.
func message(text string, w *wire.What) (*plugv1.Message, error) {
	m := &plugv1.Message{}
	if len(w.Rich) > 0 {
		if err := protojson.Unmarshal(w.Rich, m); err != nil {
			return nil, fmt.Errorf("read rich content: %w", err)
		}
	} else {
		m.Text = plug.NewText(text)
	}
	if w.ReplyTo != "" {
		m.ReplyTo = &plugv1.Reply{MessageId: w.ReplyTo}
		if w.AnsweredID != "" {
			m.ReplyTo.Author, m.ReplyTo.Text = user(w.AnsweredID, w.AnsweredBy), plug.NewText(w.Answered)
		}
	}
	return m, nil
}

// rich is what of a part is more than its text; nil if nothing is.
func rich(p *plug.Part) ([]byte, error) {
	m := &plugv1.Message{Text: p.Content, Attachments: p.Attachments, Emote: p.Emote}
	formatted := false
	for _, s := range p.Content.GetSegments() {
		formatted = formatted || s.Bold || s.Italic || s.Underline || s.Strike || s.Code || s.Preformatted != nil ||
			s.Link != "" || s.Mention != nil || s.MassMention != 0
	}
	if !formatted && len(m.Attachments) == 0 && !m.Emote {
		return nil, nil
	}
	return protojson.Marshal(m)
}

func user(id, name string) *plugv1.User {
	return &plugv1.User{Id: id, Username: id, DisplayName: name}
}

func users(names []string) (all []*plugv1.User) {
	for _, name := range names {
		all = append(all, user(name, name))
	}
	return all
}

// reaction is a reaction of the network's: one of ASCII letters is its own key of a
// picture.
func reaction(s string) *plugv1.Reaction {
	if s != "" && s[0] < utf8.RuneSelf {
		return plug.CustomEmoji(s, s)
	}
	return plug.Emoji(s)
}

func reactions(list []string) (all []*plugv1.Reaction) {
	for _, s := range list {
		all = append(all, reaction(s))
	}
	return all
}

// reactionKey is the network's word for a reaction.
func reactionKey(r *plugv1.Reaction) string {
	if r.GetCustom() != "" {
		return r.GetCustom()
	}
	return r.GetEmoji()
}
