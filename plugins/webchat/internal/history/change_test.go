package history

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

var (
	ann = room.Person{ID: "ann", Name: "Ann"}
	bo  = room.Person{ID: "bo", Name: "Bo"}
	net = room.Person{ID: "bridged:1", Name: "Cy [Net]", Origin: room.Bridge}
	own = room.Person{ID: "plughost", Name: "plughost", Origin: room.Host}
)

func do(t *testing.T, s *Store, c room.Change) room.Change {
	t.Helper()
	if c.Room == "" {
		c.Room = "r"
	}
	done, err := s.Do(t.Context(), c)
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	return done
}

func refused(t *testing.T, s *Store, c room.Change, want error) {
	t.Helper()
	if c.Room == "" {
		c.Room = "r"
	}
	before, _ := s.End(t.Context())
	if _, err := s.Do(t.Context(), c); !errors.Is(err, want) || !errors.Is(err, ErrNotDone) {
		t.Errorf("%+v: %v, want %v", c, err, want)
	}
	if after, _ := s.End(t.Context()); after != before {
		t.Errorf("%+v: refused, and yet there is a row more", c)
	}
}

func said(by room.Person, text string) room.Change {
	return room.Change{Kind: room.Said, By: by, Content: room.Content{Text: text}}
}

func last(t *testing.T, s *Store) room.Message {
	t.Helper()
	m, err := s.Before(t.Context(), "r", 0, 1)
	if err != nil || len(m) != 1 {
		t.Fatalf("read the last message: %v, %v", m, err)
	}
	return m[0]
}

// A file that the version before wrote, in which nothing was but messages: each
// keeps its row, and everything can be done to them now.
func TestOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`PRAGMA journal_mode(WAL);` + versions[0] + `
		INSERT INTO messages (row, room, author_id, author, bridged, text, time, once) VALUES
			(1, 'r', 'ann', 'Ann', 0, 'one', 1700000000000, 'page:ann:12345678'),
			(2, 'other', 'bo', 'Bo', 0, 'elsewhere', 1700000000001, 'page:bo:12345678'),
			(3, 'r', 'bridged:1', 'Cy [Net]', 1, 'two', 1700000000002, 'operation:0123456789abcdefghij'),
			(4, 'r', 'plughost', 'plughost', 0, 'three', 1700000000003, 'operation:1123456789abcdefghij'),
			(7, 'r', 'ann', 'Ann', 0, 'four', 1700000000004, NULL);
		UPDATE sqlite_sequence SET seq = 9;
		INSERT INTO facts VALUES ('id', 'THIS');`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing left to do
		s := open(t, path)
		all := everything(t, s)
		if got := texts(all); !strings.HasPrefix(got, "one elsewhere two three four") || all[4].Row != 7 || all[2].By != net || all[3].By != own ||
			all[0].Kind != room.Said || all[0].Once != "page:ann:12345678" || all[0].Time.UnixMilli() != 1700000000000 {
			t.Fatalf("the file has %+v", all)
		}
		if id, err := s.Fact(t.Context(), "id", RandomID); err != nil || id != "THIS" {
			t.Errorf("it is the chat %q, %v", id, err)
		}
		s.Close()
	}
	s := open(t, path)
	if again := do(t, s, room.Change{Kind: room.Said, By: net, Content: room.Content{Text: "x"}, Once: "operation:0123456789abcdefghij"}); again.Row != 3 {
		t.Errorf("an operation of before was done again, as row %d", again.Row)
	}
	if next := do(t, s, said(ann, "five")); next.Row <= 9 {
		t.Errorf("the next row is %d: one was given a second time", next.Row)
	}
	do(t, s, room.Change{Kind: room.Edited, By: ann, About: 7, Content: room.Content{Text: "4"}})
	do(t, s, room.Change{Kind: room.Deleted, By: net, About: 4})
	refused(t, s, room.Change{Kind: room.Deleted, By: ann, About: 3}, room.ErrForeign)
}

// A file of a version that is not known yet is left alone.
func TestNewerFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.sqlite")
	s := open(t, path)
	if _, err := s.change.Exec(fmt.Sprintf("PRAGMA user_version = %d", len(versions)+1)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if s, err := Open(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), "newer") {
		s.Close()
		t.Errorf("opened a newer file: %v", err)
	}
}

