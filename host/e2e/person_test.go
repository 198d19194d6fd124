//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// What goes over a webchat's WebSocket, as far as it is needed here: see
// plugins/webchat/internal/page/frames.go.
type (
	frame struct {
		Type    string           `json:"type"`
		Token   string           `json:"token,omitempty"`
		Chat    string           `json:"chat,omitempty"`
		Rows    map[string]int64 `json:"rows,omitempty"`
		Room    string           `json:"room,omitempty"`
		Name    string           `json:"name,omitempty"`
		Client  string           `json:"client,omitempty"`
		Text    string           `json:"text,omitempty"`
		Files   []attached       `json:"files,omitempty"`
		Message int64            `json:"message,omitempty"`
		Emoji   string           `json:"emoji,omitempty"`
		Typing  bool             `json:"typing,omitempty"`
	}
	attached struct {
		Hash string `json:"hash"`
		Name string `json:"name"`
		Alt  string `json:"alt,omitempty"`
	}
	answer struct {
		Type     string
		Chat     string
		People   []struct{ Name string }
		Messages []shown
		Row      int64
		Changes  []change
		Client   string
		Reason   string
	}
	change struct {
		Row     int64
		Kind    string
		By      struct{ ID, Name string }
		About   int64
		Message *shown
		Emoji   string
		Client  string
	}
	shown struct {
		Row      int64
		Author   string
		Bridged  bool
		Text     string
		Segments []struct {
			Text               string
			Bold, Italic, Code bool
			Strike             bool
			Link               string
		}
		Files []struct {
			Hash, Name, Type, Alt string
			Size                  int64
			Shown                 bool
		}
		Emote   bool
		Reply   *struct{ Row int64 }
		Edited  bool
		Deleted bool
	}
)

// person has a webchat's page open: a WebSocket that comes back by itself, as the page
// does, and wants again what was not answered.
type person struct {
	t     *testing.T
	url   string
	name  string
	token string
	end   context.CancelFunc
	ended chan struct{}

	mu        sync.Mutex
	changed   chan struct{} // closed at each change of what follows
	conn      *websocket.Conn
	present   bool // conn has been brought up to date
	chat      string
	row       int64
	log       []change // every row once
	wanted    []frame
	answered  map[string]answer
	typing    []string
	sent      int
	connected int
}

// enter opens a page under a name.
func enter(t *testing.T, address, name string) *person {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &person{t: t, url: "http://" + address, name: name, token: fmt.Sprintf("the secret of %s at %s", name, address), end: cancel,
		ended: make(chan struct{}), changed: make(chan struct{}), answered: map[string]answer{}}
	go p.run(ctx)
	t.Cleanup(func() { cancel(); <-p.ended })
	p.until("the page is open", func() bool { return p.present })
	return p
}

// run keeps the page connected.
func (p *person) run(ctx context.Context) {
	defer close(p.ended)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for ctx.Err() == nil {
		_ = p.connect(ctx) // whatever cut it, it comes back
		p.update(func() { p.conn, p.present = nil, false })
		select {
		case <-ctx.Done():
		case <-again.C:
		}
	}
}

func (p *person) connect(ctx context.Context) error {
	conn, _, err := websocket.Dial(ctx, strings.Replace(p.url, "http", "ws", 1)+"/ws", nil)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(-1)
	hello := frame{Type: "hello", Token: p.token, Chat: p.chat}
	if p.chat != "" {
		hello.Rows = map[string]int64{"lobby": p.row}
	}
	if err := wsjson.Write(ctx, conn, hello); err != nil {
		return err
	}
	for {
		var a answer
		if err := wsjson.Read(ctx, conn, &a); err != nil {
			return err
		}
		p.take(a)
		if a.Type != "caught_up" {
			continue
		}
		p.update(func() { p.conn, p.present, p.connected = conn, true, p.connected+1 })
		if err := wsjson.Write(ctx, conn, frame{Type: "enter", Room: "lobby", Name: p.name}); err != nil {
			return err
		}
		p.mu.Lock()
		wanted := append([]frame(nil), p.wanted...)
		p.mu.Unlock()
		for _, f := range wanted {
			if err := wsjson.Write(ctx, conn, f); err != nil {
				return err
			}
		}
	}
}

// take notes what the page is told.
func (p *person) take(a answer) {
	p.update(func() {
		switch a.Type {
		case "welcome":
			if p.chat != "" && p.chat != a.Chat {
				p.t.Errorf("%s is at another chat", p.name)
			}
			p.chat = a.Chat
		case "history":
			p.row = a.Row
		case "changes":
			for _, c := range a.Changes {
				if c.Row <= p.row {
					p.t.Errorf("the page of %s was told row %d after %d", p.name, c.Row, p.row)
				}
				p.row = c.Row
				p.log = append(p.log, c)
				if c.Client != "" {
					p.answer(c.Client, answer{Row: c.Row})
				}
			}
		case "done", "refused":
			p.answer(a.Client, a)
		case "typing":
			p.typing = nil
			for _, who := range a.People {
				p.typing = append(p.typing, who.Name)
			}
		}
	})
}

