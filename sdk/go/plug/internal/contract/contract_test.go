package contract

import (
	"strings"
	"testing"
	"unicode/utf8"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"
)

func text(s string) *plugv1.Text { return &plugv1.Text{Segments: []*plugv1.Segment{{Text: s}}} }

func emoji(s string) *plugv1.Reaction {
	return &plugv1.Reaction{Key: &plugv1.Reaction_Emoji{Emoji: s}}
}

func with(e *plugv1.Event, kind any) *plugv1.Event {
	switch k := kind.(type) {
	case *plugv1.Message:
		e.Kind = &plugv1.Event_Message{Message: k}
	case *plugv1.Edit:
		e.Kind = &plugv1.Event_Edit{Edit: k}
	case *plugv1.Delete:
		e.Kind = &plugv1.Event_Delete{Delete: k}
	case *plugv1.ReactionAdded:
		e.Kind = &plugv1.Event_ReactionAdded{ReactionAdded: k}
	case *plugv1.ReactionRemoved:
		e.Kind = &plugv1.Event_ReactionRemoved{ReactionRemoved: k}
	case *plugv1.ReactionsSet:
		e.Kind = &plugv1.Event_ReactionsSet{ReactionsSet: k}
	case *plugv1.MembersJoined:
		e.Kind = &plugv1.Event_MembersJoined{MembersJoined: k}
	case *plugv1.MembersLeft:
		e.Kind = &plugv1.Event_MembersLeft{MembersLeft: k}
	case *plugv1.ChannelChanged:
		e.Kind = &plugv1.Event_ChannelChanged{ChannelChanged: k}
	case *plugv1.ChannelMigrated:
		e.Kind = &plugv1.Event_ChannelMigrated{ChannelMigrated: k}
	case *plugv1.ChannelStateChanged:
		e.Kind = &plugv1.Event_ChannelStateChanged{ChannelStateChanged: k}
	case *plugv1.Typing:
		e.Kind = &plugv1.Event_Typing{Typing: k}
	case *plugv1.ReadMarker:
		e.Kind = &plugv1.Event_ReadMarker{ReadMarker: k}
	default:
		panic("no such kind")
	}
	return e
}

func header(id string) *plugv1.Event { return &plugv1.Event{Channel: "room", MessageId: id} }

