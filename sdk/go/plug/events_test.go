package plug

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	hclog "github.com/hashicorp/go-hclog"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/grpc"
)

// What the constructors make has all that its kind needs.
func TestConstructors(t *testing.T) {
	users := []*plugv1.User{{Id: "u"}}
	own := plugv1.Own_OWN_NO
	removed := NewReactionRemoved("room", "", nil, own)
	removed.GetReactionRemoved().ReactionId = "r"
	kinds := make(map[string]bool)
	for _, e := range []*plugv1.Event{
		NewMessage("room", "1", "text", own), NewEdit("room", "1", "text", own), NewDelete("room", "1", own),
		NewReactionAdded("room", "1", Emoji("👍"), own), NewReactionRemoved("room", "1", CustomEmoji("k", "a kitten"), own), removed,
		NewReactionsSet("room", "1", []*plugv1.Reaction{Emoji("👍")}, own),
		NewMembersJoined("room", users, own), NewMembersLeft("room", users, "bye", own),
		NewTitleChanged("room", "", own), NewTopicChanged("room", "news", own), NewChannelMigrated("room", "new"),
		NewChannelState("room", plugv1.ChannelState_CHANNEL_STATE_DENIED, "banned"),
		NewTyping("room", users[0], true, own), NewReadMarker("room", "1", users[0], own),
	} {
		q := newQueue()
		if err := q.Event(t.Context(), e); err != nil || q.lastEvent() != e || e.GetOwn() != own {
			t.Errorf("%v: %v", e, err)
		}
		m := e.ProtoReflect()
		kinds[string(m.WhichOneof(m.Descriptor().Oneofs().ByName("kind")).Name())] = true
	}
	if all := (&plugv1.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields().Len(); len(kinds) != all {
		t.Errorf("there are constructors of %d kinds, of %d", len(kinds), all)
	}
	if e := NewEdit("room", "1", "a\xffb", own); newQueue().Event(t.Context(), e) != nil || PlainText(e.GetEdit().GetContent().GetText()) != "a\uFFFDb" {
		t.Errorf("got %v", e)
	}
}

// A plug that is served without a process has all its services there too.
func TestRegister(t *testing.T) {
	g := grpc.NewServer()
	if err := Register(g, Definition{Name: "fake", Version: "1.0.0", Network: "Fake", New: func() Plug { return &known{} }}, hclog.NewNullLogger()); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(services(&known{}), "plughost.plug.v1.Plug") {
		if _, ok := g.GetServiceInfo()[name]; !ok {
			t.Errorf("%s is claimed and not served", name)
		}
	}
	if n := len(g.GetServiceInfo()); n != 5 {
		t.Errorf("%d services", n)
	}
	if Register(g, Definition{}, hclog.NewNullLogger()) == nil {
		t.Error("a definition without anything was served")
	}
	want := []string{"plughost.plug.v1.NetworkStatus", "plughost.plug.v1.ConfigValidator"}
	if got := services(validator{&fake{}}); !slices.Equal(got, want) {
		t.Errorf("services %v", got)
	}
	if got := services(setter{}); !slices.Contains(got, "plughost.plug.v1.Channels") {
		t.Errorf("services %v", got)
	}
}

// Files cross by the session's spool, in the directories that the contract names.
func TestSessionSpool(t *testing.T) {
	dir := t.TempDir()
	s := &Session{SpoolDir: dir}
	f, err := s.Spool().Create("cat.png")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, "meow"); err != nil {
		t.Fatal(err)
	}
	file, err := f.Commit()
	if err != nil {
		t.Fatal(err)
	}
	// What the host does: it moves a file from one plug's "out" to another's "in".
	if err := os.Rename(filepath.Join(dir, "out"), filepath.Join(dir, "in")); err != nil {
		t.Fatal(err)
	}
	in, err := s.Spool().Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if b, err := io.ReadAll(in); err != nil || string(b) != "meow" {
		t.Errorf("got %q, %v", b, err)
	}
}
