package room

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(asWriter); path != "" {
		sayUntilKilled(path)
	}
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
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

func message(room, text, once string) Message {
	return Message{Room: room, AuthorID: "a", Author: "Ann", Text: text, Once: once}
}

func say(t *testing.T, s *Store, room, text, once string) Message {
	t.Helper()
	m, err := s.Say(t.Context(), message(room, text, once))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func texts(messages []Message) string {
	var all []string
	for _, m := range messages {
		all = append(all, m.Text)
	}
	return strings.Join(all, " ")
}

// everything is what the file holds, in order.
func everything(t *testing.T, s *Store) []Message {
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
	check := func(what, want string, messages []Message, err error) {
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
	for n, want := range map[int]string{2: "6 8", 5: "0 2 4 6 8", 50: "0 2 4 6 8"} {
		before, err := s.BeforeLast(t.Context(), "a", n)
		if err != nil {
			t.Fatal(err)
		}
		m, err = s.SinceIn(t.Context(), "a", before, 100)
		check(fmt.Sprintf("the last %d of a room", n), want, m, err)
	}
	if end, err := s.End(t.Context()); err != nil || end != rows[9] {
		t.Errorf("end = %d, %v; want %d", end, err, rows[9])
	}
}

// A message is the same when it is read, also by the next process, and the rows go
// on counting where they were.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat?#%.sqlite")
	s := open(t, path)
	said, err := s.Say(t.Context(), Message{Room: "den", AuthorID: "x", Author: "Zoë", Bridged: true, Text: "مرحبا\n👩‍👩‍👧 '\"--", Once: "operation:1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if m := everything(t, s); len(m) != 1 || m[0] != said {
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

func TestCheck(t *testing.T) {
	ok := Message{Author: strings.Repeat("ö", MaxAuthor), Text: strings.Repeat("é", MaxText)}
	if err := ok.Check(); err != nil {
		t.Errorf("the longest text and name: %v", err)
	}
	for name, m := range map[string]Message{
		"empty":               {Author: "Ann", Text: " \n"},
		"zero-width":          {Author: "Ann", Text: "\u200b\u2060"},
		"too long":            {Author: "Ann", Text: ok.Text + "é"},
		"no name":             {Author: "\u3000", Text: "x"},
		"a name of marks":     {Author: "\u200d\u200e", Text: "x"},
		"a name that is long": {Author: ok.Author + "ö", Text: "x"},
	} {
		if m.Check() == nil {
			t.Errorf("%s: no error", name)
		}
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