// Each kind is taken with what event.proto requires of it, and refused without.
func TestWhatEachKindNeeds(t *testing.T) {
	title := ""
	long := strings.Repeat("x", plugv1.MaxIDBytes+1)
	spool := func(name string) *plugv1.Message {
		return &plugv1.Message{Attachments: []*plugv1.Attachment{{Kind: &plugv1.Attachment_File{File: &plugv1.File{Spool: &plugv1.SpoolFile{Name: name}}}}}}
	}
	for name, c := range map[string]struct {
		event *plugv1.Event
		ok    bool
	}{
		"message":                      {with(header("1"), &plugv1.Message{}), true},
		"message without id":           {with(header(""), &plugv1.Message{}), false},
		"nil message":                  {with(header("1"), (*plugv1.Message)(nil)), false},
		"nil delete":                   {with(header("1"), (*plugv1.Delete)(nil)), false},
		"no kind":                      {header(""), true},
		"no channel":                   {&plugv1.Event{}, false},
		"reply":                        {with(header("1"), &plugv1.Message{ReplyTo: &plugv1.Reply{MessageId: "0"}}), true},
		"reply to nothing":             {with(header("1"), &plugv1.Message{ReplyTo: &plugv1.Reply{}}), false},
		"long reply":                   {with(header("1"), &plugv1.Message{ReplyTo: &plugv1.Reply{MessageId: long}}), false},
		"long thread":                  {&plugv1.Event{Channel: "room", Thread: long}, false},
		"33 attachments":               {with(header("1"), &plugv1.Message{Attachments: make([]*plugv1.Attachment, 33)}), false},
		"file":                         {with(header("1"), spool("cat.png")), true},
		"file with a path":             {with(header("1"), spool("../cat.png")), false},
		"hidden file":                  {with(header("1"), spool(".cat")), false},
		"file in an edit with a path":  {with(header("1"), &plugv1.Edit{Content: spool("a/b")}), false},
		"edit":                         {with(header("1"), &plugv1.Edit{Content: &plugv1.Message{}}), true},
		"edit without content":         {with(header("1"), &plugv1.Edit{}), false},
		"edit without id":              {with(header(""), &plugv1.Edit{Content: &plugv1.Message{}}), false},
		"long revision":                {with(header("1"), &plugv1.Edit{Content: &plugv1.Message{}, Revision: long}), false},
		"delete":                       {with(header("1"), &plugv1.Delete{}), true},
		"delete without id":            {with(header(""), &plugv1.Delete{}), false},
		"reaction":                     {with(header("1"), &plugv1.ReactionAdded{Reaction: emoji("👍")}), true},
		"reaction of nothing":          {with(header("1"), &plugv1.ReactionAdded{ReactionId: "r"}), false},
		"reaction without id":          {with(header(""), &plugv1.ReactionAdded{Reaction: emoji("👍")}), false},
		"long reaction":                {with(header("1"), &plugv1.ReactionAdded{Reaction: emoji(long)}), false},
		"long reaction id":             {with(header("1"), &plugv1.ReactionAdded{Reaction: emoji("👍"), ReactionId: long}), false},
		"removed reaction":             {with(header("1"), &plugv1.ReactionRemoved{Reaction: emoji("👍")}), true},
		"removed by the reaction's id": {with(header(""), &plugv1.ReactionRemoved{ReactionId: "r"}), true},
		"removed by a long id":         {with(header(""), &plugv1.ReactionRemoved{ReactionId: long}), false},
		"removed without either":       {with(header("1"), &plugv1.ReactionRemoved{}), false},
		"set of none":                  {with(header("1"), &plugv1.ReactionsSet{}), true},
		"set with an empty one":        {with(header("1"), &plugv1.ReactionsSet{Reactions: []*plugv1.Reaction{{}}}), false},
		"set without id":               {with(header(""), &plugv1.ReactionsSet{}), false},
		"joined":                       {with(header(""), &plugv1.MembersJoined{Users: []*plugv1.User{{Id: "u"}}}), true},
		"nobody joined":                {with(header(""), &plugv1.MembersJoined{}), false},
		"nobody left":                  {with(header(""), &plugv1.MembersLeft{}), false},
		"left with a long id":          {with(header(""), &plugv1.MembersLeft{Users: []*plugv1.User{{Id: long}}}), false},
		"title taken away":             {with(header(""), &plugv1.ChannelChanged{Title: &title}), true},
		"nothing changed":              {with(header(""), &plugv1.ChannelChanged{}), false},
		"migrated":                     {with(header(""), &plugv1.ChannelMigrated{To: "new"}), true},
		"migrated to nothing":          {with(header(""), &plugv1.ChannelMigrated{}), false},
		"migrated far":                 {with(header(""), &plugv1.ChannelMigrated{To: long}), false},
		"state":                        {with(header(""), &plugv1.ChannelStateChanged{State: plugv1.ChannelState_CHANNEL_STATE_DENIED}), true},
		"no state":                     {with(header(""), &plugv1.ChannelStateChanged{}), false},
		"typing":                       {with(header(""), &plugv1.Typing{}), true},
		"read marker":                  {with(header("1"), &plugv1.ReadMarker{}), true},
		"read marker without id":       {with(header(""), &plugv1.ReadMarker{}), false},
		"avatar with a path":           {&plugv1.Event{Channel: "room", Author: &plugv1.User{Avatar: &plugv1.Avatar{File: &plugv1.SpoolFile{Name: "a/b"}}}}, false},
		"nil":                          {nil, false},
	} {
		if size, err := Event(c.event); (err == nil) != c.ok || (err == nil && size != proto.Size(c.event)) {
			t.Errorf("%s: %d, %v", name, size, err)
		}
	}
}

