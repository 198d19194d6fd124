package conversation

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// happened makes a delivery of an event of any kind in a channel of network "n".
func happened(c hook.Channel, e *plugv1.Event, about *hook.Target) *hook.Delivery {
	e = proto.CloneOf(e)
	e.Own, e.Channel = plugv1.Own_OWN_NO, string(c.Source)
	if e.Author == nil {
		e.Author = &plugv1.User{Id: "u1", Username: "ann", DisplayName: "Ann"}
	}
	return &hook.Delivery{Channel: c, Network: "n", NetworkName: "IRC", Event: e, About: about}
}

// target names a message of network "n".
func target(source, message string) *hook.Target {
	return &hook.Target{Message: id.Message{Channel: id.Channel{Network: "n", Source: id.ChannelSource(source)}, ID: id.MessageID(message)}}
}

func words(s string) *plugv1.Message {
	return &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: s}}}}
}

func shown(m *plugv1.Message) string {
	var b strings.Builder
	for _, s := range m.GetText().GetSegments() {
		b.WriteString(s.Text)
	}
	return b.String()
}

func thumb() *plugv1.Reaction { return &plugv1.Reaction{Key: &plugv1.Reaction_Emoji{Emoji: "👍"}} }

// "Must" 4: an edit goes to every copy, with the message to send where it can't be
// edited, and who did it, so that another's edit can be dropped.
func TestEdit(t *testing.T) {
	a, b, c := channel("irc", "#dev"), channel("xmpp", "dev"), channel("chat", "dev")
	h := three(t, Member{Channel: a}, Member{Channel: b}, Member{Channel: c})
	e := &plugv1.Event{MessageId: "m", Actor: &plugv1.User{Id: "u2"}, Kind: &plugv1.Event_Edit{Edit: &plugv1.Edit{Content: words("new"), Moderation: true}}}
	sends := receive(t, h, happened(a, e, target("#dev", "m")))
	if len(sends) != 2 {
		t.Fatalf("%d sends", len(sends))
	}
	for _, s := range sends {
		if s.Target == nil || s.Target.Message.ID != "m" || shown(s.Action.GetEdit().GetContent()) != "new" || s.ActorID != "u2" || !s.Moderation {
			t.Errorf("sent %+v", s)
		}
		if got := shown(s.Fallback.GetMessage()); got != "(edited) new" {
			t.Errorf("else %q", got)
		}
	}
	moved := happened(a, e, target("#dev-2", "m"))
	moved.Event.Channel = "#dev-2"
	if sends := receive(t, h, moved); len(sends) != 2 {
		t.Errorf("an edit in a channel that has migrated: sent %v", sends)
	}
	for name, d := range map[string]*hook.Delivery{
		"of a copy of ours":   happened(b, e, target("#dev", "m")),
		"of nothing":          happened(a, e, nil),
		"that leaves nothing": happened(a, &plugv1.Event{MessageId: "m", Kind: &plugv1.Event_Edit{Edit: &plugv1.Edit{Content: words(" ")}}}, target("#dev", "m")),
	} {
		if sends := receive(t, h, d); len(sends) != 0 {
			t.Errorf("an edit %s: sent %v", name, sends)
		}
	}
}

