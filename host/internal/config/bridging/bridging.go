package bridging

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/config/document"
	"github.com/plughost/plughost/host/internal/config/loop"
	"github.com/plughost/plughost/host/internal/hook/conversation"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

var (
	// laterBridging are keys of defaults and conversations that are not there yet.
	laterBridging = []string{"long", "drop", "replace", "joins", "titles", "files", "avatars"}

	defaultsKeys     = document.Keys{Known: []string{"name", "deletes", "mass_mentions", "catch_up"}, Later: laterBridging}
	conversationKeys = document.Keys{Known: []string{"members", "at", "name", "deletes", "mass_mentions", "catch_up"}, Later: laterBridging}
	atKeys           = document.Keys{Known: []string{"name", "mass_mentions", "catch_up"}, Later: laterBridging}
	memberKeys       = document.Keys{Known: []string{"channel", "direction", "name", "mass_mentions", "catch_up"}, Later: laterBridging}
)

var deletes = map[string]host.Deletes{"origin": host.DeletesOrigin, "any": host.DeletesAny, "none": host.DeletesNone}

var directions = map[string]host.Direction{"in": host.In, "out": host.Out, "both": host.Both}

// maxName is the longest name of a conversation, in bytes.
const maxName = 64

// member is one member of a conversation.
type member struct {
	node      *document.Node // where to point at
	plug      *Plug
	channel   hook.Channel
	direction host.Direction
	manner
}

// manner is how what the others say comes to a member, as far as one place of the config
// says it. What is not said there is said by the next one.
type manner struct {
	name         string // "": not said here
	massMentions *bool  // whether they notify; nil: not said here
	catchUp      catchUp
}

// or gives a manner what it doesn't say.
func (m manner) or(others ...manner) manner {
	for _, o := range others {
		m.name, m.massMentions, m.catchUp = cmp.Or(m.name, o.name), cmp.Or(m.massMentions, o.massMentions), cmp.Or(m.catchUp, o.catchUp)
	}
	return m
}

// reads and writes say which way messages go, seen from the conversation.
func (m *member) reads() bool  { return m.direction != host.Out }
func (m *member) writes() bool { return m.direction != host.In }

// bridged is one conversation.
type bridged struct {
	name    string
	members []*member
	deletes host.Deletes
}

// Plug is what must be known of a plug to bridge its channels.
type Plug struct {
	Name id.InstanceName
	// Facts is what its binary says; nil if that isn't known.
	Facts *plugv1.DescribeResponse
}

// reader reads one file's conversations.
type reader struct {
	*document.Problems
	plugs   []Plug
	bridged []*bridged
}

// Read reads "conversations:" with the names that "defaults:" gives; either may be
// nil. What is wrong is of the whole config.
func Read(problems *document.Problems, conversations, defaults *document.Node, plugs []Plug) []host.Conversation {
	r := &reader{Problems: problems, plugs: plugs}
	r.conversations(conversations, defaults)
	r.loops()
	all := make([]host.Conversation, len(r.bridged))
	for i, c := range r.bridged {
		all[i].Name, all[i].Deletes = c.name, c.deletes
		for _, m := range c.members {
			all[i].Members = append(all[i].Members, host.Member{Channel: m.channel, Direction: m.direction, Name: m.name, MassMentions: m.massMentions != nil && *m.massMentions, CatchUp: m.catchUp.limits})
		}
	}
	return all
}

func (r *reader) conversations(n, defaults *document.Node) {
	fields := r.Fields(defaults, "defaults", `{name: "{name} [{network}]"}`, defaultsKeys)
	fallback, deletes := r.manner(fields), r.deletes(fields["deletes"], host.DeletesOrigin)
	for _, e := range r.Entries(n, "conversations", "dev: {members: [libera/#dev, jabber/dev@muc.example.org]}") {
		name := e.Key.Value
		if name == "" || len(name) > maxName {
			r.Report(e.Key, "use 1 to 64 bytes", "%q cannot be the name of a conversation", name)
		}
		r.conversation(name, e, fallback, deletes)
	}
}

func (r *reader) conversation(name string, e document.Entry, fallback manner, deletes host.Deletes) {
	const example = "{members: [libera/#dev, jabber/dev@muc.example.org]}"
	what := "conversation " + name
	if document.Null(e.Value) {
		r.Report(e.Key, "add members: [libera/#dev, jabber/dev@muc.example.org]", "%s has no members", what)
		return
	}
	fields := r.Fields(e.Value, what, example, conversationKeys)
	at := r.atPlugs(fields["at"], what)
	own := r.manner(fields)

	c := &bridged{name: name, deletes: r.deletes(fields["deletes"], deletes)}
	nodes, complete := r.list(fields["members"], e, what)
	for _, n := range nodes {
		m := r.member(n)
		if m == nil {
			complete = false
			continue
		}
		if i := slices.IndexFunc(c.members, func(o *member) bool { return o.channel == m.channel }); i >= 0 {
			r.Report(n, "remove one of them", "%s has channel %s twice, first in line %d", what, m.channel, c.members[i].node.Line)
			continue
		}
		m.manner = m.manner.or(at[string(m.channel.Plug)].manner, own, fallback)
		c.members = append(c.members, m)
	}
	for plug, a := range at {
		if !slices.ContainsFunc(c.members, func(m *member) bool { return string(m.channel.Plug) == plug }) && complete {
			r.Report(a.key, "remove it, or add a channel of the plug to members", "%s has no member of plug %s", what, plug)
		}
	}
	if complete {
		r.carries(c, e)
	}
	r.bridged = append(r.bridged, c)
}

