package conversation

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

func channel(plug, source string) hook.Channel {
	return hook.Channel{Plug: id.InstanceName(plug), Source: id.ChannelSource(source)}
}

// called gives channels the canonical sources that it has now; others have the one that
// is written.
type called struct {
	now     map[hook.Channel]id.ChannelSource
	version uint64
}

func (c *called) Version() uint64 { return c.version }

func (c *called) Canonical(at hook.Channel) hook.Channel {
	if source, ok := c.now[at]; ok {
		at.Source = source
	}
	return at
}

func (c *called) change(at hook.Channel, source id.ChannelSource) {
	if c.now == nil {
		c.now = map[hook.Channel]id.ChannelSource{}
	}
	c.now[at] = source
	c.version++
}

// said makes a delivery of a text in a channel.
func said(c hook.Channel, text string, change ...func(*hook.Delivery)) *hook.Delivery {
	d := &hook.Delivery{Channel: c, NetworkName: "IRC", Event: &plugv1.Event{
		MessageId: "m", Channel: string(c.Source), Own: plugv1.Own_OWN_NO,
		Author: &plugv1.User{Id: "u1", Username: "ann", DisplayName: "Ann"},
		Kind:   &plugv1.Event_Message{Message: &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: text}}}}},
	}}
	for _, do := range change {
		do(d)
	}
	return d
}