// "Must" 4: who may delete is the conversation's to say.
func TestDeletes(t *testing.T) {
	a, b, c := channel("irc", "#dev"), channel("xmpp", "dev"), channel("chat", "dev")
	gone := func() *plugv1.Event {
		return &plugv1.Event{MessageId: "m", Kind: &plugv1.Event_Delete{Delete: &plugv1.Delete{}}}
	}
	for _, of := range []struct {
		deletes        Deletes
		original, copy int
	}{{DeletesOrigin, 2, 0}, {DeletesAny, 2, 2}, {DeletesNone, 0, 0}} {
		h, err := New([]Conversation{{Members: []Member{{Channel: a}, {Channel: b}, {Channel: c}}, Deletes: of.deletes}}, &called{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(receive(t, h, happened(a, gone(), target("#dev", "m")))); n != of.original {
			t.Errorf("%v: a delete of the original is sent to %d", of.deletes, n)
		}
		sends := receive(t, h, happened(b, gone(), target("#dev", "m")))
		if len(sends) != of.copy {
			t.Errorf("%v: a delete of a copy is sent to %d", of.deletes, len(sends))
		}
		for _, s := range sends {
			if s.Target.Message.ID != "m" || s.Action.GetDelete() == nil || s.Fallback != nil {
				t.Errorf("sent %+v", s)
			}
		}
	}
}

// Reactions that every network knows go everywhere, also to where the message was
// written; pictures of one network stay there.
func TestReactions(t *testing.T) {
	a, b, c := channel("irc", "#dev"), channel("xmpp", "dev"), channel("chat", "dev")
	h := three(t, Member{Channel: a}, Member{Channel: b}, Member{Channel: c})
	by := &plugv1.User{Id: "u2", DisplayName: "Bo"}
	about := target("#dev", "m")
	for name, e := range map[string]*plugv1.Event{
		"added":   {Kind: &plugv1.Event_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{Reaction: thumb()}}},
		"removed": {Kind: &plugv1.Event_ReactionRemoved{ReactionRemoved: &plugv1.ReactionRemoved{Reaction: thumb()}}},
	} {
		e.MessageId, e.Actor = "copy", by
		sends := receive(t, h, happened(b, e, about))
		if len(sends) != 2 {
			t.Fatalf("%s: %d sends", name, len(sends))
		}
		for _, s := range sends {
			if (s.Action.GetReactionAdded() != nil) != (name == "added") || s.Target != about || s.ActorID != "u2" || s.Action.Author.FormattedName != "Bo [IRC]" {
				t.Errorf("%s: sent %+v", name, s)
			}
		}
	}
	set := &plugv1.Event{MessageId: "m", Kind: &plugv1.Event_ReactionsSet{ReactionsSet: &plugv1.ReactionsSet{Added: []*plugv1.Reaction{thumb()}, Removed: []*plugv1.Reaction{thumb(), thumb()}}}}
	if n := len(receive(t, h, happened(a, set, about))); n != 6 {
		t.Errorf("of a set of one more and two less %d sends were made, want 6", n)
	}
	custom := &plugv1.Event{MessageId: "m", Kind: &plugv1.Event_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{Reaction: &plugv1.Reaction{Key: &plugv1.Reaction_Custom{Custom: "parrot"}}}}}
	unknown := &plugv1.Event{Kind: &plugv1.Event_ReactionRemoved{ReactionRemoved: &plugv1.ReactionRemoved{ReactionId: "older than the map"}}}
	for _, d := range []*hook.Delivery{happened(a, custom, about), happened(a, unknown, nil)} {
		if sends := receive(t, h, d); len(sends) != 0 {
			t.Errorf("sent %v", sends)
		}
	}
}

// "Must" 2: a reply brings what it answers, and the quote for where it can't; what
// isn't known any more is quoted as far as the network tells.
func TestReplies(t *testing.T) {
	a, b := channel("irc", "#dev"), channel("xmpp", "dev")
	h := three(t, Member{Channel: a}, Member{Channel: b})
	receive(t, h, happened(a, &plugv1.Event{MessageId: "m", Kind: &plugv1.Event_Message{Message: words("> a quote\n\nhello " + strings.Repeat("x", 100) + "\nsecond line")}}, nil))
	reply := func(r *plugv1.Reply) *plugv1.Event {
		m := words("yes")
		m.ReplyTo = r
		return &plugv1.Event{MessageId: "r", Thread: "root", Author: &plugv1.User{DisplayName: "Bo"}, Kind: &plugv1.Event_Message{Message: m}}
	}
	d := happened(b, reply(&plugv1.Reply{MessageId: "copy"}), target("#dev", "m"))
	d.Thread = target("#dev", "root")
	sends := receive(t, h, d)
	if len(sends) != 1 || sends[0].ReplyTo != d.About || sends[0].Thread != d.Thread || shown(sends[0].Action.GetMessage()) != "yes" {
		t.Fatalf("sent %+v", sends)
	}
	if got, want := shown(sends[0].Fallback.GetMessage()), "> Ann: hello "+strings.Repeat("x", 73)+"…\nyes"; got != want {
		t.Errorf("quoted %q, want %q", got, want)
	}
	for want, r := range map[string]*plugv1.Reply{
		"> Cy: old\nyes": {MessageId: "?", Author: &plugv1.User{DisplayName: "Cy"}, Text: words("old").Text},
		"> old\nyes":     {MessageId: "?", Text: words("old").Text},
		"> Cy\nyes":      {MessageId: "?", Author: &plugv1.User{DisplayName: "Cy"}},
		"":               {MessageId: "?"},
	} {
		sends := receive(t, h, happened(b, reply(r), target("#dev", "forgotten")))
		if got := shown(sends[0].Fallback.GetMessage()); got != want {
			t.Errorf("quoted %q, want %q", got, want)
		}
	}
}

