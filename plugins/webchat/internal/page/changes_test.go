package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/plughost/plughost/plugins/webchat/internal/files"
	"github.com/plughost/plughost/plugins/webchat/internal/presence"
	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

// two are two people on the page, who are at the present.
func two(t *testing.T, s *Server) (ann, bo *client) {
	t.Helper()
	ann, _ = enter(t, s, frame{})
	bo, _ = enter(t, s, frame{Token: "fedcba9876543210"})
	return ann, bo
}

func wants(kind string, about int64, text string) frame {
	return frame{Type: kind, Room: "lobby", Name: "Ann", Message: about, Text: text, Client: fmt.Sprintf("client-%s-%d-%s", kind, about, text)}
}

// What is edited, reacted to, answered and deleted is told to everybody in that
// order, and stands like that for who comes later.
func TestChanges(t *testing.T) {
	s := serve(t)
	ann, bo := two(t, s)
	ann.send(wants("say", 0, "frist"))
	row := ann.change().Row
	bo.change()
	react := wants("react", row, "")
	react.Emoji = "👍"
	for _, f := range []frame{wants("edit", row, "first"), react, wants("say", row, "answer")} {
		ann.send(f)
	}
	for _, p := range []*client{ann, bo} {
		if c := p.change(); c.Kind != "edited" || c.About != row || c.Message.Text != "first" || (c.Client != "") != (p == ann) {
			t.Errorf("edited: %+v", c)
		}
		if c := p.change(); c.Kind != "reacted" || c.About != row || c.Emoji != "👍" || c.By != (person{publicID("0123456789abcdef"), "Ann"}) {
			t.Errorf("reacted: %+v", c)
		}
		if c := p.change(); c.Message.Reply == nil || *c.Message.Reply != (reply{Row: row, Author: "Ann", Text: "first"}) {
			t.Errorf("answered: %+v", c.Message)
		}
	}
	_, stands := enter(t, s, frame{})
	if m := stands[0]; m.Text != "first" || !m.Edited || len(m.Reactions) != 1 || m.Reactions[0].Emoji != "👍" || len(m.Reactions[0].By) != 1 || m.Foreign {
		t.Errorf("it stands as %+v", m)
	}
	unreact := wants("unreact", row, "")
	unreact.Emoji = "👍"
	ann.send(unreact)
	ann.send(wants("delete", row, ""))
	if c := bo.change(); c.Kind != "unreacted" || c.Emoji != "👍" {
		t.Errorf("taken back: %+v", c)
	}
	if c := bo.change(); c.Kind != "deleted" || c.About != row {
		t.Errorf("deleted: %+v", c)
	}
	_, stands = enter(t, s, frame{})
	if m := stands[0]; !m.Deleted || m.Text != "" || len(m.Reactions) != 0 || stands[1].Reply.Text != "" {
		t.Errorf("it stands as %+v, answered by %+v", m, stands[1])
	}
}

