package main

import (
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds everything that a test waits for.
const patience = time.Minute

// host is the other side of the contract: it calls the plug as the real host does,
// over a connection in memory.
type host struct {
	t      *testing.T
	ctx    context.Context
	client plugv1.PlugClient
	plug   *webchat
}

// launch makes a plug, as if its process had just begun.
func launch(t *testing.T) *host {
	t.Helper()
	w := &webchat{}
	d := definition
	d.New = func() plug.Plug { return w }
	service, err := plug.NewServer(d, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	listener := bufconn.Listen(64 << 10)
	server := grpc.NewServer()
	plugv1.RegisterPlugServer(server, service)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///plug", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	h := &host{t: t, ctx: ctx, client: plugv1.NewPlugClient(conn), plug: w}
	t.Cleanup(func() {
		if _, err := h.client.Stop(ctx, &plugv1.StopRequest{Grace: durationpb.New(patience)}); err != nil {
			t.Errorf("stop: %v", err)
		}
		cancel()
		conn.Close()
		server.Stop()
		<-served
	})
	return h
}

// tryStart starts the plug in a state directory.
func (h *host) tryStart(dir, config string) *plugv1.StartResponse {
	h.t.Helper()
	resp, err := h.client.Start(h.ctx, &plugv1.StartRequest{Instance: "test", ConfigJson: config, Sources: []string{"lobby", "den"}, StateDir: dir, SpoolDir: h.t.TempDir()})
	if err != nil {
		h.t.Fatal(err)
	}
	return resp
}

// start starts a plug that must work.
func start(t *testing.T, dir string) (*host, *plugv1.StartResponse) {
	t.Helper()
	h := launch(t)
	resp := h.tryStart(dir, `{"title":"Test"}`)
	if f := resp.GetFailure(); f != nil {
		t.Fatalf("start: %v", f)
	}
	return h, resp
}

func (h *host) stop() {
	h.t.Helper()
	if _, err := h.client.Stop(h.ctx, &plugv1.StopRequest{Grace: durationpb.New(patience)}); err != nil {
		h.t.Fatal(err)
	}
}

// putRequest asks for a message by Bo of the Garden in the lobby.
func putRequest(operation, text string) *plugv1.PutRequest {
	return &plugv1.PutRequest{
		OperationId: operation, Channel: "lobby", Attempt: 1,
		Action: &plugv1.Action{
			Author: &plugv1.Author{User: &plugv1.User{Id: "bo"}, FormattedName: "Bo [Garden]"},
			Kind:   &plugv1.Action_Message{Message: &plugv1.Message{Text: plug.NewText(text)}},
		},
		FirstAttemptTime: timestamppb.Now(), Deadline: timestamppb.New(time.Now().Add(patience)),
	}
}

func (h *host) put(r *plugv1.PutRequest) *plugv1.PutResponse {
	h.t.Helper()
	resp, err := h.client.Put(h.ctx, r)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp
}

// mustPut puts what takes one message.
func (h *host) mustPut(operation, text string) *plugv1.Receipt {
	h.t.Helper()
	resp := h.put(putRequest(operation, text))
	if resp.GetFailure() != nil || len(resp.GetReceipts()) != 1 {
		h.t.Fatalf("put: %v", resp)
	}
	return resp.GetReceipts()[0]
}

// stream is the host's end of StreamMessages; it acknowledges what it reads.
type stream struct {
	*host
	grpc    grpc.BidiStreamingClient[plugv1.StreamMessagesRequest, plugv1.StreamMessagesResponse]
	events  []*plugv1.Event
	gaps    []*plugv1.Gap
	cursors map[string]string // the last of each scope
	caught  map[string]bool
}

func (h *host) open(cursors map[string]string) *stream {
	h.t.Helper()
	g, err := h.client.StreamMessages(h.ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	open := &plugv1.StreamOpen{}
	for scope, value := range cursors {
		open.Cursors = append(open.Cursors, &plugv1.Cursor{Scope: scope, Value: []byte(value)})
	}
	if err := g.Send(&plugv1.StreamMessagesRequest{Kind: &plugv1.StreamMessagesRequest_Open{Open: open}}); err != nil {
		h.t.Fatal(err)
	}
	return &stream{host: h, grpc: g, cursors: map[string]string{}, caught: map[string]bool{}}
}

// until reads and acknowledges until enough has come.
func (s *stream) until(enough func() bool) {
	s.t.Helper()
	for !enough() {
		a, err := s.grpc.Recv()
		if err != nil {
			s.t.Fatalf("read the stream: %v; until then %v", err, s.texts())
		}
		s.events = append(s.events, a.GetEvents()...)
		s.gaps = append(s.gaps, a.GetGaps()...)
		for _, c := range a.GetCursors() {
			s.cursors[c.GetScope()] = string(c.GetValue())
		}
		for _, scope := range a.GetCaughtUp() {
			s.caught[scope] = true
		}
		if err := s.grpc.Send(&plugv1.StreamMessagesRequest{Kind: &plugv1.StreamMessagesRequest_Ack{Ack: &plugv1.StreamAck{Through: a.GetSequence()}}}); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *stream) untilCaughtUp() {
	s.t.Helper()
	s.until(func() bool { return s.caught["lobby"] && s.caught["den"] })
}

func (s *stream) untilEvents(n int) []*plugv1.Event {
	s.t.Helper()
	s.until(func() bool { return len(s.events) >= n })
	return s.events
}

func (s *stream) texts() string {
	var all []string
	for _, e := range s.events {
		all = append(all, plug.PlainText(e.GetMessage().GetText()))
	}
	return strings.Join(all, " ")
}

// secret is the browser's by which a person stays the same.
const secret = "0123456789abcdef"

// person is somebody on the page.
type person struct {
	t    *testing.T
	conn *websocket.Conn
}

// visit opens the page's WebSocket.
func (h *host) visit() *person {
	h.t.Helper()
	conn, _, err := websocket.Dial(h.ctx, strings.Replace(h.plug.page.URL(), "http", "ws", 1)+"ws", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	conn.SetReadLimit(-1) // the history comes in large frames
	h.t.Cleanup(func() { conn.CloseNow() })
	p := &person{t: h.t, conn: conn}
	p.send(map[string]any{"type": "hello", "token": secret})
	return p
}

func (p *person) send(frame map[string]any) {
	p.t.Helper()
	if err := wsjson.Write(p.t.Context(), p.conn, frame); err != nil {
		p.t.Fatal(err)
	}
}

// say says something and waits until the page shows it.
func (p *person) say(room, text string) {
	p.t.Helper()
	// A client id that looks like an operation of ours must not become one.
	p.send(map[string]any{"type": "say", "room": room, "name": "Ann", "text": text, "client": "operation:" + text})
	p.sees(text)
}

// shown is a message as the page gets it.
type shown struct {
	Text, Author string
	Avatar       string
	Bridged      bool
}

// sees waits until the page shows a text.
func (p *person) sees(text string) shown {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		_, data, err := p.conn.Read(ctx)
		if err != nil {
			p.t.Fatalf("the page doesn't show %q: %v", text, err)
		}
		var a struct {
			Type, Reason string
			Messages     []shown
			Changes      []struct{ Message *shown }
		}
		if err := json.Unmarshal(data, &a); err != nil || a.Type == "refused" {
			p.t.Fatalf("the page got %s", data)
		}
		for _, c := range a.Changes {
			if c.Message != nil {
				a.Messages = append(a.Messages, *c.Message)
			}
		}
		for _, m := range a.Messages {
			if m.Text == text {
				return m
			}
		}
	}
}
