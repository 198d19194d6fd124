package page

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

func say(t *testing.T, s *Server, name, text string) room.Change {
	t.Helper()
	m, err := s.Store.Do(t.Context(), room.Change{Kind: room.Said, Room: name, By: room.Person{ID: "x", Name: "X"}, Content: room.Content{Text: text}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRoundTrip(t *testing.T) {
	s := serve(t)
	ann, _ := enter(t, s, frame{})
	bo, _ := enter(t, s, frame{Token: "fedcba9876543210"})
	ann.send(frame{Type: "say", Room: "lobby", Name: " Ann\n", Text: "hi <b>\x02there</b>\r\n", Client: "client-1"})
	for _, p := range []*client{ann, bo} {
		a := p.next()
		if a.Type != "changes" || a.Room != "lobby" || len(messagesIn(a)) != 1 {
			t.Fatalf("got %+v", a)
		}
		m := messagesIn(a)[0]
		if m.Author != "Ann" || m.Text != "hi <b>there</b>" || m.AuthorID != publicID("0123456789abcdef") || m.Bridged || m.Row == 0 || m.Time == 0 {
			t.Errorf("got %+v", m)
		}
		if own := p == ann; (m.Client == "client-1") != own {
			t.Errorf("the page's own id came to whom it doesn't concern, or not to whom it does: %+v", m)
		}
	}
}

// What a page says again after a cut connection is not said twice; another person
// may use the same id.
func TestSaidAgain(t *testing.T) {
	s := serve(t)
	said := frame{Type: "say", Room: "lobby", Name: "Ann", Text: "once", Client: "client-1"}
	for round := range 2 {
		p, _ := enter(t, s, frame{})
		p.send(said)
		// Answered after the one before has been dealt with.
		p.send(frame{Type: "say", Room: "lobby", Name: "Ann", Text: fmt.Sprint(round), Client: fmt.Sprintf("client-last-%d", round)})
		for text := ""; text != fmt.Sprint(round); {
			m := messagesIn(p.next())
			text = m[len(m)-1].Text
		}
		p.c.CloseNow()
	}
	other, got := enter(t, s, frame{Token: "fedcba9876543210"})
	if texts(got) != "once 0 1" {
		t.Errorf("the room has %q", texts(got))
	}
	other.send(said)
	if m := other.messages(1); m[0].Client != "client-1" {
		t.Errorf("another's message with the same id: %+v", m)
	}
}

// A page that comes back is sent exactly what it doesn't have (D1).
func TestGapFilled(t *testing.T) {
	s := serve(t)
	const many = sendBatch + 100
	var rows []int64
	for i := range many {
		rows = append(rows, say(t, s, "lobby", fmt.Sprint(i)).Row)
		say(t, s, "den", "x")
	}
	check := func(what string, hello frame, first, n int) {
		t.Helper()
		_, got := enter(t, s, hello)
		lobby := slices.DeleteFunc(got, func(m message) bool { return m.Text == "x" }) // the den is always new
		if len(lobby) != n || n > 0 && lobby[0].Text != fmt.Sprint(first) {
			t.Fatalf("%s: got %d messages of the lobby, want %d from %d on", what, len(lobby), n, first)
		}
		for i, m := range lobby {
			if m.Row != rows[first+i] {
				t.Fatalf("%s: row %d is at %d, want row %d", what, m.Row, i, rows[first+i])
			}
		}
	}
	hello := func(chat string, row int64) frame { return frame{Chat: chat, Rows: map[string]int64{"lobby": row}} }
	check("was away for long", hello("this", rows[9]), 10, many-10)
	check("was away for a moment", hello("this", rows[many-2]), many-1, 1)
	check("missed nothing", hello("this", rows[many-1]), 0, 0)
	check("was there before the first", hello("this", 0), 0, many)
	check("is new", frame{}, many-sendBatch, sendBatch)
	check("was at another chat", hello("that", rows[many-2]), many-sendBatch, sendBatch)
	check("has a row that the chat doesn't have", hello("this", 1<<40), many-sendBatch, sendBatch)
	check("has a row that can't be", hello("this", -5), many-sendBatch, sendBatch)
}

// Whoever reads along gets every message of a room once and in order, however many
// speak (O6).
func TestManyAtOnce(t *testing.T) {
	s := serve(t)
	const speakers, each = 10, 40
	reader, _ := enter(t, s, frame{Token: "fedcba9876543210"})
	var pages []*client
	for who := range speakers {
		p, _ := enter(t, s, frame{Token: fmt.Sprintf("speaker %016d", who)})
		pages = append(pages, p)
	}
	var all sync.WaitGroup
	for _, p := range pages {
		all.Go(func() {
			for i := range each {
				p.send(frame{Type: "say", Room: "lobby", Name: "S", Text: fmt.Sprint(i), Client: fmt.Sprintf("client-%d", i)})
			}
			p.messages(speakers * each)
		})
	}
	got := reader.messages(speakers * each)
	all.Wait()
	next := map[string]int{}
	for i, m := range got {
		if i > 0 && m.Row <= got[i-1].Row {
			t.Fatalf("row %d after row %d", m.Row, got[i-1].Row)
		}
		if m.Text != fmt.Sprint(next[m.AuthorID]) {
			t.Fatalf("%s said %q, want %d", m.AuthorID, m.Text, next[m.AuthorID])
		}
		next[m.AuthorID]++
	}
}

func TestRefused(t *testing.T) {
	s := serve(t)
	p, _ := enter(t, s, frame{})
	good := frame{Type: "say", Room: "lobby", Name: "Ann", Text: "x", Client: "client-1"}
	for want, change := range map[string]func(*frame){
		"no room":            func(f *frame) { f.Room = "cellar" },
		"message is empty":   func(f *frame) { f.Text = " \n\x00" },
		"more than 4000":     func(f *frame) { f.Text = strings.Repeat("x", 4001) },
		"name is empty":      func(f *frame) { f.Name = " \t" },
		"name has more than": func(f *frame) { f.Name = strings.Repeat("x", 65) },
		"gave this no id":    func(f *frame) { f.Client = "short" },
	} {
		f := good
		change(&f)
		p.send(f)
		if a := p.next(); a.Type != "refused" || a.Client != f.Client || !strings.Contains(a.Reason, want) {
			t.Errorf("%s: got %+v", want, a)
		}
	}
	good.Text = strings.Repeat("😀", room.MaxText)
	p.send(good)
	if a := p.next(); a.Type != "changes" || messagesIn(a)[0].Text != good.Text {
		t.Errorf("after refusals, the longest text: %+v", a.Type)
	}
}

// What a page must not send ends its connection, and nothing else.
func TestClosedForItsFrames(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	for name, c := range map[string]struct {
		misbehave func(*client) error
		want      websocket.StatusCode
	}{
		"too large":     {func(p *client) error { return p.c.Write(ctx, websocket.MessageText, make([]byte, maxFrame+1)) }, websocket.StatusMessageTooBig},
		"binary":        {func(p *client) error { return p.c.Write(ctx, websocket.MessageBinary, []byte("{}")) }, websocket.StatusUnsupportedData},
		"unknown":       {func(p *client) error { return p.c.Write(ctx, websocket.MessageText, []byte(`{"type":"shout"}`)) }, websocket.StatusPolicyViolation},
		"second hello":  {func(p *client) error { return p.c.Write(ctx, websocket.MessageText, []byte(`{"type":"hello"}`)) }, websocket.StatusPolicyViolation},
		"not even JSON": {func(p *client) error { return p.c.Write(ctx, websocket.MessageText, []byte("hi")) }, -1},
	} {
		p, _ := enter(t, s, frame{})
		if err := c.misbehave(p); err != nil {
			t.Fatal(err)
		}
		if got := p.closedWith(); got != c.want {
			t.Errorf("%s: closed with %d, want %d", name, got, c.want)
		}
	}
	for name, hello := range map[string]frame{"no hello": {Type: "say"}, "no secret": {Type: "hello", Token: "short"}} {
		p, err := dial(t, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.send(hello)
		if got := p.closedWith(); got != websocket.StatusPolicyViolation {
			t.Errorf("%s: closed with %d", name, got)
		}
	}
	enter(t, s, frame{}) // the others are still let in
}

// Where the store fails a page is not told that its message was refused: it comes
// back, and says it again.
func TestStoreFails(t *testing.T) {
	s := serve(t)
	p, _ := enter(t, s, frame{})
	s.Store.Close()
	p.send(frame{Type: "say", Room: "lobby", Name: "Ann", Text: "x", Client: "client-1"})
	if got := p.closedWith(); got != websocket.StatusTryAgainLater {
		t.Errorf("closed with %d", got)
	}
}

// A page that is not heard of for three beats is cut off; one that answers stays.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveOnPipe(t)
		began := time.Now()
		beats := func(p *client, answer bool, most int) (n int) {
			for ; n < most; n++ {
				_, data, err := p.c.Read(t.Context())
				if err != nil {
					return n
				}
				if string(bytes.TrimSpace(data)) != `{"type":"alive"}` {
					t.Fatalf("after %s got %q", time.Since(began), data)
				}
				if answer {
					p.send(frame{Type: "alive"})
				}
			}
			return n
		}
		silent, _ := enter(t, s, frame{})
		beats(silent, false, 100)
		if took := time.Since(began); took != missedBeats*beat {
			t.Errorf("the silent page was cut off after %s, want %s", took, missedBeats*beat)
		}
		answering, _ := enter(t, s, frame{})
		if n := beats(answering, true, 5*missedBeats); n != 5*missedBeats {
			t.Errorf("the answering page was cut off after %d beats", n)
		}
	})
}

// A page that takes nothing is cut off, and nobody else waits for it.
func TestPageThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveOnPipe(t)
		enter(t, s, frame{}) // and reads no more: the pipe has no buffer
		began := time.Now()
		say(t, s, "lobby", "hi")
		if waited := time.Since(began); waited != 0 {
			t.Errorf("who spoke waited %s for who doesn't read", waited)
		}
		for len(s.slots) > 0 {
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took > sendTimeout+time.Second {
			t.Errorf("it was cut off after %s", took)
		}
	})
}

// At a stop all pages are cut off, those that read nothing too.
func TestCloseCutsPagesOff(t *testing.T) {
	o := options(t)
	s, err := Listen(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := enter(t, s, frame{})
	mute, err := dial(t, s, nil) // it has not even said hello
	if err != nil {
		t.Fatal(err)
	}
	closeServer(t, s)
	p.closedWith()
	mute.closedWith()
	if _, err := dial(t, s, nil); err == nil {
		t.Error("a page was let in after Close")
	}
}

func TestTooManyPages(t *testing.T) {
	s := serve(t)
	for range maxPages - 1 {
		s.slots <- struct{}{}
	}
	p, _ := enter(t, s, frame{})
	if _, err := dial(t, s, nil); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("one page too many: %v", err)
	}
	p.c.CloseNow()
	for limit := time.Now().Add(patience); ; {
		if _, err := dial(t, s, nil); err == nil {
			break
		} else if time.Now().After(limit) {
			t.Fatalf("the place of a page that has gone stays taken: %v", err)
		}
	}
}