// An edit is a row; the message stands as its last edit has it, with its files.
func TestEdit(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "chat.sqlite"))
	m := do(t, s, said(ann, "frist"))
	edit := room.Change{Kind: room.Edited, By: room.Person{ID: "ann", Name: "Annie"}, About: m.Row, Once: "page:ann:edit",
		Content: room.Content{Text: "*first*", Segments: []room.Segment{{Text: "first", Italic: true}}}}
	e := do(t, s, edit)
	if e.Row <= m.Row || e.By != ann {
		t.Errorf("the edit is %+v", e)
	}
	if now := last(t, s); now.Row != m.Row || now.Text != "*first*" || now.Plain() != "first" || now.Edited != e.Row || now.IsDeleted || !now.Time.Equal(m.Time) || now.By != ann {
		t.Errorf("it stands as %+v", now)
	}
	edit.Text = "second"
	if again := do(t, s, edit); again.Row != e.Row || again.Text != "*first*" {
		t.Errorf("edited again under the same id: %+v", again)
	}
	if got := texts(everything(t, s)); got != "frist *first*" {
		t.Errorf("the log has %q", got)
	}
	edit.Once, edit.About = "", e.Row
	refused(t, s, edit, room.ErrGone) // that row is no message
	edit.About, edit.Room = m.Row, "other"
	refused(t, s, edit, room.ErrGone) // there it isn't
}

// Who may edit and delete: the author their own; the plug what it put, and nobody on
// the page any of that.
func TestWhoMay(t *testing.T) {
	s := openNew(t)
	impostor := room.Person{ID: net.ID, Name: net.Name} // on the page, with a bridged one's id
	for _, c := range []struct {
		author, by room.Person
		may        bool
	}{
		{ann, ann, true}, {ann, bo, false}, {ann, net, false}, {ann, own, false},
		{net, ann, false}, {net, impostor, false}, {net, net, true}, {net, own, true},
		{own, ann, false}, {own, net, true}, {own, own, true},
	} {
		m := do(t, s, said(c.author, "x"))
		for _, kind := range []room.Kind{room.Edited, room.Deleted} {
			change := room.Change{Kind: kind, By: c.by, About: m.Row, Content: room.Content{Text: "y"}}
			if c.may {
				do(t, s, change)
			} else {
				refused(t, s, change, room.ErrForeign)
			}
		}
	}
}

// Of a deleted message neither the file nor any reader has the words; that it was
// there is known.
func TestDelete(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.sqlite")
	s := open(t, path)
	m := do(t, s, said(ann, "my secret"))
	do(t, s, room.Change{Kind: room.Edited, By: ann, About: m.Row, Content: room.Content{Text: "my other secret"}})
	do(t, s, room.Change{Kind: room.Reacted, By: bo, About: m.Row, Emoji: "👍"})
	answer := do(t, s, room.Change{Kind: room.Said, By: bo, About: m.Row, Content: room.Content{Text: "which?"}})
	d := do(t, s, room.Change{Kind: room.Deleted, By: ann, About: m.Row, Once: "page:ann:gone"})
	for _, c := range everything(t, s) {
		if strings.Contains(c.Text, "secret") || c.Row == m.Row && !c.Empty() {
			t.Errorf("row %d has %q", c.Row, c.Text)
		}
		if c.Row == answer.Row && (c.Quote == nil || c.Quote.Text != "" || c.Quote.By != ann) {
			t.Errorf("the answer quotes %+v", c.Quote)
		}
	}
	if all, _ := s.Before(t.Context(), "r", 0, 10); len(all) != 2 || !all[0].IsDeleted || all[0].Text != "" || len(all[0].Reactions) != 0 {
		t.Errorf("it stands as %+v", all)
	}
	if _, err := s.change.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(contents(t, path)), "secret") {
		t.Error("the file still has the words")
	}
	if again := do(t, s, room.Change{Kind: room.Deleted, By: ann, About: m.Row, Once: "page:ann:gone"}); again.Row != d.Row {
		t.Errorf("deleted again as row %d, was %d", again.Row, d.Row)
	}
	for _, kind := range []room.Kind{room.Edited, room.Deleted, room.Reacted} {
		refused(t, s, room.Change{Kind: kind, By: ann, About: m.Row, Emoji: "👍", Content: room.Content{Text: "x"}}, room.ErrGone)
	}
	if m := do(t, s, room.Change{Kind: room.Said, By: bo, About: m.Row, Content: room.Content{Text: "late"}}); m.About != 0 {
		t.Errorf("an answer to what is gone answers %d", m.About)
	}
}

