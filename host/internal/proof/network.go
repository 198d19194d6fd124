package proof

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/hook/conversation"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// The two networks and their channels. Channel "z" of network a hears the same
// as its channel "y".
var (
	networkNames = [2]id.NetworkID{"a", "b"}
	sources      = [2][]id.ChannelSource{{"x", "y", "z"}, {"x", "y"}}
)

func conversations() []conversation.Conversation {
	member := func(plug id.InstanceName, source id.ChannelSource) conversation.Member {
		return conversation.Member{Channel: hook.Channel{Plug: plug, Source: source}}
	}
	return []conversation.Conversation{
		{Name: "one", Members: []conversation.Member{member("a", "x"), member("b", "x")}},
		{Name: "two", Members: []conversation.Member{member("a", "y"), member("b", "y"), member("a", "z")}},
	}
}

// others lists the channels that hear what is said in one.
func others(c id.Channel) []id.Channel {
	var all []id.Channel
	for _, conversation := range conversations() {
		var members []id.Channel
		for _, m := range conversation.Members {
			members = append(members, id.Channel{Network: id.NetworkID(m.Channel.Plug), Source: m.Channel.Source})
		}
		if i := slices.Index(members, c); i >= 0 {
			all = append(all, slices.Delete(members, i, i+1)...)
		}
	}
	return all
}

// room names a channel by the numbers in a step.
func room(network, channel int) id.Channel {
	of := sources[network]
	return id.Channel{Network: networkNames[network], Source: of[channel%len(of)]}
}

// threadOf is where messages for a channel land in a network that puts them
// elsewhere.
func threadOf(s id.ChannelSource) id.ChannelSource { return s + "/thread" }

// network is what goes on outside: the logs of its channels, and what it
// remembers of operation ids. It outlives plugs and host.
type network struct {
	Network
	id  id.NetworkID
	run *run

	mu      sync.Mutex
	rooms   map[id.ChannelSource]*channelLog
	taken   map[string]*message // by operation id
	kept    []*message          // all of them
	coming  int                 // echoes that are still to be shown
	changed chan struct{}       // closed at every change
}

// channelLog is everything that a channel has shown, in order, whatever it was called.
type channelLog struct {
	source id.ChannelSource // the first one
	shown  []*entry
	ids    map[id.ChannelSource]int
	moves  []move
	text   string // said last
}

// entry is one event, as the network shows it to whoever listens.
type entry struct {
	event *plugv1.Event
	place int // in the log
	shown time.Time
	copy  *message // of which it is the echo; nil: of none
	fates []Fate   // what becomes of its copies
	parts int      // of its copies
	twice bool     // shows a message that was shown before
}

// message is one physical message that the network took from the plug.
type message struct {
	channel   id.Channel
	ids       []string
	operation id.OperationID
	part      uint32
	only      bool             // it is the operation's only part
	asked     id.ChannelSource // channel that was asked for
	taken     time.Time
	receipt   *plugv1.Receipt
	shownAt   time.Time // guarded by the witness
	shownAs   name      // the same
	silent    bool      // it is never shown
	heard     bool      // the plug's reader has seen the echo
}

func newNetwork(r *run, name id.NetworkID, of Network, channels []id.ChannelSource) *network {
	n := &network{Network: of, id: name, run: r, rooms: map[id.ChannelSource]*channelLog{}, taken: map[string]*message{}, changed: make(chan struct{})}
	for _, s := range channels {
		n.rooms[s] = newChannelLog(s)
		if of.Elsewhere {
			n.rooms[threadOf(s)] = newChannelLog(threadOf(s))
		}
	}
	return n
}

func newChannelLog(s id.ChannelSource) *channelLog {
	return &channelLog{source: s, ids: map[id.ChannelSource]int{}}
}

// abilities is what the plug says of its network.
func (n *network) abilities() *plugv1.Abilities {
	a := &plugv1.Abilities{Echo: n.Echo, Resumable: n.Resumable, AuthorMode: plugv1.AuthorMode_AUTHOR_MODE_NATIVE, Limits: n.limits()}
	if n.Window > 0 {
		a.IdempotentPut = &plugv1.IdempotentPut{Window: durationpb.New(n.Window), SurvivesNetworkRestart: true}
	}
	return a
}

// logs lists the logs in the order of their names.
func (n *network) logs() []*channelLog {
	logs := make([]*channelLog, 0, len(n.rooms))
	for _, l := range n.rooms {
		logs = append(logs, l)
	}
	slices.SortFunc(logs, func(a, b *channelLog) int {
		if a.source < b.source {
			return -1
		}
		return 1
	})
	return logs
}

// sources lists the channels in the order of their names.
func (n *network) sources() (all []id.ChannelSource) {
	for _, l := range n.logs() {
		all = append(all, l.source)
	}
	return all
}

// at returns the log's entry at a place, or nil.
func (n *network) at(l *channelLog, place int) *entry {
	n.mu.Lock()
	defer n.mu.Unlock()
	if place < len(l.shown) {
		return l.shown[place]
	}
	return nil
}

