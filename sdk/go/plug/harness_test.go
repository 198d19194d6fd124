package plug

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	hclog "github.com/hashicorp/go-hclog"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// fake is a Plug whose methods a test replaces. The types below add what a test's
// plug implements besides.
type fake struct {
	onStart    func(context.Context, *Session) (*Started, error)
	onStop     func(context.Context) error
	onPut      func(context.Context, *Part) (*plugv1.Receipt, error)
	onPutWhole func(context.Context, *Whole) ([]*plugv1.Receipt, error)
	onReceive  func(context.Context, *Queue, Cursors) error
}

func (f *fake) Start(ctx context.Context, s *Session) (*Started, error) {
	if f.onStart != nil {
		return f.onStart(ctx, s)
	}
	return &Started{NetworkID: "fake:alice"}, nil
}

func (f *fake) Stop(ctx context.Context) error {
	if f.onStop != nil {
		return f.onStop(ctx)
	}
	return nil
}

type putter struct{ *fake }

func (p putter) Put(ctx context.Context, part *Part) (*plugv1.Receipt, error) {
	return p.onPut(ctx, part)
}

type wholePutter struct{ *fake }

func (p wholePutter) PutWhole(ctx context.Context, w *Whole) ([]*plugv1.Receipt, error) {
	return p.onPutWhole(ctx, w)
}

type receiver struct{ *fake }

func (p receiver) Receive(ctx context.Context, q *Queue, cursors Cursors) error {
	return p.onReceive(ctx, q, cursors)
}

type full struct {
	putter
	onReceive func(context.Context, *Queue, Cursors) error
}

func (p full) Receive(ctx context.Context, q *Queue, cursors Cursors) error {
	return p.onReceive(ctx, q, cursors)
}

// host is the other side: a client of one plug's service over an in-memory pipe.
type host struct {
	t      *testing.T
	server *server
	client plugv1.PlugClient
	conn   *grpc.ClientConn
	log    *syncBuffer
}

// newHost serves a plug and connects to it. In a synctest bubble the test ends only
// when every goroutine of both sides has.
func newHost(t *testing.T, d Definition) *host {
	t.Helper()
	d.Name, d.Version, d.Network = "fake", "1.0.0", "Fake"
	logged := &syncBuffer{}
	s, err := newServer(d, hclog.New(&hclog.LoggerOptions{Output: logged, JSONFormat: true}))
	if err != nil {
		t.Fatal(err)
	}
	listener := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	g := grpc.NewServer(grpc.MaxRecvMsgSize(plugv1.MaxMessageBytes))
	s.register(g)
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///plug", grpc.WithContextDialer(listener.dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(plugv1.MaxMessageBytes)))
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, server: s, client: plugv1.NewPlugClient(conn), conn: conn, log: logged}
	t.Cleanup(func() {
		_, _ = h.client.Stop(context.Background(), &plugv1.StopRequest{Grace: durationpb.New(time.Minute)})
		conn.Close()
		g.Stop()
		<-served
		s.wait()
	})
	return h
}

// start starts the plug, which must work.
func (h *host) start() *plugv1.StartResponse {
	h.t.Helper()
	resp, err := h.client.Start(h.t.Context(), &plugv1.StartRequest{Instance: "test", ConfigJson: "{}", Sources: []string{"room"}})
	if err != nil || resp.GetFailure() != nil {
		h.t.Fatalf("start: %v, %v", resp.GetFailure(), err)
	}
	return resp
}

func (h *host) stop(grace time.Duration) error {
	_, err := h.client.Stop(h.t.Context(), &plugv1.StopRequest{Grace: durationpb.New(grace)})
	return err
}

// put asks for one message, with 30 s to its deadline.
func (h *host) put(ctx context.Context, change ...func(*plugv1.PutRequest)) *plugv1.PutResponse {
	h.t.Helper()
	resp, err := h.client.Put(ctx, putRequest(change...))
	if err != nil {
		h.t.Fatalf("put: %v", err)
	}
	return resp
}

