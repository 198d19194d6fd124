package history

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(asWriter); path != "" {
		sayUntilKilled(path)
	}
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openNew(t *testing.T) *Store { return open(t, filepath.Join(t.TempDir(), "chat.sqlite")) }

func message(name, text, once string) room.Change {
	return room.Change{Kind: room.Said, Room: name, By: room.Person{ID: "a", Name: "Ann"}, Content: room.Content{Text: text}, Once: once}
}

func say(t *testing.T, s *Store, name, text, once string) room.Change {
	t.Helper()
	m, err := s.Do(t.Context(), message(name, text, once))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func texts(messages []room.Change) string {
	var all []string
	for _, m := range messages {
		all = append(all, m.Text)
	}
	return strings.Join(all, " ")
}

// everything is what the file holds, in order.
func everything(t *testing.T, s *Store) []room.Change {
	t.Helper()
	m, err := s.Since(t.Context(), 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestReading(t *testing.T) {
	s := openNew(t)
	if end, err := s.End(t.Context()); err != nil || end != 0 {
		t.Errorf("the end of nothing: %d, %v", end, err)
	}
	changed := s.Changed()
	var rows []int64
	for i := range 10 {
		rows = append(rows, say(t, s, []string{"a", "b"}[i%2], fmt.Sprint(i), "").Row)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody was told that there is something new")
	}
	check := func(what, want string, messages []room.Change, err error) {
		t.Helper()
		if err != nil || texts(messages) != want {
			t.Errorf("%s: %q, %v; want %q", what, texts(messages), err, want)
		}
	}
	m, err := s.Since(t.Context(), rows[6], 100)
	check("after a row", "7 8 9", m, err)
	m, err = s.Since(t.Context(), 0, 3)
	check("at most 3", "0 1 2", m, err)
	m, err = s.SinceIn(t.Context(), "b", rows[2], 100)
	check("in a room", "3 5 7 9", m, err)
	m, err = s.SinceIn(t.Context(), "b", rows[2], 2)
	check("at most 2 in a room", "3 5", m, err)
	if end, err := s.End(t.Context()); err != nil || end != rows[9] {
		t.Errorf("end = %d, %v; want %d", end, err, rows[9])
	}
}

// A message is the same when it is read, also by the next process, and the rows go
// on counting where they were.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat?#%.sqlite")
	s := open(t, path)
	said, err := s.Do(t.Context(), room.Change{Kind: room.Said, Room: "den", By: room.Person{ID: "x", Name: "Zoë", Origin: room.Bridge}, Content: room.Content{Text: "مرحبا\n👩‍👩‍👧 '\"--"}, Once: "operation:1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if m := everything(t, s); len(m) != 1 || !reflect.DeepEqual(m[0], said) {
		t.Errorf("read %+v, want %+v", m, said)
	}
	if next := say(t, s, "den", "next", ""); next.Row <= said.Row {
		t.Errorf("row %d after row %d", next.Row, said.Row)
	}
}

func TestFactsStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.sqlite")
	s := open(t, path)
	first, err := s.Fact(t.Context(), "id", RandomID)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, path)
	if again, err := s.Fact(t.Context(), "id", RandomID); err != nil || again != first {
		t.Errorf("after a restart: %q, %v; want %q", again, err, first)
	}
	if err := s.SetFact(t.Context(), "id", "other"); err != nil {
		t.Fatal(err)
	}
	if now, _ := s.Fact(t.Context(), "id", RandomID); now != "other" {
		t.Errorf("after SetFact: %q", now)
	}
}

// Readers don't use up memory: of many at once a few read, the others wait.
func TestReadersAreBounded(t *testing.T) {
	s := openNew(t)
	for range readers {
		conn, err := s.read.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.End(ctx); err == nil {
		t.Error("one more could read")
	}
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Scrolling back gives a room's messages page by page, and nothing of what lies
// between them.
func TestBefore(t *testing.T) {
	s := openNew(t)
	for i := range 10 {
		say(t, s, []string{"a", "b"}[i%2], fmt.Sprint(i), "")
		do(t, s, room.Change{Kind: room.Joined, Room: "a", By: room.Person{ID: "x", Name: fmt.Sprint("X", i)}})
	}
	var pages []string
	for row := int64(0); ; {
		m, err := s.Before(t.Context(), "a", row, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(m) == 0 {
			break
		}
		var page []string
		for _, m := range m {
			page = append(page, m.Text)
		}
		pages, row = append(pages, strings.Join(page, " ")), m[0].Row
	}
	if got := strings.Join(pages, ", "); got != "6 8, 2 4, 0" {
		t.Errorf("got %s", got)
	}
}