// What is done again after a cut, or is so already, is answered; what may not be done
// is refused with the reason.
func TestAnswers(t *testing.T) {
	s := serve(t)
	ann, bo := two(t, s)
	bridged := say(t, s, "lobby", "of nobody here")
	put, err := s.Store.Do(t.Context(), room.Change{Kind: room.Said, Room: "lobby", By: room.Person{ID: "bridged:1", Name: "Cy [Net]", Origin: room.Bridge}, Content: room.Content{Text: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	ann.send(wants("say", 0, "mine"))
	var mine int64
	for _, p := range []*client{ann, bo} {
		mine = p.messages(3)[2].Row
	}
	answered := func(p *client, f frame, kind, reason string) {
		t.Helper()
		p.send(f)
		for {
			a := p.next()
			if a.Type == "changes" {
				continue
			}
			if a.Type != kind || a.Client != f.Client || !strings.Contains(a.Reason, reason) {
				t.Errorf("%s of %d: %+v, want %s, %s", f.Type, f.Message, a, kind, reason)
			}
			return
		}
	}
	answered(ann, wants("edit", mine, "mine too"), "done", "")
	answered(ann, wants("edit", mine, "mine too"), "done", "")
	react := wants("react", bridged.Row, "")
	react.Emoji = "🎉"
	answered(ann, react, "done", "")
	react.Client += "again"
	answered(ann, react, "done", "")
	answered(bo, wants("edit", mine, "yours"), "refused", "somebody else's")
	answered(bo, wants("delete", mine, ""), "refused", "somebody else's")
	answered(ann, wants("delete", put.Row, ""), "refused", "somebody else's")
	answered(ann, wants("edit", 12345, "x"), "refused", "no longer there")
	answered(ann, wants("edit", mine, " "), "refused", "empty")
	react.Emoji = "<b>"
	answered(ann, react, "refused", "not an emoji")
	file := wants("say", 0, "")
	file.Files = []attached{{Hash: strings.Repeat("a", 64), Name: "x"}}
	answered(ann, file, "refused", "no longer there")
	answered(ann, wants("delete", mine, ""), "done", "")
	answered(ann, wants("delete", mine, ""), "done", "")
}

// A page that was away is told every change that it missed, in order.
func TestChangesWhileAway(t *testing.T) {
	s := serve(t)
	ann, _ := two(t, s)
	ann.send(wants("say", 0, "one"))
	row := ann.change().Row
	ann.send(wants("edit", row, "two"))
	ann.change()
	ann.send(wants("say", 0, "three"))
	ann.change()
	ann.send(wants("delete", row, ""))
	ann.change()
	p, err := dial(t, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.send(frame{Type: "hello", Token: "fedcba9876543210", Chat: "this", Rows: map[string]int64{"lobby": row, "den": 0}})
	var kinds []string
	for a := p.next(); a.Type != "caught_up"; a = p.next() {
		for _, c := range a.Changes {
			kinds = append(kinds, c.Kind)
		}
	}
	if got := strings.Join(kinds, " "); got != "edited said deleted" {
		t.Errorf("told %s", got)
	}
}

// Who scrolls back gets every older message once.
func TestOlder(t *testing.T) {
	s := serve(t)
	for i := range 2*sendBatch + 5 {
		say(t, s, "lobby", fmt.Sprint(i))
		say(t, s, "den", "x")
	}
	p, got := enter(t, s, frame{})
	all := slices.DeleteFunc(got, func(m message) bool { return m.Text == "x" })
	for more := true; more; {
		p.send(frame{Type: "older", Room: "lobby", Before: all[0].Row})
		a := p.next()
		if a.Type != "history" || a.Room != "lobby" || a.Before != all[0].Row || len(a.Messages) == 0 {
			t.Fatalf("got %+v", a)
		}
		all, more = append(a.Messages, all...), a.More
	}
	for i, m := range all {
		if m.Text != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, m.Text)
		}
	}
	if len(all) != 2*sendBatch+5 {
		t.Errorf("%d messages", len(all))
	}
	p.send(frame{Type: "older", Room: "cellar", Before: 5})
	p.send(frame{Type: "older", Room: "lobby", Before: -5})
	p.send(frame{Type: "older", Room: "lobby", Before: 1})
	if a := p.next(); a.Type != "history" || len(a.Messages) != 0 || a.More {
		t.Errorf("before the first: %+v", a)
	}
}

// A history of long messages comes in answers that a page can take.
func TestLongHistory(t *testing.T) {
	s := serve(t)
	for range sendBatch {
		say(t, s, "lobby", strings.Repeat("😀", room.MaxText))
	}
	_, got := enter(t, s, frame{})
	if n := len(got) * room.MaxText * 8; n > sendBytes || len(got) == 0 {
		t.Errorf("%d messages at once", len(got))
	}
}

// Who writes is told to the others, for as long as it lasts.
func TestTypingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveOnPipe(t)
		ann, bo := two(t, s)
		writes := frame{Type: "typing", Room: "lobby", Name: "Ann", Typing: true}
		told := func(want ...person) {
			t.Helper()
			if a := bo.next(); a.Type != "typing" || a.Room != "lobby" || !slices.Equal(a.People, want) {
				t.Errorf("got %+v, want %v", a, want)
			}
		}
		who := person{publicID("0123456789abcdef"), "Ann"}
		ann.send(writes)
		told(who)
		began := time.Now()
		told()
		if took := time.Since(began); took != presence.Writing {
			t.Errorf("it lasted %s", took)
		}
		ann.send(writes)
		told(who)
		go func() { _, _, _ = ann.c.Read(t.Context()) }() // the pipe has no buffer
		ann.send(wants("say", 0, "done"))
		bo.change()
		told()
		ann.send(writes)
		told(who)
		ann.send(frame{Type: "enter", Room: "lobby", Name: "Ann"})
		for a := bo.next(); a.Type != "changes"; a = bo.next() {
		}
		ann.c.CloseNow()
		told()
	})
}

// Who looks at a room under a name is in it, and a page that comes is told who is.
func TestMembersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveOnPipe(t)
		bo, _ := enter(t, s, frame{Token: "fedcba9876543210"})
		ann, _ := enter(t, s, frame{})
		ann.send(frame{Type: "enter", Room: "lobby", Name: " "})
		ann.send(frame{Type: "enter", Room: "cellar", Name: "Ann"})
		ann.send(frame{Type: "enter", Room: "lobby", Name: "Ann"})
		if c := bo.change(); c.Kind != "joined" || c.By.Name != "Ann" {
			t.Errorf("got %+v", c)
		}
		ann.change()
		ann.send(frame{Type: "enter", Room: "lobby", Name: "Zoë"})
		if c := bo.change(); c.Kind != "renamed" || c.By.Name != "Zoë" {
			t.Errorf("got %+v", c)
		}
		ann.c.CloseNow()
		late, err := dial(t, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		late.send(frame{Type: "hello", Token: "0123456789abcdef"})
		late.next()
		if a := late.next(); a.Type != "members" || a.Room != "lobby" || !slices.Equal(a.People, []person{{publicID("0123456789abcdef"), "Zoë"}}) {
			t.Errorf("in the room are %+v", a)
		}
		late.c.CloseNow()
		if c := bo.change(); c.Kind != "left" {
			t.Errorf("got %+v", c)
		}
	})
}