func TestReactions(t *testing.T) {
	s := openNew(t)
	m := do(t, s, said(ann, "x"))
	react := func(kind room.Kind, by room.Person, emoji string) room.Change {
		return room.Change{Kind: kind, By: by, About: m.Row, Emoji: emoji}
	}
	do(t, s, react(room.Reacted, bo, "👍"))
	do(t, s, react(room.Reacted, net, "🎉"))
	do(t, s, react(room.Reacted, ann, "👍"))
	refused(t, s, react(room.Reacted, ann, "👍"), room.ErrAlready)
	refused(t, s, react(room.Unreacted, ann, "🎉"), room.ErrAlready)
	want := []room.Reaction{{Emoji: "👍", By: []room.Person{bo, ann}}, {Emoji: "🎉", By: []room.Person{net}}}
	if got := last(t, s).Reactions; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	do(t, s, react(room.Unreacted, bo, "👍"))
	do(t, s, react(room.Unreacted, net, "🎉"))
	if got := last(t, s).Reactions; !reflect.DeepEqual(got, []room.Reaction{{Emoji: "👍", By: []room.Person{ann}}}) {
		t.Errorf("got %+v", got)
	}
	for i := range maxReactionsEach {
		do(t, s, react(room.Reacted, bo, fmt.Sprint("e", i)))
	}
	refused(t, s, react(room.Reacted, bo, "one more"), room.ErrTooMany)
}

// Coming, being called otherwise and going are rows, and who is there outlives a
// restart.
func TestMembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.sqlite")
	s := open(t, path)
	move := func(kind room.Kind, p room.Person) room.Change { return room.Change{Kind: kind, By: p} }
	do(t, s, move(room.Joined, bo))
	do(t, s, move(room.Joined, ann))
	refused(t, s, move(room.Joined, ann), room.ErrAlready)
	do(t, s, room.Change{Kind: room.Joined, Room: "den", By: ann})
	if c := do(t, s, move(room.Joined, room.Person{ID: "ann", Name: "Zoë"})); c.Kind != room.Renamed {
		t.Errorf("called otherwise: %+v", c)
	}
	s.Close()
	s = open(t, path)
	if got, err := s.Members(t.Context(), "r"); err != nil || !slices.Equal(got, []room.Person{bo, {ID: "ann", Name: "Zoë"}}) {
		t.Errorf("in the room are %+v, %v", got, err)
	}
	do(t, s, move(room.Left, bo))
	refused(t, s, move(room.Left, bo), room.ErrAlready)
	if got, _ := s.Members(t.Context(), "r"); len(got) != 1 {
		t.Errorf("in the room are %+v", got)
	}
}

// shelf is where a test's files are.
type shelf map[string]bool

func (s shelf) Has(hash string) bool { return s[hash] }
func (s shelf) Remove(hash string)   { delete(s, hash) }

// A file is there as long as a message names it.
func TestFilesOfMessages(t *testing.T) {
	files := shelf{"a": true, "b": true}
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "chat.sqlite"), files)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	with := func(hashes ...string) room.Change {
		c := said(ann, "")
		for _, h := range hashes {
			c.Files = append(c.Files, room.File{Hash: h, Name: h + ".png", Type: "image/png", Size: 5})
		}
		return c
	}
	one, two := do(t, s, with("a", "b")), do(t, s, with("a"))
	refused(t, s, with("c"), room.ErrNoFile)
	do(t, s, room.Change{Kind: room.Edited, By: ann, About: one.Row, Content: room.Content{Text: "both"}})
	if m, err := s.Message(t.Context(), "r", one.Row); err != nil || m.Text != "both" || !reflect.DeepEqual(m.Files, one.Files) {
		t.Errorf("after an edit: %+v, %v", m, err)
	}
	do(t, s, room.Change{Kind: room.Deleted, By: ann, About: one.Row})
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, []string{"a"}) {
		t.Errorf("after the first is deleted there are %v", got)
	}
	if used, err := s.FileUsed(t.Context(), "a"); err != nil || !used {
		t.Errorf("a is in use: %v, %v", used, err)
	}
	do(t, s, room.Change{Kind: room.Deleted, By: ann, About: two.Row})
	if used, err := s.FileUsed(t.Context(), "a"); err != nil || used || len(files) != 0 {
		t.Errorf("a is in use: %v, %v; there are %v", used, err, files)
	}
}