// list gives the members' nodes; ok is false if that was reported.
func (r *reader) list(n *document.Node, e document.Entry, what string) (nodes []*document.Node, ok bool) {
	const cure = "write it as a list: members: [libera/#dev, jabber/dev@muc.example.org]"
	switch {
	case document.Null(n):
		r.Report(e.Key, "add members: [libera/#dev, jabber/dev@muc.example.org]", "%s has no members", what)
		return nil, false
	case !r.Expect(n, document.List, "members", cure):
		return nil, false
	}
	return n.Content, true
}

// carries reports a conversation that could never carry a message.
func (r *reader) carries(c *bridged, e document.Entry) {
	readers := slices.ContainsFunc(c.members, (*member).reads)
	writers := slices.ContainsFunc(c.members, (*member).writes)
	switch {
	case len(c.members) < 2:
		r.Report(e.Key, "add another channel, or remove the conversation", "conversation %s has fewer than two members: nothing can be carried", c.name)
	case !readers:
		r.Report(e.Key, "give one of them direction: in or both", "every member of conversation %s has direction: out: nothing can be carried", c.name)
	case !writers:
		r.Report(e.Key, "give one of them direction: out or both", "every member of conversation %s has direction: in: nothing can be carried", c.name)
	}
}

// member reads one member; nil if it cannot be one.
func (r *reader) member(n *document.Node) *member {
	m := &member{node: n}
	channel := n
	if n.Kind == document.Mapping && !document.Refused(n) {
		fields := r.Fields(n, "member", "", memberKeys)
		if channel = fields["channel"]; channel == nil {
			r.Report(n, "add it: {channel: libera/#dev, direction: in}", `member has no key "channel"`)
			return nil
		}
		m.manner = r.manner(fields)
		m.direction = r.direction(fields["direction"])
	}
	if !r.channel(m, channel) {
		return nil
	}
	r.able(m, channel)
	return m
}

// channel reads "plug/source". Source is the scalar's literal text.
func (r *reader) channel(m *member, n *document.Node) bool {
	switch {
	case document.Refused(n):
		return false
	case document.Null(n):
		r.Report(n, document.CommentHint, "empty member")
		return false
	case n.Kind != document.Scalar:
		r.Report(n, "write plug/source, such as libera/#dev", "channel is %s", document.Kind(n))
		return false
	}
	plug, source, slash := strings.Cut(n.Value, "/")
	switch m.plug = r.plug(plug); {
	case !slash && r.plug(n.Value) == nil:
		r.Report(n, "write plug/source, such as "+r.exampleMember(n.Value), "member %q names no plug", n.Value)
		return false
	case m.plug == nil:
		r.Report(n, document.DidYouMean(plug, r.names()), "there is no plug %q", plug)
		return false
	case source == "":
		r.Report(n, document.CommentHint, "member %q has no source", n.Value)
		return false
	case len(source) > plugv1.MaxIDBytes:
		r.Report(n, "see how the plug names its channels", "the source has %d bytes; the most is %d", len(source), plugv1.MaxIDBytes)
		return false
	}
	m.channel = hook.Channel{Plug: m.plug.Name, Source: id.ChannelSource(source)}
	return true
}

// exampleMember puts a plug before a source that has none.
func (r *reader) exampleMember(source string) string {
	if len(r.plugs) == 0 || source == "" {
		return "libera/#dev"
	}
	return fmt.Sprintf("%s/%s", r.plugs[0].Name, source)
}

// able reports a member whose plug cannot do its part.
func (r *reader) able(m *member, n *document.Node) {
	facts := m.plug.Facts
	if facts == nil {
		return
	}
	emits := slices.Contains(facts.Emits, plugv1.EventKind_EVENT_KIND_MESSAGE)
	accepts := slices.Contains(facts.Accepts, plugv1.ActionKind_ACTION_KIND_MESSAGE)
	switch {
	case m.reads() && !emits && accepts:
		r.Report(n, fmt.Sprintf("write {channel: %s, direction: out}", m.channel), "plug %s (%s) only writes: no message comes from it", m.plug.Name, facts.Name)
	case m.writes() && !accepts && emits:
		r.Report(n, fmt.Sprintf("write {channel: %s, direction: in}", m.channel), "plug %s (%s) only reads: no message can be sent to it", m.plug.Name, facts.Name)
	case !emits && !accepts:
		r.Report(n, "remove it", "plug %s (%s) carries no messages", m.plug.Name, facts.Name)
	}
}