// crowd is everybody whom names mean.
type crowd struct {
	networks map[id.InstanceName]id.NetworkID
	known    map[string]*plugv1.User // "network name" of "network"
	of       map[string]id.NetworkID
}

func (c *crowd) Show(_ context.Context, on id.NetworkID, name string, of id.NetworkID, u *plugv1.User) {
	c.known[string(on)+" "+name], c.of[string(on)+" "+name] = u, of
}

func (c *crowd) Who(_ context.Context, on id.NetworkID, name string) (id.NetworkID, *plugv1.User, bool) {
	u := c.known[string(on)+" "+name]
	return c.of[string(on)+" "+name], u, u != nil
}

func (c *crowd) NetworkOf(name id.InstanceName) id.NetworkID { return c.networks[name] }

// "Must" 2: whoever is mentioned under the name that we show them by is mentioned on
// their own network, by name only elsewhere; all of a channel never is.
func TestMentions(t *testing.T) {
	a, b, c := channel("irc", "#dev"), channel("xmpp", "dev"), channel("chat", "dev")
	people := &crowd{networks: map[id.InstanceName]id.NetworkID{"irc": "irc", "xmpp": "xmpp", "chat": "chat"}, known: map[string]*plugv1.User{}, of: map[string]id.NetworkID{}}
	h, err := New([]Conversation{{Members: []Member{{Channel: a}, {Channel: b}, {Channel: c}}}}, &called{}, people)
	if err != nil {
		t.Fatal(err)
	}
	d := happened(a, &plugv1.Event{MessageId: "m", Kind: &plugv1.Event_Message{Message: words("hi")}}, nil)
	d.Network = "irc"
	receive(t, h, d)

	said := &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{
		{Text: "Ann [IRC]", Mention: &plugv1.Mention{User: &plugv1.User{DisplayName: "Ann [IRC]"}}},
		{Text: " and "},
		{Text: "Cy", Mention: &plugv1.Mention{User: &plugv1.User{Id: "cy", DisplayName: "Cy"}}},
		{Text: "@everyone", MassMention: plugv1.MassMention_MASS_MENTION_EVERYONE},
	}}}
	d = happened(b, &plugv1.Event{MessageId: "m2", Kind: &plugv1.Event_Message{Message: said}}, nil)
	d.Network = "xmpp"
	sends := receive(t, h, d)
	if len(sends) != 2 {
		t.Fatalf("%d sends", len(sends))
	}
	for _, s := range sends {
		segments := s.Action.GetMessage().Text.Segments
		mentioned := segments[0].Mention.GetUser().GetId()
		if want := map[hook.Channel]string{a: "u1", c: ""}[s.Channel]; mentioned != want {
			t.Errorf("in %s %q is mentioned, want %q", s.Channel, mentioned, want)
		}
		if segments[2].Mention != nil || segments[3].MassMention != 0 || shown(s.Action.GetMessage()) != "Ann [IRC] and Cy@everyone" {
			t.Errorf("in %s: %v", s.Channel, segments)
		}
	}
	if said.Text.Segments[0].Mention == nil {
		t.Error("the event was changed")
	}
}

