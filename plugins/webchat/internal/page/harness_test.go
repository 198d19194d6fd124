package page

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/plughost/plughost/plugins/webchat/internal/files"
	"github.com/plughost/plughost/plugins/webchat/internal/history"
	"github.com/plughost/plughost/plugins/webchat/internal/presence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds everything that a test waits for.
const patience = time.Minute

func options(t *testing.T, change ...func(*Options)) Options {
	t.Helper()
	dir := t.TempDir()
	uploads, err := files.Open(files.Options{Dir: filepath.Join(dir, "files"), Each: 1 << 20, All: 10 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { uploads.Close() })
	store, err := history.Open(t.Context(), filepath.Join(dir, "chat.sqlite"), uploads)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	rooms := []string{"lobby", "den"}
	here := presence.New(store, rooms, hclog.NewNullLogger())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- here.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	o := Options{
		Store: store, Files: uploads, Presence: here, Typing: presence.NewTyping(),
		Chat: "this", Rooms: rooms, Title: "Test", Listen: "127.0.0.1:0", Secret: "secret", Logger: hclog.NewNullLogger(),
	}
	for _, do := range change {
		do(&o)
	}
	return o
}

func listenWith(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Listen(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, s) })
	return s
}

func serve(t *testing.T, change ...func(*Options)) *Server {
	t.Helper()
	return listenWith(t, options(t, change...))
}

func closeServer(t *testing.T, s *Server) {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// client is a page of the test's.
type client struct {
	t    *testing.T
	c    *websocket.Conn
	more []change // that came with one that change gave
}

// dial connects and says nothing.
func dial(t *testing.T, s *Server, header http.Header) (*client, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	options := &websocket.DialOptions{HTTPHeader: header}
	if pipe, ok := s.listener.(*pipeListener); ok {
		options.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: pipe.dial}}
	}
	c, _, err := websocket.Dial(ctx, strings.Replace(s.URL(), "http", "ws", 1)+"ws", options)
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(-1) // the history comes in large frames
	t.Cleanup(func() { c.CloseNow() })
	return &client{t: t, c: c}, nil
}

// enter connects, says hello and reads up to the present.
func enter(t *testing.T, s *Server, hello frame) (p *client, got []message) {
	t.Helper()
	p, err := dial(t, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	hello.Type = "hello"
	if hello.Token == "" {
		hello.Token = "0123456789abcdef"
	}
	p.send(hello)
	if a := p.next(); a.Type != "welcome" || a.Chat != "this" || a.Title != "Test" || len(a.Rooms) != 2 || a.Self != publicID(hello.Token) {
		t.Fatalf("welcomed with %+v", a)
	}
	for {
		switch a := p.next(); a.Type {
		case "members":
		case "history":
			got = append(got, a.Messages...)
		case "changes":
			got = append(got, messagesIn(a)...)
		case "caught_up":
			return p, got
		default:
			t.Fatalf("got %+v", a)
		}
	}
}

// messagesIn are those that an answer says are new.
func messagesIn(a answer) (got []message) {
	for _, c := range a.Changes {
		if c.Kind == "said" {
			got = append(got, *c.Message)
		}
	}
	return got
}

func (p *client) send(f frame) {
	p.t.Helper()
	if err := wsjson.Write(p.t.Context(), p.c, f); err != nil {
		p.t.Fatal(err)
	}
}

// next is what comes next but for heartbeats.
func (p *client) next() (a answer) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		a = answer{}
		if err := wsjson.Read(ctx, p.c, &a); err != nil {
			p.t.Fatal(err)
		}
		if a.Type != "alive" {
			return a
		}
	}
}

// messages are the next n, however they are batched.
func (p *client) messages(n int) (got []message) {
	p.t.Helper()
	for len(got) < n {
		a := p.next()
		if a.Type != "changes" {
			p.t.Fatalf("got %+v", a)
		}
		got = append(got, messagesIn(a)...)
	}
	if len(got) != n {
		p.t.Fatalf("got %d messages, want %d", len(got), n)
	}
	return got
}

// change is the next one that happens.
func (p *client) change() change {
	p.t.Helper()
	for len(p.more) == 0 {
		switch a := p.next(); a.Type {
		case "done":
		case "changes":
			p.more = a.Changes
		default:
			p.t.Fatalf("got %+v", a)
		}
	}
	c := p.more[0]
	p.more = p.more[1:]
	return c
}

// closedWith waits until the server has closed the page.
func (p *client) closedWith() websocket.StatusCode {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		if _, _, err := p.c.Read(ctx); err != nil {
			if ctx.Err() != nil {
				p.t.Fatal("the page was not closed")
			}
			return websocket.CloseStatus(err)
		}
	}
}

func texts(messages []message) string {
	var all []string
	for _, m := range messages {
		all = append(all, m.Text)
	}
	return strings.Join(all, " ")
}

// serveOnPipe serves in memory, for a synctest bubble.
func serveOnPipe(t *testing.T) *Server {
	t.Helper()
	s, err := prepare(options(t))
	if err != nil {
		t.Fatal(err)
	}
	s.listener = &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	s.door.AnyHost()
	go s.run()
	t.Cleanup(func() { closeServer(t, s) })
	return s
}

// pipeListener hands the server's end of in-memory connections to it.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