func putRequest(change ...func(*plugv1.PutRequest)) *plugv1.PutRequest {
	req := &plugv1.PutRequest{
		OperationId: "0123456789abcdefghij",
		Channel:     "room",
		Action: &plugv1.Action{
			Author: &plugv1.Author{FormattedName: "bob: "},
			Kind:   &plugv1.Action_Message{Message: &plugv1.Message{Text: NewText("hello")}},
		},
		Attempt:          1,
		FirstAttemptTime: timestamppb.Now(),
		Deadline:         timestamppb.New(time.Now().Add(30 * time.Second)),
	}
	for _, c := range change {
		c(req)
	}
	return req
}

func withText(text string) func(*plugv1.PutRequest) {
	return func(req *plugv1.PutRequest) { req.GetAction().GetMessage().Text = NewText(text) }
}

func inChannel(channel string) func(*plugv1.PutRequest) {
	return func(req *plugv1.PutRequest) { req.Channel = channel }
}

// hostStream is the host's end of StreamMessages. Answers are read by the test.
type hostStream struct {
	t    *testing.T
	grpc grpc.BidiStreamingClient[plugv1.StreamMessagesRequest, plugv1.StreamMessagesResponse]
	end  context.CancelFunc
}

func (h *host) open(cursors ...*plugv1.Cursor) *hostStream {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	g, err := h.client.StreamMessages(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	open := &plugv1.StreamMessagesRequest{Kind: &plugv1.StreamMessagesRequest_Open{Open: &plugv1.StreamOpen{Cursors: cursors}}}
	if err := g.Send(open); err != nil {
		h.t.Fatal(err)
	}
	return &hostStream{t: h.t, grpc: g, end: cancel}
}

func (s *hostStream) recv() *plugv1.StreamMessagesResponse {
	s.t.Helper()
	answer, err := s.grpc.Recv()
	if err != nil {
		s.t.Fatalf("read the stream: %v", err)
	}
	return answer
}

// until reads on to an answer that the test wants: heartbeats may come between.
func (s *hostStream) until(wanted func(*plugv1.StreamMessagesResponse) bool) *plugv1.StreamMessagesResponse {
	s.t.Helper()
	for {
		if answer := s.recv(); wanted(answer) {
			return answer
		}
	}
}

func (s *hostStream) ack(through uint64) {
	s.t.Helper()
	ack := &plugv1.StreamMessagesRequest{Kind: &plugv1.StreamMessagesRequest_Ack{Ack: &plugv1.StreamAck{Through: through}}}
	if err := s.grpc.Send(ack); err != nil {
		s.t.Fatal(err)
	}
}

// events reads until it has n events and gives their message ids and the number of
// the last answer.
func (s *hostStream) events(n int) (ids []string, last uint64) {
	s.t.Helper()
	for len(ids) < n {
		answer := s.recv()
		last = answer.GetSequence()
		for _, e := range answer.GetEvents() {
			ids = append(ids, e.GetMessageId())
		}
	}
	return ids, last
}

// message makes an event with the least that a message needs.
func message(id string) *plugv1.Event {
	return &plugv1.Event{
		MessageId: id, Channel: "room", Own: plugv1.Own_OWN_NO,
		Kind: &plugv1.Event_Message{Message: &plugv1.Message{Text: NewText("text of " + id)}},
	}
}

func receipt(id string) *plugv1.Receipt { return &plugv1.Receipt{Id: id} }

// waitFor fails the test if nothing comes within a minute, of the bubble's time.
func waitFor[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("%s: nothing after a minute", what)
		panic("not reached")
	}
}

// pipeListener connects by net.Pipe, whose ends block on channels as a bubble needs.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

var errListenerClosed = errors.New("listener is closed")

func (l *pipeListener) dial(ctx context.Context, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.closed:
		return nil, errListenerClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, errListenerClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// syncBuffer is a log that a test can read.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
