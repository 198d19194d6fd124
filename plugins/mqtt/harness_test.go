package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// patience bounds everything that a test waits for.
const patience = 30 * time.Second

// host is the other side of the contract: it calls the plug as the real host does,
// over a connection in memory.
type host struct {
	t      *testing.T
	ctx    context.Context
	conn   *grpc.ClientConn
	client plugv1.PlugClient
	plug   *mqtt
}

// launch makes a plug, as if its process had just begun.
func launch(t *testing.T) *host {
	t.Helper()
	m := &mqtt{}
	d := definition
	d.New = func() plug.Plug { return m }
	log := hclog.NewNullLogger()
	if testing.Verbose() {
		log = hclog.Default()
	}
	listener := bufconn.Listen(64 << 10)
	server := grpc.NewServer()
	if err := plug.Register(server, d, log); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///plug", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
	h := &host{t: t, ctx: ctx, conn: conn, client: plugv1.NewPlugClient(conn), plug: m}
	t.Cleanup(func() {
		// Some tests end with events that were never acknowledged: they are not waited for.
		if _, err := h.client.Stop(ctx, &plugv1.StopRequest{Grace: durationpb.New(2 * time.Second)}); err != nil {
			t.Errorf("stop: %v", err)
		}
		cancel()
		conn.Close()
		server.Stop()
		<-served
	})
	return h
}

// settings is a config as an operator writes it.
type settings map[string]any

func at(url string) settings {
	return settings{"server": url, "username": "plug", "password": "secret"}
}

func (s settings) with(key string, value any) settings {
	s[key] = value
	return s
}

func (h *host) tryStart(dir string, s settings, sources ...string) *plugv1.StartResponse {
	h.t.Helper()
	config, err := json.Marshal(s)
	if err != nil {
		h.t.Fatal(err)
	}
	resp, err := h.client.Start(h.ctx, &plugv1.StartRequest{Instance: "test", ConfigJson: string(config), Sources: sources, StateDir: dir, SpoolDir: h.t.TempDir()})
	if err != nil {
		h.t.Fatal(err)
	}
	return resp
}

// start starts a plug that must work.
func start(t *testing.T, dir string, s settings, sources ...string) (*host, *plugv1.StartResponse) {
	t.Helper()
	h := launch(t)
	resp := h.tryStart(dir, s, sources...)
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

// die ends the plug as a kill would: what is not acknowledged stays so, and nobody says
// goodbye to the broker.
func (h *host) die(p *proxy) {
	h.t.Helper()
	p.Refuse(true)
	if _, err := h.client.Stop(h.ctx, &plugv1.StopRequest{Grace: durationpb.New(time.Second)}); err != nil {
		h.t.Fatal(err)
	}
	p.Refuse(false)
}

// operation makes an operation id.
func operation(n int) string { return fmt.Sprintf("%020d", n) }

func putRequest(channel, operation, text string) *plugv1.PutRequest {
	return &plugv1.PutRequest{
		OperationId: operation, Channel: channel, Attempt: 1,
		Action: &plugv1.Action{
			Author: &plugv1.Author{User: &plugv1.User{Id: "bo"}, FormattedName: "Bo [Garden]"},
			Kind:   &plugv1.Action_Message{Message: &plugv1.Message{Text: plug.NewText(text)}},
		},
		FirstAttemptTime: timestamppb.New(time.Unix(1700000000, 0)), Deadline: timestamppb.New(time.Now().Add(patience)),
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
func (h *host) mustPut(channel, operation, text string) {
	h.t.Helper()
	resp := h.put(putRequest(channel, operation, text))
	if resp.GetFailure() != nil || len(resp.GetReceipts()) != 1 || resp.GetReceipts()[0].GetId() != operation {
		h.t.Fatalf("put: %v", resp)
	}
}

// fails puts what must fail.
func (h *host) fails(r *plugv1.PutRequest, want plugv1.Verdict) {
	h.t.Helper()
	resp := h.put(r)
	if f := resp.GetFailure(); f.GetVerdict() != want || f.GetMessage() == "" {
		h.t.Errorf("put: %v, want %s", resp, want)
	}
}

// stream is the host's end of StreamMessages.
type stream struct {
	*host
	grpc   grpc.BidiStreamingClient[plugv1.StreamMessagesRequest, plugv1.StreamMessagesResponse]
	mute   bool // doesn't acknowledge
	last   uint64
	events []*plugv1.Event
	gaps   []*plugv1.Gap
	caught map[string]bool
}

func (h *host) open() *stream {
	h.t.Helper()
	g, err := h.client.StreamMessages(h.ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	open := &plugv1.StreamMessagesRequest_Open{Open: &plugv1.StreamOpen{}}
	if err := g.Send(&plugv1.StreamMessagesRequest{Kind: open}); err != nil {
		h.t.Fatal(err)
	}
	return &stream{host: h, grpc: g, caught: map[string]bool{}}
}

// until reads, and acknowledges unless it is mute, until enough has come.
func (s *stream) until(enough func() bool) {
	s.t.Helper()
	for !enough() {
		a, err := s.grpc.Recv()
		if err != nil {
			s.t.Fatalf("read the stream: %v; until then %q, gaps %v", err, s.texts(), s.gaps)
		}
		s.events = append(s.events, a.GetEvents()...)
		s.gaps = append(s.gaps, a.GetGaps()...)
		for _, scope := range a.GetCaughtUp() {
			s.caught[scope] = true
		}
		s.last = a.GetSequence()
		if !s.mute {
			s.ack()
		}
	}
}

func (s *stream) ack() {
	s.t.Helper()
	if err := s.grpc.Send(&plugv1.StreamMessagesRequest{Kind: &plugv1.StreamMessagesRequest_Ack{Ack: &plugv1.StreamAck{Through: s.last}}}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stream) untilEvents(n int) []*plugv1.Event {
	s.t.Helper()
	s.until(func() bool { return len(s.events) >= n })
	return s.events
}

// untilText reads until a text has come.
func (s *stream) untilText(text string) {
	s.t.Helper()
	s.until(func() bool { return len(s.events) > 0 && textOf(s.events[len(s.events)-1]) == text })
}

func textOf(e *plugv1.Event) string { return plug.PlainText(e.GetMessage().GetText()) }

func (s *stream) texts() string {
	var all []string
	for _, e := range s.events {
		all = append(all, textOf(e))
	}
	return strings.Join(all, " ")
}
