package contract

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

func emoji(s string) *plugv1.Reaction {
	return &plugv1.Reaction{Key: &plugv1.Reaction_Emoji{Emoji: s}}
}

func attachment(f *plugv1.File) *plugv1.Attachment {
	return &plugv1.Attachment{Kind: &plugv1.Attachment_File{File: f}}
}

// kinds holds a good event of every kind.
func kinds() map[string]*plugv1.Event {
	all := map[string]*plugv1.Event{
		"message":         {Kind: &plugv1.Event_Message{Message: text(1)}},
		"edit":            {Kind: &plugv1.Event_Edit{Edit: &plugv1.Edit{Content: text(1)}}},
		"delete":          {Kind: &plugv1.Event_Delete{Delete: &plugv1.Delete{}}},
		"added":           {Kind: &plugv1.Event_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{Reaction: emoji("👍")}}},
		"removed":         {Kind: &plugv1.Event_ReactionRemoved{ReactionRemoved: &plugv1.ReactionRemoved{Reaction: emoji("👍")}}},
		"set":             {Kind: &plugv1.Event_ReactionsSet{ReactionsSet: &plugv1.ReactionsSet{Reactions: []*plugv1.Reaction{emoji("👍")}}}},
		"joined":          {Kind: &plugv1.Event_MembersJoined{MembersJoined: &plugv1.MembersJoined{Users: []*plugv1.User{{Id: "u"}}}}},
		"left":            {Kind: &plugv1.Event_MembersLeft{MembersLeft: &plugv1.MembersLeft{Users: []*plugv1.User{{Id: "u"}}}}},
		"channel changed": {Kind: &plugv1.Event_ChannelChanged{ChannelChanged: &plugv1.ChannelChanged{Title: proto.String("t")}}},
		"migrated":        {Kind: &plugv1.Event_ChannelMigrated{ChannelMigrated: &plugv1.ChannelMigrated{To: "new"}}},
		"state":           {Kind: &plugv1.Event_ChannelStateChanged{ChannelStateChanged: &plugv1.ChannelStateChanged{State: plugv1.ChannelState_CHANNEL_STATE_DENIED}}},
		"typing":          {Kind: &plugv1.Event_Typing{Typing: &plugv1.Typing{Typing: true}}},
		"read":            {Kind: &plugv1.Event_ReadMarker{ReadMarker: &plugv1.ReadMarker{}}},
	}
	for _, e := range all {
		e.EventId, e.MessageId, e.Channel, e.Own, e.Time = "e", "m", "c", plugv1.Own_OWN_NO, timestamppb.New(now)
	}
	return all
}

func checked(e *plugv1.Event) (kept bool, refused []string) {
	var r refusals
	resp := &plugv1.StreamMessagesResponse{Events: []*plugv1.Event{e}}
	CheckBatch(resp, now, r.refuse)
	return len(resp.Events) == 1, r
}

// Every kind of the contract passes as it is.
func TestEveryKindPasses(t *testing.T) {
	t.Parallel()
	for name, e := range kinds() {
		want := proto.CloneOf(e)
		if kept, refused := checked(e); !kept || len(refused) != 0 || !proto.Equal(e, want) {
			t.Errorf("%s: kept %v, refused %q: %v", name, kept, refused, e)
		}
	}
}