func (p *person) answer(client string, a answer) {
	for i, f := range p.wanted {
		if f.Client == client {
			p.wanted = append(p.wanted[:i:i], p.wanted[i+1:]...)
			p.answered[client] = a
			return
		}
	}
}

func (p *person) update(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	close(p.changed)
	p.changed = make(chan struct{})
}

// until waits until something holds, which is asked with the lock held.
func (p *person) until(what string, holds func() bool) {
	p.t.Helper()
	for limit := time.After(2 * time.Minute); ; {
		p.mu.Lock()
		ok, changed := holds(), p.changed
		p.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-limit:
			p.t.Fatalf("%s waits in vain until %s; there are %q", p.name, what, texts(p.messages()))
		}
	}
}

// do does something, and gives the row of what was done.
func (p *person) do(f frame) int64 {
	p.t.Helper()
	client := p.want(f)
	p.until("it is answered: "+f.Type+" "+f.Text, func() bool { _, ok := p.answered[client]; return ok })
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.answered[client]; a.Type == "refused" {
		p.t.Fatalf("%s may not %s %q: %s", p.name, f.Type, f.Text, a.Reason)
	}
	return p.answered[client].Row
}

// want asks for something, and doesn't wait for it.
func (p *person) want(f frame) (client string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent++
	f.Room, f.Name, f.Client = "lobby", p.name, fmt.Sprintf("%s-%08d", p.name, p.sent)
	if len(f.Client) > 64 || !isASCII(f.Client) {
		f.Client = fmt.Sprintf("client-%08d", p.sent)
	}
	p.wanted = append(p.wanted, f)
	if p.conn != nil {
		_ = wsjson.Write(context.Background(), p.conn, f) // if it fails it is wanted again
	}
	return f.Client
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > 126 }) }

func (p *person) say(text string) int64 { p.t.Helper(); return p.do(frame{Type: "say", Text: text}) }
func (p *person) reply(to int64, text string) int64 {
	p.t.Helper()
	return p.do(frame{Type: "say", Message: to, Text: text})
}
func (p *person) edit(row int64, text string) {
	p.t.Helper()
	p.do(frame{Type: "edit", Message: row, Text: text})
}
func (p *person) delete(row int64) { p.t.Helper(); p.do(frame{Type: "delete", Message: row}) }
func (p *person) react(row int64, emoji string) {
	p.t.Helper()
	p.do(frame{Type: "react", Message: row, Emoji: emoji})
}
func (p *person) unreact(row int64, emoji string) {
	p.t.Helper()
	p.do(frame{Type: "unreact", Message: row, Emoji: emoji})
}

// types begins to write, or stops.
func (p *person) types(is bool) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		return
	}
	if err := wsjson.Write(context.Background(), p.conn, frame{Type: "typing", Room: "lobby", Name: p.name, Typing: is}); err != nil {
		p.t.Error(err)
	}
}

// upload uploads a file, also to a chat that is being started again.
func (p *person) upload(path, alt string) attached {
	p.t.Helper()
	var uploaded struct{ Hash string }
	eventually(p.t, "a file is uploaded", func() bool {
		f, err := os.Open(path)
		if err != nil {
			p.t.Fatal(err)
		}
		defer f.Close()
		resp, err := http.Post(p.url+"/files/", "application/octet-stream", f)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode < 300 && json.NewDecoder(resp.Body).Decode(&uploaded) == nil
	})
	return attached{Hash: uploaded.Hash, Name: "evening.png", Alt: alt}
}

// stands is a message as it stands after all that was done with it.
type stands struct {
	shown
	Reactions map[string]int // by emoji: how many
}

// messages are those of the room, in order.
func (p *person) messages() (all []*stands) {
	p.mu.Lock()
	defer p.mu.Unlock()
	by := map[int64]*stands{}
	for _, c := range p.log {
		about := by[c.About]
		switch {
		case c.Kind == "said":
			by[c.Row] = &stands{*c.Message, map[string]int{}}
			by[c.Row].Row = c.Row
			all = append(all, by[c.Row])
		case about == nil:
		case c.Kind == "edited":
			reply := about.Reply
			about.shown = *c.Message
			about.Row, about.Reply, about.Edited = c.About, reply, true
		case c.Kind == "deleted":
			about.Deleted, about.Text = true, ""
		case c.Kind == "reacted":
			about.Reactions[c.Emoji]++
		case c.Kind == "unreacted":
			if about.Reactions[c.Emoji]--; about.Reactions[c.Emoji] == 0 {
				delete(about.Reactions, c.Emoji)
			}
		}
	}
	return all
}

func texts(all []*stands) (texts []string) {
	for _, m := range all {
		texts = append(texts, m.Text)
	}
	return texts
}

// sees waits for a message with a text.
func (p *person) sees(text string) (m *stands) {
	p.t.Helper()
	p.until("it sees "+text, func() bool {
		for _, c := range p.log {
			if c.Message != nil && c.Message.Text == text {
				return true
			}
		}
		return false
	})
	for _, m := range p.messages() {
		if m.Text == text {
			return m
		}
	}
	p.t.Fatal(errors.New("it was seen, and is gone: " + text))
	return nil
}