// plug finds a plug by its name; nil if there is none.
func (r *reader) plug(name string) *Plug {
	i := slices.IndexFunc(r.plugs, func(p Plug) bool { return string(p.Name) == name })
	if i < 0 {
		return nil
	}
	return &r.plugs[i]
}

// names lists the plugs' names.
func (r *reader) names() []string {
	names := make([]string, len(r.plugs))
	for i, p := range r.plugs {
		names[i] = string(p.Name)
	}
	return names
}

func (r *reader) direction(n *document.Node) host.Direction {
	if n == nil {
		return host.Both
	}
	text, ok := r.Text(n, "direction", "in")
	if !ok {
		return host.Both
	}
	d, known := directions[text]
	if !known {
		r.Report(n, "write in (from there to the others), out (from the others to there) or both", "there is no direction %q", text)
	}
	return d
}

// deletes reads whose deletes delete the copies; what else says if n says nothing.
func (r *reader) deletes(n *document.Node, otherwise host.Deletes) host.Deletes {
	if n == nil {
		return otherwise
	}
	text, ok := r.Text(n, "deletes", "origin")
	if !ok {
		return otherwise
	}
	d, known := deletes[text]
	if !known {
		r.Report(n, "write origin (of the message itself), any (of any copy) or none", "there is no deletes: %q", text)
	}
	return d
}

// manner reads what the fields of one place say of how the others' messages come.
func (r *reader) manner(fields map[string]*document.Node) manner {
	return manner{r.format(fields["name"]), r.massMentions(fields["mass_mentions"]), r.catchUp(fields["catch_up"])}
}

// massMentions reads whether mass mentions notify; nil if n says nothing.
func (r *reader) massMentions(n *document.Node) *bool {
	if n == nil {
		return nil
	}
	text, ok := r.Text(n, "mass_mentions", "text")
	if ok && text != "text" && text != "allow" {
		r.Report(n, "write text (they are shown and notify nobody) or allow", "there is no mass_mentions: %q", text)
	}
	return new(text == "allow")
}

// format reads how names look; "" if n says nothing.
func (r *reader) format(n *document.Node) string {
	if n == nil {
		return ""
	}
	text, ok := r.Text(n, "name", `"{name} [{network}]"`)
	if !ok {
		return ""
	}
	if _, err := conversation.ParseFormat(text); err != nil {
		r.Report(n, "", "%v", err)
		return ""
	}
	return text
}

// atPlug is what a conversation says of one plug.
type atPlug struct {
	key *document.Node
	manner
}

// atPlugs reads "at:", by plug.
func (r *reader) atPlugs(n *document.Node, what string) map[string]atPlug {
	at := map[string]atPlug{}
	for _, e := range r.Entries(n, "at", `{libera: {name: "<{name}> "}}`) {
		said := r.manner(r.Fields(e.Value, "at."+e.Key.Value, `{name: "<{name}> "}`, atKeys))
		if r.plug(e.Key.Value) == nil {
			r.Report(e.Key, document.DidYouMean(e.Key.Value, r.names()), "there is no plug %q", e.Key.Value)
			continue
		}
		at[e.Key.Value] = atPlug{e.Key, said}
	}
	return at
}

// loops reports each way in which messages would go in a circle, or arrive twice,
// at the last place of the file that takes part.
func (r *reader) loops() {
	conversations := make([]loop.Conversation, len(r.bridged))
	for i, c := range r.bridged {
		conversations[i].Name = c.name
		for _, m := range c.members {
			conversations[i].Members = append(conversations[i].Members, loop.Member{Channel: m.channel, Reads: m.reads(), Writes: m.writes()})
		}
	}
	member := func(s loop.Step) *member { return r.bridged[s.Conversation].members[s.By] }
	circles, doubled := loop.Find(conversations)
	for _, circle := range circles {
		last := member(circle[0])
		var way strings.Builder
		for _, s := range circle {
			if m := member(s); m.node.Line > last.node.Line {
				last = m
			}
			fmt.Fprintf(&way, "from %s by conversation %s, ", member(s).channel, r.bridged[s.Conversation].name)
		}
		r.Report(last.node, "remove one of these channels, put all of them into one conversation, or give one a direction",
			"messages would go in a circle: %sback to %s", way.String(), member(circle[0]).channel)
	}
	for _, d := range doubled {
		r.Report(member(d.To[1]).node, "remove it from one of the two", "messages of %s would arrive in %s twice, by conversations %s and %s",
			member(d.From[0]).channel, member(d.To[0]).channel, r.bridged[d.From[0].Conversation].name, r.bridged[d.From[1].Conversation].name)
	}
}