// What a kind needs is asked for, and what only the best effort kinds may lack.
func TestWhatAKindNeeds(t *testing.T) {
	t.Parallel()
	needsMessage := map[string]bool{"message": true, "edit": true, "delete": true, "added": true, "removed": true, "set": true, "read": true}
	needsEvent := map[string]bool{"typing": false, "read": false}
	for name, e := range kinds() {
		e.MessageId = ""
		if kept, _ := checked(e); kept == needsMessage[name] {
			t.Errorf("%s without a message id: kept %v", name, kept)
		}
	}
	for name, e := range kinds() {
		e.EventId = ""
		_, bestEffort := needsEvent[name]
		if kept, _ := checked(e); kept != bestEffort {
			t.Errorf("%s without an event id: kept %v", name, kept)
		}
		if plugv1.BestEffort(e) != bestEffort {
			t.Errorf("%s: best effort %v", name, plugv1.BestEffort(e))
		}
	}
	for name, change := range map[string]func(map[string]*plugv1.Event) *plugv1.Event{
		"an edit without content": func(k map[string]*plugv1.Event) *plugv1.Event { k["edit"].GetEdit().Content = nil; return k["edit"] },
		"a reaction of nothing": func(k map[string]*plugv1.Event) *plugv1.Event {
			k["added"].GetReactionAdded().Reaction = nil
			return k["added"]
		},
		"an empty emoji": func(k map[string]*plugv1.Event) *plugv1.Event {
			k["set"].GetReactionsSet().Reactions[0] = emoji("")
			return k["set"]
		},
		"migrated to nowhere": func(k map[string]*plugv1.Event) *plugv1.Event {
			k["migrated"].GetChannelMigrated().To = ""
			return k["migrated"]
		},
		"a member's id too long": func(k map[string]*plugv1.Event) *plugv1.Event {
			k["joined"].GetMembersJoined().Users[0].Id = tooLong
			return k["joined"]
		},
		"a thread too long": func(k map[string]*plugv1.Event) *plugv1.Event { k["message"].Thread = tooLong; return k["message"] },
		"a reply to an id too long": func(k map[string]*plugv1.Event) *plugv1.Event {
			k["message"].GetMessage().ReplyTo = &plugv1.Reply{MessageId: tooLong}
			return k["message"]
		},
		"a revision that is too long": func(k map[string]*plugv1.Event) *plugv1.Event {
			k["edit"].GetEdit().Revision = tooLong
			return k["edit"]
		},
		"a removal of neither": func(k map[string]*plugv1.Event) *plugv1.Event {
			k["removed"].GetReactionRemoved().Reaction = nil
			return k["removed"]
		},
		"a reaction's id too long": func(k map[string]*plugv1.Event) *plugv1.Event {
			k["added"].GetReactionAdded().ReactionId = tooLong
			return k["added"]
		},
		"a custom key that is too long": func(k map[string]*plugv1.Event) *plugv1.Event {
			k["added"].GetReactionAdded().Reaction = &plugv1.Reaction{Key: &plugv1.Reaction_Custom{Custom: tooLong}}
			return k["added"]
		},
	} {
		if kept, refused := checked(change(kinds())); kept || len(refused) != 1 {
			t.Errorf("%s: kept %v, refused %q", name, kept, refused)
		}
	}
	byID := kinds()["removed"]
	byID.MessageId, byID.GetReactionRemoved().Reaction, byID.GetReactionRemoved().ReactionId = "", nil, "r"
	if kept, _ := checked(byID); !kept {
		t.Error("a removal by the reaction's own id needs no message")
	}
}

// What a plug may not say of itself is taken out; what is wrong with an
// attachment or a picture costs only that.
func TestPartsOfAMessage(t *testing.T) {
	t.Parallel()
	e := kinds()["message"]
	e.Author = &plugv1.User{Id: "u", Avatar: &plugv1.Avatar{Hash: "h", Url: "https://user:secret@x.example/a"}, ProfileLink: "javascript:alert(1)"}
	e.Actor = &plugv1.User{Id: "u", Avatar: &plugv1.Avatar{File: &plugv1.SpoolFile{Name: "../up"}}}
	m := e.GetMessage()
	m.ReplyTo = &plugv1.Reply{MessageId: "r", Target: &plugv1.Target{Receipts: []*plugv1.Receipt{{Id: "forged"}}}}
	m.Attachments = []*plugv1.Attachment{
		attachment(&plugv1.File{Name: "a", Spool: &plugv1.SpoolFile{Name: "good", Sha256: []byte("forged"), Size: 7}, Url: "https://x.example/a"}),
		attachment(&plugv1.File{Name: "b", Spool: &plugv1.SpoolFile{Name: "../../etc/passwd"}}),
		attachment(&plugv1.File{Name: "c", Spool: &plugv1.SpoolFile{Name: ".hidden"}}),
		attachment(&plugv1.File{Name: "d", Spool: &plugv1.SpoolFile{Name: strings.Repeat("x", 256)}}),
		attachment(&plugv1.File{Name: "e", Url: "file:///etc/passwd", Unavailable: "too\nlarge"}),
		{}, // a kind that this host doesn't know
	}
	kept, refused := checked(e)
	if !kept || len(refused) != 3 || len(m.Attachments) != 3 {
		t.Fatalf("kept %v, refused %q, attachments %v", kept, refused, m.Attachments)
	}
	good, last := m.Attachments[0].GetFile(), m.Attachments[1].GetFile()
	if good.Spool.Sha256 != nil || good.Spool.Size != 0 || good.Url == "" || last.Url != "" || last.Unavailable != "too large" {
		t.Errorf("files %v and %v", good, last)
	}
	if m.ReplyTo.Target != nil || e.Author.Avatar.Url != "" || e.Author.ProfileLink != "" || e.Actor.Avatar != nil {
		t.Errorf("left in: %v", e)
	}
	m.Attachments = make([]*plugv1.Attachment, maxAttachments+1)
	for i := range m.Attachments {
		m.Attachments[i] = &plugv1.Attachment{}
	}
	if kept, refused := checked(e); !kept || len(refused) != 1 || len(m.Attachments) != maxAttachments {
		t.Errorf("of too many attachments %d are left, refused %q", len(m.Attachments), refused)
	}
}

