package memory

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type tester interface {
	Helper()
	Fatal(...any)
}

func open(t tester, dir, broker, client string) *Memory {
	t.Helper()
	m, err := Open(dir, broker, client)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func begin(t *testing.T, m *Memory, present bool) (forgotten bool) {
	t.Helper()
	forgotten, err := m.Begin(present)
	if err != nil {
		t.Fatal(err)
	}
	return forgotten
}

func id(t tester, m *Memory, packet uint16, repeat bool, content string) (string, bool) {
	t.Helper()
	id, known, err := m.ID(packet, repeat, []byte(content))
	if err != nil || id == "" {
		t.Fatal("no id:", err)
	}
	return id, known
}

// A client id is made once and kept; one that is configured is taken as it is.
func TestClientID(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir, "b:1", "")
	made := m.Client()
	m.Close()
	if len(made) > 23 || !strings.HasPrefix(made, "plughost") {
		t.Errorf("made %q", made)
	}
	for _, c := range []struct{ asked, want string }{{"", made}, {"mine", "mine"}, {"", made}} {
		m := open(t, dir, "b:1", c.asked)
		if m.Client() != c.want {
			t.Errorf("asked for %q: %q", c.asked, m.Client())
		}
		m.Close()
	}
	m = open(t, t.TempDir(), "b:1", "")
	defer m.Close()
	if m.Client() == made {
		t.Error("two directories have one client id")
	}
}

// What the broker has forgotten is told until it was told; what belongs to another client's or
// broker's session counts for nothing.
func TestForgotten(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir, "b:1", "a")
	if begin(t, m, false) {
		t.Error("the first session was not the first")
	}
	if err := m.SetSubscriptions([]string{"x"}); err != nil {
		t.Fatal(err)
	}
	first, _ := id(t, m, 1, false, "hi")
	m.Close()

	m = open(t, dir, "b:1", "a")
	if begin(t, m, true) || !slices.Equal(m.Subscriptions(), []string{"x"}) {
		t.Errorf("a session that was kept: %v", m.Subscriptions())
	}
	if again, known := id(t, m, 1, true, "hi"); again != first || known {
		t.Errorf("after a restart the packet is %s (%v), was %s", again, known, first)
	}
	if !begin(t, m, false) || len(m.Subscriptions()) != 0 {
		t.Errorf("a session that was lost: %v", m.Subscriptions())
	}
	if again, _ := id(t, m, 1, true, "hi"); again == first {
		t.Error("a packet of the lost session is still known")
	}
	m.Close()
	m = open(t, dir, "b:1", "a")
	if !begin(t, m, true) {
		t.Error("the loss that nobody was told of is forgotten itself")
	}
	if err := m.Told(); err != nil {
		t.Fatal(err)
	}
	if begin(t, m, true) {
		t.Error("told twice")
	}
	last, _ := id(t, m, 1, true, "hi")
	m.Close()

	for _, other := range [][2]string{{"b:2", "a"}, {"b:1", "c"}} {
		m = open(t, dir, other[0], other[1])
		if begin(t, m, false) {
			t.Errorf("%v: another's session was forgotten", other)
		}
		if again, _ := id(t, m, 1, true, "hi"); again == last {
			t.Errorf("%v: another's packet is known", other)
		}
		m.Close()
	}
}

// Against a model: a repeat of what is remembered has its old id, everything else a new
// one, whenever the process is killed and however long it runs.
func TestPackets(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "memory")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		m := open(rt, dir, "b", "a")
		defer func() { m.Close() }()
		type last struct {
			content, id string
			here        bool
		}
		model, given := map[uint16]last{}, map[string]bool{}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			if rapid.IntRange(0, 9).Draw(rt, "kill") == 0 {
				m.Close()
				if rapid.Bool().Draw(rt, "torn") {
					file, _ := os.OpenFile(filepath.Join(dir, "packets.log"), os.O_APPEND|os.O_WRONLY, 0)
					file.WriteString(`{"packet":3,"digest":"`)
					file.Close()
				}
				m = open(rt, dir, "b", "a")
				for n, l := range model {
					l.here = false
					model[n] = l
				}
			}
			n := rapid.Uint16Range(1, 5).Draw(rt, "packet")
			repeat := rapid.Bool().Draw(rt, "repeat")
			content := rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "content")
			got, known := id(rt, m, n, repeat, content)
			was, ok := model[n]
			if ok && repeat && was.content == content {
				if got != was.id || known != was.here {
					rt.Fatalf("packet %d is %s (%v), was %s (%v)", n, got, known, was.id, was.here)
				}
			} else if known || given[got] {
				rt.Fatalf("packet %d is new and got %s (%v)", n, got, known)
			}
			given[got] = true
			model[n] = last{content, got, true}
		}
	})
}

// The memory and its file are bounded.
func TestBound(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir, "b", "a")
	var ids []string
	for i := range 3 * maxLines {
		given, _ := id(t, m, uint16(i%65535)+1, false, fmt.Sprint(i))
		ids = append(ids, given)
	}
	m.Close()
	b, err := os.ReadFile(filepath.Join(dir, "packets.log"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(b), "\n"); lines > maxLines {
		t.Errorf("the file has %d lines", lines)
	}
	m = open(t, dir, "b", "a")
	defer m.Close()
	for i := range ids {
		if i < len(ids)-remembered && i%1000 != 0 {
			continue // a sample of the forgotten ones is enough
		}
		was := ids[i]
		packet, ok := m.packets.known[uint16(i%65535)+1]
		if want := i >= len(ids)-remembered; ok != want || want && packet.ID != was {
			t.Fatalf("packet %d of %d: known %v", i, len(ids), ok)
		}
	}
	if len(m.packets.known) != remembered {
		t.Errorf("%d packets are remembered", len(m.packets.known))
	}
}

// A directory that can't be used is an error, and so is an identity that can't be read:
// a new one would be another client.
func TestOpenErrors(t *testing.T) {
	if _, err := Open("/nonexistent/dir", "b", "a"); err == nil {
		t.Error("opened a directory that is not there")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "identity.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "b", "a"); err == nil {
		t.Error("opened a broken identity")
	}
}

// digest tells parts apart that are alike when joined.
func TestDigest(t *testing.T) {
	if digest([][]byte{[]byte("ab"), []byte("c")}) == digest([][]byte{[]byte("a"), []byte("bc")}) {
		t.Error("topic and payload run into each other")
	}
}