// Contract "Text": a mass mention of an author's notifies where the operator allows it,
// and nowhere else; never out of a plain text, nor by an edit.
func TestMassMentions(t *testing.T) {
	a, b, c := channel("irc", "#dev"), channel("xmpp", "dev"), channel("chat", "dev")
	h := three(t, Member{Channel: a, MassMentions: true}, Member{Channel: b, MassMentions: true}, Member{Channel: c})
	said := func() *plugv1.Message {
		m := words("@everyone ")
		m.Text.Segments = append(m.Text.Segments, &plugv1.Segment{Text: "all", MassMention: plugv1.MassMention_MASS_MENTION_HERE})
		m.ReplyTo = &plugv1.Reply{MessageId: "m1", Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: "@here", MassMention: plugv1.MassMention_MASS_MENTION_HERE}}}}
		return m
	}
	masses := func(m *plugv1.Message) (all []string) {
		for _, s := range m.GetText().GetSegments() {
			if s.MassMention != 0 {
				all = append(all, s.Text)
			}
		}
		return all
	}
	sends := receive(t, h, happened(a, &plugv1.Event{MessageId: "m", Kind: &plugv1.Event_Message{Message: said()}}, target("#dev", "m1")))
	if len(sends) != 2 {
		t.Fatalf("%d sends", len(sends))
	}
	for _, s := range sends {
		want := map[hook.Channel]string{b: "all", c: ""}[s.Channel]
		if got := strings.Join(masses(s.Action.GetMessage()), ", "); got != want {
			t.Errorf("in %s %q notifies, want %q", s.Channel, got, want)
		}
		if got := masses(&plugv1.Message{Text: s.Action.GetMessage().ReplyTo.Text}); len(got) != 0 {
			t.Errorf("in %s what is answered notifies: %q", s.Channel, got)
		}
		if got := strings.Join(masses(s.Fallback.GetMessage()), ", "); got != want {
			t.Errorf("in %s, as a quote, %q notifies, want %q", s.Channel, got, want)
		}
	}
	edit := &plugv1.Event{MessageId: "m", Kind: &plugv1.Event_Edit{Edit: &plugv1.Edit{Content: said()}}}
	for _, s := range receive(t, h, happened(a, edit, target("#dev", "m"))) {
		if got := append(masses(s.Action.GetEdit().Content), masses(s.Fallback.GetMessage())...); len(got) != 0 {
			t.Errorf("an edit notifies in %s: %q", s.Channel, got)
		}
	}
}

// "Must" 10, 12: who comes and goes, titles and states never become chat; what is ours
// or old is not bridged, whatever its kind; typing is shown, and only that.
func TestControlEvents(t *testing.T) {
	a, b := channel("irc", "#dev"), channel("xmpp", "dev")
	h := three(t, Member{Channel: a}, Member{Channel: b})
	title := "t"
	for name, e := range map[string]*plugv1.Event{
		"joined":   {Kind: &plugv1.Event_MembersJoined{MembersJoined: &plugv1.MembersJoined{Users: []*plugv1.User{{Id: "u"}}}}},
		"left":     {Kind: &plugv1.Event_MembersLeft{MembersLeft: &plugv1.MembersLeft{}}},
		"title":    {Kind: &plugv1.Event_ChannelChanged{ChannelChanged: &plugv1.ChannelChanged{Title: &title}}},
		"migrated": {Kind: &plugv1.Event_ChannelMigrated{ChannelMigrated: &plugv1.ChannelMigrated{To: "x"}}},
		"state":    {Kind: &plugv1.Event_ChannelStateChanged{ChannelStateChanged: &plugv1.ChannelStateChanged{}}},
	} {
		if sends := receive(t, h, happened(a, e, nil)); len(sends) != 0 {
			t.Errorf("%s: sent %v", name, sends)
		}
	}
	for name, e := range map[string]*plugv1.Event{
		"edit":     {Kind: &plugv1.Event_Edit{Edit: &plugv1.Edit{Content: words("x")}}},
		"delete":   {Kind: &plugv1.Event_Delete{Delete: &plugv1.Delete{}}},
		"reaction": {Kind: &plugv1.Event_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{Reaction: thumb()}}},
	} {
		ours := happened(a, e, target("#dev", "m"))
		ours.Ours = true
		if sends := receive(t, h, ours); len(sends) != 0 {
			t.Errorf("%s of ours: sent %v", name, sends)
		}
		old := happened(a, e, target("#dev", "m"))
		old.Event.History = true
		if sends := receive(t, h, old); len(sends) != 0 {
			t.Errorf("%s from the history: sent %v", name, sends)
		}
	}
	typing := happened(a, &plugv1.Event{Kind: &plugv1.Event_Typing{Typing: &plugv1.Typing{Typing: true}}}, nil)
	if sends := h.ReceiveBestEffort(typing); len(sends) != 1 || sends[0].Channel != b || sends[0].Action.GetTyping() == nil {
		t.Errorf("typing: sent %v", sends)
	}
	read := happened(a, &plugv1.Event{MessageId: "m", Kind: &plugv1.Event_ReadMarker{ReadMarker: &plugv1.ReadMarker{}}}, nil)
	if sends := h.ReceiveBestEffort(read); len(sends) != 0 {
		t.Errorf("read marker: sent %v", sends)
	}
}