// No kind of action brings a control character, a line break in a name, or a link
// that a reader executes.
func TestCleanEveryAction(t *testing.T) {
	t.Parallel()
	dirty := "a\x00\x07b\r\nc"
	message := func() *plugv1.Message {
		return &plugv1.Message{
			Text: &plugv1.Text{Segments: []*plugv1.Segment{
				{Text: dirty, Link: "javascript:alert(1)", Preformatted: &plugv1.Preformatted{Language: dirty}, Mention: &plugv1.Mention{User: &plugv1.User{Username: dirty}}},
				{Text: dirty, Link: "https://x.example/y"},
			}},
			ReplyTo:     &plugv1.Reply{Author: &plugv1.User{DisplayName: dirty}, Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: dirty}}}},
			Attachments: []*plugv1.Attachment{attachment(&plugv1.File{Name: "../" + dirty, MediaType: dirty, AltText: dirty}), {Kind: &plugv1.Attachment_Location{Location: &plugv1.Location{Name: dirty}}}},
		}
	}
	reaction := func() *plugv1.Reaction {
		return &plugv1.Reaction{Key: &plugv1.Reaction_Emoji{Emoji: dirty}, Name: dirty}
	}
	title, topic := dirty, dirty
	for name, a := range map[string]*plugv1.Action{
		"message": {Kind: &plugv1.Action_Message{Message: message()}},
		"edit":    {Kind: &plugv1.Action_Edit{Edit: &plugv1.Edit{Content: message()}}},
		"delete":  {Kind: &plugv1.Action_Delete{Delete: &plugv1.Delete{Reason: dirty}}},
		"added":   {Kind: &plugv1.Action_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{Reaction: reaction(), Current: []*plugv1.Reaction{reaction()}}}},
		"removed": {Kind: &plugv1.Action_ReactionRemoved{ReactionRemoved: &plugv1.ReactionRemoved{Reaction: reaction(), Current: []*plugv1.Reaction{reaction()}}}},
		"changed": {Kind: &plugv1.Action_ChannelChanged{ChannelChanged: &plugv1.ChannelChanged{Title: &title, Topic: &topic}}},
		"typing":  {Kind: &plugv1.Action_Typing{Typing: &plugv1.Typing{}}},
		"nothing": {},
	} {
		a.Author = &plugv1.Author{FormattedName: dirty, User: &plugv1.User{DisplayName: dirty}}
		CleanAction(a)
		encoded, err := proto.Marshal(a)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s := string(encoded); strings.Contains(s, "a\x00") || strings.Contains(s, "\x07b") || strings.Contains(s, "\r") || strings.Contains(s, "javascript") || strings.Contains(s, "../") {
			t.Errorf("%s: %q", name, s)
		}
		if strings.Contains(a.Author.FormattedName, "\n") {
			t.Errorf("%s: name %q", name, a.Author.FormattedName)
		}
		if name == "message" && a.GetMessage().Text.Segments[1].Link == "" {
			t.Error("a good link was taken out")
		}
	}
}