// news returns what is closed when something more is shown.
func (n *network) news() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed
}

func (n *network) length(l *channelLog) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(l.shown)
}

// show puts an event into its channel's log, under its source if that is not the present
// one.
func (n *network) show(l *channelLog, e *entry) {
	e.place, e.shown = len(l.shown), time.Now()
	e.event.Time = timestamppb.Now()
	if e.event.Channel == "" {
		e.event.Channel = string(l.now())
	}
	l.shown = append(l.shown, e)
	n.run.witness.shown(id.Channel{Network: n.id, Source: l.source}, e)
	close(n.changed)
	n.changed = make(chan struct{})
}

func (l *channelLog) nextID(s id.ChannelSource) string {
	l.ids[s]++
	return strconv.Itoa(l.ids[s]) // the same in every channel, under every source: ids are unique in one only
}

func text(s string) *plugv1.Event_Message {
	return &plugv1.Event_Message{Message: &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: s}}}}}
}

// say makes somebody write in a channel: a stranger, or with own another device
// of our account.
func (n *network) say(s id.ChannelSource, step Step, own plugv1.Own, operation string) *entry {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.rooms[s]
	name := l.nextID(l.now())
	if !step.Same || l.text == "" {
		l.text = fmt.Sprintf("%s %s %s", n.id, l.now(), name)
	}
	e := &entry{fates: step.Fates, parts: max(1, step.Parts), event: &plugv1.Event{
		EventId: "e" + name, MessageId: name, Own: own, OperationId: operation, Kind: text(l.text),
		Author: &plugv1.User{Id: "stranger"},
	}}
	n.show(l, e)
	return e
}

// twice shows the last message of a channel again, as another event.
func (n *network) twice(s id.ChannelSource) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.rooms[s]
	if len(l.shown) == 0 {
		return false
	}
	of := l.shown[len(l.shown)-1].event
	if of.GetMessage() == nil {
		return false
	}
	s = id.ChannelSource(of.Channel)
	n.show(l, &entry{twice: true, parts: 1, event: &plugv1.Event{
		EventId: "again" + l.nextID(s), Channel: of.Channel, MessageId: of.MessageId, Own: of.Own, OperationId: of.OperationId, Kind: of.Kind, Author: of.Author,
	}})
	return true
}

// take takes one physical part of an operation, or finds that it has it already; nil if
// the channel goes on under another source.
func (n *network) take(r *plugv1.PutRequest, part uint32, name string, fate Fate) *message {
	n.mu.Lock()
	defer n.mu.Unlock()
	asked := id.ChannelSource(r.Channel)
	if n.rooms[homeOf(asked)].now() != asked {
		return nil
	}
	if m := n.taken[name]; m != nil && n.Window > 0 && time.Since(m.taken) < n.Window {
		return m
	}
	landed := asked
	if n.Elsewhere {
		landed = threadOf(homeOf(asked))
	}
	l := n.rooms[homeOf(landed)]
	number := l.nextID(landed)
	m := &message{channel: id.Channel{Network: n.id, Source: landed}, ids: []string{number}, operation: id.OperationID(r.OperationId),
		part: part, only: name == r.OperationId, asked: asked, taken: time.Now(), receipt: &plugv1.Receipt{Id: number}, silent: n.Echo == plugv1.Echo_ECHO_NONE || fate.Echo < 0}
	if homeOf(asked) == "y" { // here the answer names the message otherwise than the echo
		m.receipt.Id, m.receipt.Aliases = "c"+number, []string{number}
		m.ids = append(m.ids, "c"+number)
	}
	if n.Elsewhere {
		m.receipt.Channel = string(landed)
	}
	n.taken[name], n.kept = m, append(n.kept, m)
	n.run.witness.took(m)
	if m.silent {
		return m
	}
	event := &plugv1.Event{EventId: "e" + number, Channel: string(landed), MessageId: number, Own: plugv1.Own_OWN_YES, Kind: text("copy"), Author: &plugv1.User{Id: "us"}}
	switch {
	case n.Echo == plugv1.Echo_ECHO_OPERATION_ID:
		event.OperationId = name
	case n.Unsure:
		event.Own = plugv1.Own_OWN_UNKNOWN
	}
	echo := &entry{copy: m, event: event}
	if fate.Echo == 0 {
		n.show(l, echo)
		return m
	}
	n.coming++
	time.AfterFunc(fate.Echo, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.coming--
		n.show(l, echo)
	})
	return m
}

// receiptFor is the message's receipt in the answer to a Put to a source.
func (m *message) receiptFor(asked string) *plugv1.Receipt {
	if m.receipt.Channel != "" || string(m.asked) == asked {
		return m.receipt
	}
	r := proto.CloneOf(m.receipt)
	r.Channel = string(m.asked)
	return r
}

// quiet tells whether all echoes were shown.
func (n *network) quiet() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.coming == 0
}

// hear notes that the plug's reader has seen a message's echo.
func (n *network) hear(m *message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m.heard = true
}

func (n *network) heard(m *message) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return m.heard
}