func receive(t *testing.T, h *Hook, d *hook.Delivery) []hook.Send {
	t.Helper()
	sends, err := h.Receive(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return sends
}

func three(t *testing.T, members ...Member) *Hook {
	t.Helper()
	h, err := New([]Conversation{{Name: "dev", Members: members}}, &called{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// "Must" 1: a message in one member appears once in every other, with its
// author, and never comes back to its origin.
func TestEveryOtherMemberOnce(t *testing.T) {
	a, b, c := channel("irc", "#dev"), channel("xmpp", "dev"), channel("chat", "dev")
	h := three(t, Member{Channel: a}, Member{Channel: b}, Member{Channel: c})
	for _, from := range []hook.Channel{a, b, c} {
		got := map[hook.Channel]int{}
		for _, s := range receive(t, h, said(from, "hello")) {
			got[s.Channel]++
			if s.Action.GetMessage().GetText().Segments[0].Text != "hello" || s.Action.Author.FormattedName != "Ann [IRC]" {
				t.Errorf("sent %v", s.Action)
			}
		}
		for _, to := range []hook.Channel{a, b, c} {
			if want := map[bool]int{true: 0, false: 1}[to == from]; got[to] != want {
				t.Errorf("from %s: %d sends to %s, want %d", from, got[to], to, want)
			}
		}
	}
	if sends := receive(t, h, said(channel("irc", "#other"), "hello")); len(sends) != 0 {
		t.Errorf("a channel outside was bridged: %v", sends)
	}
}

// "Must" 1, 11, 12: what is ours, history, and what shows nothing go nowhere.
func TestNotBridged(t *testing.T) {
	a, b := channel("irc", "#dev"), channel("xmpp", "dev")
	h := three(t, Member{Channel: a}, Member{Channel: b})
	for name, d := range map[string]*hook.Delivery{
		"ours":           said(a, "hi", func(d *hook.Delivery) { d.Ours = true }),
		"history":        said(a, "hi", func(d *hook.Delivery) { d.Event.History = true }),
		"empty":          said(a, ""),
		"blank":          said(a, " \t\n\u200b\u2800"),
		"no text":        said(a, "", func(d *hook.Delivery) { d.Event.GetMessage().Text = nil }),
		"unknown kind":   said(a, "", func(d *hook.Delivery) { d.Event.Kind = nil }),
		"nothing at all": {Channel: a, Event: &plugv1.Event{}},
	} {
		if sends := receive(t, h, d); len(sends) != 0 {
			t.Errorf("%s: bridged as %v", name, sends)
		}
	}
}

func TestDirections(t *testing.T) {
	in, out, both := channel("a", "in"), channel("b", "out"), channel("c", "both")
	h := three(t, Member{Channel: in, Direction: In}, Member{Channel: out, Direction: Out}, Member{Channel: both})
	want := map[hook.Channel][]hook.Channel{in: {out, both}, out: nil, both: {out}}
	for from, to := range want {
		sends := receive(t, h, said(from, "x"))
		if len(sends) != len(to) {
			t.Errorf("from %s: %d sends, want %d", from, len(sends), len(to))
			continue
		}
		for i, s := range sends {
			if s.Channel != to[i] {
				t.Errorf("from %s: sent to %s, want %s", from, s.Channel, to[i])
			}
		}
	}
}

// A member is found by its canonical source, whatever the config wrote, also when that is
// another than it was.
func TestCanonicalSource(t *testing.T) {
	written, other, sources := channel("irc", "#Dev"), channel("irc", "#ops"), &called{}
	h, err := New([]Conversation{
		{Members: []Member{{Channel: written}, {Channel: channel("x", "y")}}},
		{Members: []Member{{Channel: channel("x", "z")}, {Channel: other}, {Channel: channel("x", "z2")}}},
	}, sources, nil)
	if err != nil {
		t.Fatal(err)
	}
	hears := func(c hook.Channel, want int) {
		t.Helper()
		if got := len(receive(t, h, said(c, "x"))); got != want {
			t.Errorf("what is said in %s goes to %d channels, want %d", c, got, want)
		}
	}
	hears(written, 1) // as written, since nothing else is known
	sources.change(written, "#dev")
	hears(channel("irc", "#dev"), 1)
	hears(written, 0)
	hears(other, 2)
	sources.change(other, "#dev") // both are one now
	hears(channel("irc", "#dev"), 3)
	hears(other, 0)
}

func TestChannelTwice(t *testing.T) {
	a := channel("irc", "#dev")
	_, err := New([]Conversation{{Name: "dev", Members: []Member{{Channel: a}, {Channel: a}}}}, &called{}, nil)
	if err == nil || !strings.Contains(err.Error(), `conversation "dev" has channel "irc/#dev" twice`) {
		t.Errorf("err = %v", err)
	}
}

// "Must" 11: names that are odd still name somebody, and are never read as
// placeholders.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		format, display, username, want string
	}{
		{"{name} [{network}]", "Ann", "ann", "Ann [IRC]"},
		{"{name}", "   ", "ann", "ann"},
		{"{name}", "\u200b\u2060", "", "u1"},
		{"{name}", "{network}", "", "{network}"},
		{"{name}", "A\nB\x02", "", "A B"},
		{"<{username}@{plug}/{channel}> ", "Ann", "ann", "<ann@irc/#dev> "},
		{"{name}", "مرحبا", "", "مرحبا"},
		{"{name}", "👩‍👩‍👧", "", "👩‍👩‍👧"},
	} {
		f, err := ParseFormat(c.format)
		if err != nil {
			t.Fatal(err)
		}
		got := named(f, said(channel("irc", "#dev"), "x", func(d *hook.Delivery) {
			d.Event.Author.DisplayName, d.Event.Author.Username = c.display, c.username
		}))
		if got != c.want {
			t.Errorf("%q of %q: %q, want %q", c.format, c.display, got, c.want)
		}
	}
	nobody := said(channel("irc", "#dev"), "x", func(d *hook.Delivery) { d.Event.Author = nil })
	if got := named(Format{}, nobody); got != "someone [IRC]" {
		t.Errorf("without an author: %q", got)
	}
}

func named(f Format, d *hook.Delivery) string { return f.format(d, d.Event.Author) }

func TestFormatErrors(t *testing.T) {
	for s, want := range map[string]string{
		"":       "empty",
		"{nick}": "no placeholder {nick}",
		"{name":  "no }",
	} {
		if _, err := ParseFormat(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseFormat(%q) = %v, want %q", s, err, want)
		}
	}
}

// The message is handed on as it is: a 3,000-line paste, emoji with joiners and
// right-to-left text lose nothing here.
func TestTextUnchanged(t *testing.T) {
	a, b := channel("irc", "#dev"), channel("xmpp", "dev")
	h := three(t, Member{Channel: a}, Member{Channel: b})
	for _, text := range []string{strings.Repeat("line\n", 3000), "👩‍👩‍👧 مرحبا", "@everyone"} {
		d := said(a, text)
		sends := receive(t, h, d)
		if len(sends) != 1 || !proto.Equal(sends[0].Action.GetMessage(), d.Event.GetMessage()) {
			t.Errorf("%.20q changed", text)
		}
	}
}

// "Must" 5: what bounds the late for a member goes with each message and edit to it.
func TestCatchUpOfTheMember(t *testing.T) {
	a, b, c := channel("irc", "#dev"), channel("xmpp", "dev"), channel("chat", "dev")
	limits := &hook.CatchUp{MaxMessages: 3}
	h := three(t, Member{Channel: a}, Member{Channel: b, CatchUp: limits}, Member{Channel: c})
	message := said(a, "hello")
	changed := said(a, "hello", func(d *hook.Delivery) {
		d.Event.Kind = &plugv1.Event_Edit{Edit: &plugv1.Edit{Content: d.Event.GetMessage()}}
		d.About = &hook.Target{Message: id.Message{Channel: id.Channel{Network: d.Network, Source: d.Channel.Source}, ID: "m"}}
	})
	for name, d := range map[string]*hook.Delivery{"message": message, "edit": changed} {
		sends := receive(t, h, d)
		if len(sends) != 2 {
			t.Fatalf("%s: %v", name, sends)
		}
		for _, s := range sends {
			if want := map[bool]*hook.CatchUp{true: limits}[s.Channel == b]; s.CatchUp != want {
				t.Errorf("%s to %s with %v", name, s.Channel, s.CatchUp)
			}
		}
	}
}