// An author's picture is there as long as a message of theirs names it; one that isn't
// there is no reason to refuse what was said.
func TestPictures(t *testing.T) {
	files := shelf{"p": true}
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "chat.sqlite"), files)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	with := func(text, picture string) room.Change {
		c := said(ann, text)
		c.Avatar = picture
		return c
	}
	one, two := do(t, s, with("one", "p")), do(t, s, with("two", "p"))
	if none := do(t, s, with("three", "q")); none.Avatar != "" {
		t.Errorf("the picture that isn't there is %q", none.Avatar)
	}
	do(t, s, room.Change{Kind: room.Edited, By: ann, About: one.Row, Content: room.Content{Text: "uno"}})
	if m, err := s.Message(t.Context(), "r", one.Row); err != nil || m.Text != "uno" || m.Avatar != "p" {
		t.Errorf("after an edit: %+v, %v", m, err)
	}
	do(t, s, room.Change{Kind: room.Deleted, By: ann, About: one.Row})
	if used, err := s.FileUsed(t.Context(), "p"); err != nil || !used || !files["p"] {
		t.Errorf("the picture is in use: %v, %v", used, err)
	}
	do(t, s, room.Change{Kind: room.Deleted, By: ann, About: two.Row})
	if len(files) != 0 {
		t.Errorf("there is still %v", files)
	}
}

// How things stand is what the log makes of them, wherever one begins: what Before
// gave, and then the changes after it, are everything.
func TestStandsAsTheLogSays(t *testing.T) {
	s := openNew(t) // one for all, since making a file takes long: each has a room of its own
	rapid.Check(t, func(r *rapid.T) {
		begin, err := s.End(t.Context())
		if err != nil {
			r.Fatal(err)
		}
		name := fmt.Sprint("room ", begin)
		var snapshot []room.Message
		from := rapid.IntRange(0, 30).Draw(r, "from")
		for i := range 30 {
			if i == from {
				if snapshot, err = s.Before(t.Context(), name, 0, 1000); err != nil {
					r.Fatal(err)
				}
			}
			c := room.Change{
				Room:  name,
				Kind:  rapid.SampledFrom([]room.Kind{room.Said, room.Edited, room.Deleted, room.Reacted, room.Unreacted}).Draw(r, "kind"),
				By:    rapid.SampledFrom([]room.Person{ann, bo, net}).Draw(r, "by"),
				About: begin + rapid.Int64Range(0, 10).Draw(r, "about"),
			}
			switch c.Kind {
			case room.Said, room.Edited:
				c.Text = fmt.Sprint(i)
			default:
				c.Emoji = rapid.SampledFrom([]string{"👍", "🎉"}).Draw(r, "emoji")
			}
			if _, err := s.Do(t.Context(), c); err != nil && !errors.As(err, new(room.Refusal)) {
				r.Fatal(err)
			}
		}
		model := map[int64]string{}
		reactions := map[string]bool{}
		row := int64(0)
		for _, m := range snapshot {
			row = m.LastChange
			if !m.IsDeleted {
				model[m.Row] = m.Text
			}
			for _, e := range m.Reactions {
				for _, p := range e.By {
					reactions[fmt.Sprint(m.Row, " ", e.Emoji, p.ID)] = true
				}
			}
		}
		changes, err := s.SinceIn(t.Context(), name, row, 1000)
		if err != nil {
			r.Fatal(err)
		}
		for _, c := range changes {
			key := fmt.Sprint(c.About, " ", c.Emoji, c.By.ID)
			switch c.Kind {
			case room.Said:
				model[c.Row] = c.Text
			case room.Edited:
				model[c.About] = c.Text
			case room.Deleted:
				delete(model, c.About)
				maps.DeleteFunc(reactions, func(k string, _ bool) bool { return strings.HasPrefix(k, fmt.Sprint(c.About, " ")) })
			case room.Reacted:
				reactions[key] = true
			case room.Unreacted:
				delete(reactions, key)
			}
		}
		now, err := s.Before(t.Context(), name, 0, 1000)
		if err != nil {
			r.Fatal(err)
		}
		stands, given := map[int64]string{}, map[string]bool{}
		for _, m := range now {
			if !m.IsDeleted {
				stands[m.Row] = m.Text
			}
			for _, e := range m.Reactions {
				for _, p := range e.By {
					given[fmt.Sprint(m.Row, " ", e.Emoji, p.ID)] = true
				}
			}
		}
		if !maps.Equal(model, stands) {
			r.Errorf("the log makes %v, there stands %v", model, stands)
		}
		if !maps.Equal(reactions, given) {
			r.Errorf("the log makes the reactions %v, there stand %v", reactions, given)
		}
	})
}