// request asks for something over HTTP, as a page of an origin does.
func request(t *testing.T, s *Server, method, path, origin string, body io.Reader, cookies ...*http.Cookie) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	for _, c := range cookies {
		r.AddCookie(c)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func upload(t *testing.T, s *Server, content string) (u files.Uploaded) {
	t.Helper()
	resp := request(t, s, http.MethodPost, "files/", strings.TrimSuffix(s.URL(), "/"), strings.NewReader(content))
	if err := json.NewDecoder(resp.Body).Decode(&u); err != nil {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	return u
}

// A file is uploaded, said, seen by others, and gone with its message.
func TestFileOnThePage(t *testing.T) {
	s := serve(t)
	ann, bo := two(t, s)
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 30, 20))); err != nil {
		t.Fatal(err)
	}
	u := upload(t, s, picture.String())
	said := wants("say", 0, "")
	said.Files = []attached{{Hash: u.Hash, Name: "../cat\u202e.png", Alt: "A\ncat"}, {Hash: upload(t, s, "<html>").Hash, Name: "x.html"}}
	ann.send(said)
	c := bo.change()
	want := []file{
		{room.File{Hash: u.Hash, Name: "_cat.png", Type: "image/png", Size: int64(picture.Len()), Width: 30, Height: 20, Alt: "A cat"}, true},
		{room.File{Hash: said.Files[1].Hash, Name: "x.html", Type: "text/html; charset=utf-8", Size: 6}, false},
	}
	if !slices.Equal(c.Message.Files, want) {
		t.Errorf("got %+v, want %+v", c.Message.Files, want)
	}
	if resp := request(t, s, http.MethodGet, "files/"+u.Hash, "", nil); resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
		t.Errorf("the picture: %s", resp.Status)
	}
	ann.send(wants("delete", c.Row, ""))
	bo.change()
	if resp := request(t, s, http.MethodGet, "files/"+u.Hash, "", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the picture of a deleted message: %s", resp.Status)
	}
}

// Another site can neither upload nor try passwords in a visitor's name.
func TestOriginOfRequests(t *testing.T) {
	s := serve(t, func(o *Options) { o.Origins, o.Password = []string{"https://chat.example.org"}, "sesame" })
	for origin, want := range map[string]int{
		strings.TrimSuffix(s.URL(), "/"): http.StatusNoContent,
		"https://chat.example.org":       http.StatusNoContent,
		"https://evil.example.org":       http.StatusForbidden,
		"http://localhost:1":             http.StatusForbidden,
		"null":                           http.StatusForbidden,
	} {
		if resp := request(t, s, http.MethodPost, "unlock", origin, strings.NewReader("sesame")); resp.StatusCode != want {
			t.Errorf("unlock from %s: %s", origin, resp.Status)
		}
		resp := request(t, s, http.MethodPost, "files/", origin, strings.NewReader("x"))
		if refused := resp.StatusCode == http.StatusForbidden; refused != (want == http.StatusForbidden) {
			t.Errorf("upload from %s: %s", origin, resp.Status)
		}
	}
}

// Without the password nothing is to be had but the page that asks for it.
func TestPassword(t *testing.T) {
	s := serve(t, func(o *Options) { o.Password = "sesame" })
	say(t, s, "lobby", "secret")
	p, err := dial(t, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := p.next(); a.Type != "locked" || a.Title != "" || len(a.Rooms) != 0 {
		t.Errorf("got %+v", a)
	}
	if got := p.closedWith(); got != websocket.StatusPolicyViolation {
		t.Errorf("closed with %d", got)
	}
	for method, path := range map[string]string{http.MethodPost: "files/", http.MethodGet: "files/" + strings.Repeat("a", 64)} {
		if resp := request(t, s, method, path, "", strings.NewReader("x")); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s %s: %s", method, path, resp.Status)
		}
	}
	if resp := request(t, s, http.MethodGet, "", "", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("the page itself: %s", resp.Status)
	}
	cookies := request(t, s, http.MethodPost, "unlock", "", strings.NewReader("sesame")).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies %v", cookies)
	}
	p, err = dial(t, s, http.Header{"Cookie": {cookies[0].Name + "=" + cookies[0].Value}})
	if err != nil {
		t.Fatal(err)
	}
	p.send(frame{Type: "hello", Token: "0123456789abcdef"})
	if a := p.next(); a.Type != "welcome" {
		t.Errorf("with the cookie: %+v", a)
	}
	if resp := request(t, s, http.MethodPost, "files/", "", strings.NewReader("x"), cookies[0]); resp.StatusCode != http.StatusOK {
		t.Errorf("upload with the cookie: %s", resp.Status)
	}
}