// A message that has only files is a message.
func TestOnlyAttachments(t *testing.T) {
	a, b := channel("irc", "#dev"), channel("xmpp", "dev")
	h := three(t, Member{Channel: a}, Member{Channel: b})
	m := &plugv1.Message{Attachments: []*plugv1.Attachment{{Kind: &plugv1.Attachment_File{File: &plugv1.File{Name: "cat.png"}}}}}
	if sends := receive(t, h, happened(a, &plugv1.Event{MessageId: "m", Kind: &plugv1.Event_Message{Message: m}}, nil)); len(sends) != 1 {
		t.Errorf("sent %v", sends)
	}
}

func TestFilters(t *testing.T) {
	for _, c := range []struct{ format, name, want string }{
		{"{name|noping}", "ann", "a\u200bnn"},
		{"{name|noping}", "👩‍👩‍👧x", "👩‍👩‍👧\u200bx"},
		{"{name|noping}", "a", "a"},
		{"{name|max:3}", "annabel", "an…"},
		{"{name|max:3}", "ann", "ann"},
		{"{name|max:2}", "👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", "👩‍👩‍👧…"},
		{"{name|short}", "Ann Bee", "Ann"},
		{"{name|strip_emoji}", "Ann 🚀 Bee", "Ann Bee"},
		{"{name|strip_emoji}", "🚀", "🚀"},
		{"<{name|short|noping}> ", "Ann Bee", "<A\u200bnn> "},
	} {
		f, err := ParseFormat(c.format)
		if err != nil {
			t.Fatal(err)
		}
		d := said(channel("irc", "#dev"), "x", func(d *hook.Delivery) { d.Event.Author.DisplayName = c.name })
		if got := named(f, d); got != c.want {
			t.Errorf("%s of %q: %q, want %q", c.format, c.name, got, c.want)
		}
	}
	colored, err := ParseFormat("{name|color|max:3}")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint32]bool{}
	for i := range 50 {
		d := said(channel("irc", "#dev"), "x", func(d *hook.Delivery) { d.Event.Author.Id = strings.Repeat("u", i+1) })
		a, again := author(d, Member{Name: colored}, d.Event.Author), author(d, Member{Name: colored}, d.Event.Author)
		if a.Color == nil || *a.Color != *again.Color || *a.Color > 0xFFFFFF || a.FormattedName != "Ann" {
			t.Fatalf("author %v, and again %v", a, again)
		}
		seen[*a.Color] = true
		if plain := author(d, Member{}, d.Event.Author); plain.Color != nil {
			t.Errorf("without the filter: %v", plain)
		}
	}
	if len(seen) < 10 {
		t.Errorf("of 50 people only %d colours", len(seen))
	}
	for s, want := range map[string]string{
		"{name|loud}":     `no filter "loud"`,
		"{name|max}":      "needs a number from 1 to 64",
		"{name|max:0}":    "needs a number from 1 to 64",
		"{name|noping:2}": `takes no "2"`,
		"{name|}":         `no filter ""`,
	} {
		if _, err := ParseFormat(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseFormat(%q) = %v, want %q", s, err, want)
		}
	}
}