// D2: a replayed event has the id that it had, another one has another.
func TestEventIDs(t *testing.T) {
	at := timestamppb.Now()
	edit := func(id, content, revision string) *plugv1.Event {
		return with(header(id), &plugv1.Edit{Content: &plugv1.Message{Text: text(content)}, Revision: revision})
	}
	later := edit("1", "a", "")
	later.Time = at
	spool := func(name string) *plugv1.Event {
		return with(header("1"), &plugv1.Edit{Content: &plugv1.Message{Attachments: []*plugv1.Attachment{
			{Kind: &plugv1.Attachment_File{File: &plugv1.File{Name: "cat.png", Spool: &plugv1.SpoolFile{Name: name}}}}}}})
	}
	if EventID(spool("x")) != EventID(spool("y")) {
		t.Error("a file that was fetched again made another event")
	}
	distinct := []*plugv1.Event{
		with(header("1"), &plugv1.Message{}), with(header("2"), &plugv1.Message{}), with(header("1"), &plugv1.Delete{}),
		with(header(strings.Repeat("x", plugv1.MaxIDBytes)), &plugv1.Delete{}),
		with(header(strings.Repeat("x", plugv1.MaxIDBytes-1)+"y"), &plugv1.Delete{}),
		edit("1", "a", ""), edit("1", "b", ""), edit("2", "a", ""), later, edit("1", "a", "r1"), edit("1", "a", "r2"),
		edit("12", "a", "3"), edit("1", "a", "23"), spool("x"),
		with(header("1"), &plugv1.ReactionAdded{ReactionId: "r"}), with(header("1"), &plugv1.ReactionRemoved{ReactionId: "r"}),
		with(header("1"), &plugv1.ReactionAdded{ReactionId: "q"}), with(header(""), &plugv1.ChannelMigrated{To: "new"}),
	}
	known := make(map[string]int)
	for i, e := range distinct {
		id := EventID(e)
		if id != EventID(proto.CloneOf(e)) {
			t.Errorf("event %d has another id when it is replayed", i)
		}
		if before, ok := known[id]; ok || id == "" || len(id) > plugv1.MaxIDBytes {
			t.Errorf("event %d has the id %q, as %d", i, id, before)
		}
		known[id] = i
	}
	for i, e := range []*plugv1.Event{
		header("1"), with(header("1"), &plugv1.ReactionAdded{Reaction: emoji("👍")}), with(header("1"), &plugv1.ReactionRemoved{Reaction: emoji("👍")}),
		with(header("1"), &plugv1.ReactionsSet{}), with(header(""), &plugv1.MembersJoined{}), with(header(""), &plugv1.MembersLeft{}),
		with(header(""), &plugv1.ChannelChanged{}), with(header(""), &plugv1.ChannelStateChanged{}),
	} {
		if a, b := EventID(e), EventID(e); a == b || a == "" {
			t.Errorf("event %d has the id %q twice", i, a)
		}
	}
	for _, e := range []*plugv1.Event{with(header(""), &plugv1.Typing{}), with(header("1"), &plugv1.ReadMarker{})} {
		if id := EventID(e); id != "" || !BestEffort(e) {
			t.Errorf("a best effort event has the id %q", id)
		}
	}
}

// Whatever bytes people wrote, the event reaches the host, and what was valid stays.
func TestTextsBecomeValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes"))
		title, topic := s, s
		user := &plugv1.User{Id: "u", DisplayName: s}
		message := &plugv1.Message{
			Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: s, Mention: &plugv1.Mention{User: user},
				Preformatted: &plugv1.Preformatted{Language: s}}}},
			ReplyTo: &plugv1.Reply{MessageId: "0", Text: text(s), Author: user},
			Attachments: []*plugv1.Attachment{
				{Kind: &plugv1.Attachment_File{File: &plugv1.File{Name: s, AltText: s, Unavailable: s}}},
				{Kind: &plugv1.Attachment_Location{Location: &plugv1.Location{Name: s}}},
			},
		}
		named := emoji("👍")
		named.Name = s
		for _, kind := range []any{
			message, &plugv1.Edit{Content: message}, &plugv1.Delete{Reason: s}, &plugv1.ReactionAdded{Reaction: named},
			&plugv1.ReactionRemoved{Reaction: named}, &plugv1.ReactionsSet{Reactions: []*plugv1.Reaction{named}},
			&plugv1.MembersJoined{Users: []*plugv1.User{user}}, &plugv1.MembersLeft{Users: []*plugv1.User{user}, Reason: s},
			&plugv1.ChannelChanged{Title: &title, Topic: &topic},
			&plugv1.ChannelStateChanged{State: plugv1.ChannelState_CHANNEL_STATE_DENIED, Reason: s},
		} {
			e := with(header("1"), kind)
			e.Author, e.Actor = user, user
			if _, err := Event(e); err != nil {
				t.Fatalf("%T: %v", kind, err)
			}
		}
		if got := message.GetText().GetSegments()[0].GetText(); utf8.ValidString(s) && got != s || got != strings.ToValidUTF8(s, "\uFFFD") {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

func TestReceipts(t *testing.T) {
	long := strings.Repeat("x", plugv1.MaxIDBytes+1)
	for _, bad := range []*plugv1.Receipt{nil, {}, {Id: long}, {Id: "1", Channel: long}, {Id: "1", Revision: long},
		{Id: "1", Aliases: []string{long}}, {Id: "1", Reference: make([]byte, plugv1.MaxReferenceBytes+1)}, {Id: "1", Channel: "\xff"}} {
		if Receipt(bad) == nil {
			t.Errorf("taken: %v", bad)
		}
	}
	if err := Receipt(&plugv1.Receipt{Id: "1"}); err != nil {
		t.Error(err)
	}
}
