package simplug_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	hclog "github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"

	"github.com/plughost/plughost/plugins/simnet/simnettest"
	"github.com/plughost/plughost/sdk/go/plug"
)

// inBubble runs a test in a bubble, on a network that has been told commands.
func inBubble(t *testing.T, test func(t *testing.T, n *simnettest.Local), commands ...simnettest.Command) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n, err := simnettest.NewLocal(t.Context(), commands...)
		if err != nil {
			t.Fatal(err)
		}
		// Cleanups run last first: the hosts' before this one.
		t.Cleanup(n.Close)
		test(t, n)
	})
}

// host is what a plug knows of its host: a client on an in-memory pipe.
type host struct {
	t      *testing.T
	client plugv1.PlugClient
	// died has what the script had the process do.
	died chan simnettest.Fault

	mu      sync.Mutex
	lines   []string
	events  []*plugv1.Event
	cursors map[string][]byte
}

// newHost serves the plug of a network and connects to it.
func newHost(t *testing.T, n *simnettest.Local) *host {
	t.Helper()
	h := &host{t: t, died: make(chan simnettest.Fault, 8), cursors: map[string][]byte{}}
	d := n.Definition(plugv1.PutScope_PUT_SCOPE_CHANNEL, func(f simnettest.Fault) { h.died <- f })
	server, err := plug.NewServer(d, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	l := &pipe{conns: make(chan net.Conn), closed: make(chan struct{})}
	g := grpc.NewServer()
	plugv1.RegisterPlugServer(g, server)
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///plug", grpc.WithContextDialer(l.dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	h.client = plugv1.NewPlugClient(conn)
	t.Cleanup(func() {
		h.stop()
		conn.Close()
		g.Stop()
		<-served
	})
	return h
}

func (h *host) stop() {
	_, err := h.client.Stop(context.Background(), &plugv1.StopRequest{Grace: durationpb.New(8 * time.Second)})
	if err != nil {
		h.t.Error(err)
	}
}

// tryStart starts the plug in the account "alice".
func (h *host) tryStart(sources ...string) *plugv1.StartResponse {
	h.t.Helper()
	reply, err := h.client.Start(h.t.Context(), &plugv1.StartRequest{
		Instance: "test", Sources: sources, ConfigJson: `{"address":"in memory","account":"alice"}`,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return reply
}

func (h *host) start(sources ...string) *plugv1.StartResponse {
	h.t.Helper()
	reply := h.tryStart(sources...)
	if reply.GetFailure() != nil {
		h.t.Fatal(reply.GetFailure())
	}
	return reply
}

// open opens the stream with the cursors of an earlier host, then notes and
// acknowledges everything.
func (h *host) open(earlier *host) {
	h.t.Helper()
	open := &plugv1.StreamOpen{}
	if earlier != nil {
		for scope, value := range earlier.cursors {
			open.Cursors = append(open.Cursors, &plugv1.Cursor{Scope: scope, Value: value})
		}
	}
	stream, err := h.client.StreamMessages(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	if err := stream.Send(&plugv1.StreamMessagesRequest{Kind: &plugv1.StreamMessagesRequest_Open{Open: open}}); err != nil {
		h.t.Fatal(err)
	}
	go func() { // ends with the connection
		for {
			answer, err := stream.Recv()
			if err != nil {
				return
			}
			h.note(answer)
			ack := &plugv1.StreamAck{Through: answer.GetSequence()}
			_ = stream.Send(&plugv1.StreamMessagesRequest{Kind: &plugv1.StreamMessagesRequest_Ack{Ack: ack}})
		}
	}()
}

func (h *host) note(a *plugv1.StreamMessagesResponse) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, a.GetEvents()...)
	for _, e := range a.GetEvents() {
		words := []string{
			"event", e.GetChannel(), e.GetMessageId(), "by " + e.GetAuthor().GetDisplayName(),
			strings.TrimPrefix(e.GetOwn().String(), "OWN_"), e.GetOperationId(), plug.PlainText(e.GetMessage().GetText()),
		}
		h.lines = append(h.lines, join(words))
	}
	for _, g := range a.GetGaps() {
		h.lines = append(h.lines, join([]string{"gap", g.GetScope(), g.GetReason()}))
		if g.GetSince() == nil || g.GetUntil().AsTime().Before(g.GetSince().AsTime()) {
			h.lines = append(h.lines, fmt.Sprintf("of no time: %v", g))
		}
	}
	for _, s := range a.GetCaughtUp() {
		h.lines = append(h.lines, join([]string{"caught up", s}))
	}
	for _, o := range a.GetOutcomes() {
		h.lines = append(h.lines, join([]string{"outcome", o.GetOperationId(), outcome(o.GetResponse())}))
	}
	for _, c := range a.GetCursors() {
		h.cursors[c.GetScope()] = c.GetValue()
	}
}

// heard is what came on the stream since the last call, once all is quiet.
func (h *host) heard() (lines []string) {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	lines, h.lines = h.lines, nil
	return lines
}

func (h *host) want(lines ...string) {
	h.t.Helper()
	want(h.t, h.heard(), lines...)
}

func want(t *testing.T, got []string, lines ...string) {
	t.Helper()
	if !slices.Equal(got, lines) {
		t.Fatalf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(lines, "\n\t"))
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

func join(words []string) string {
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
}

const putTimeout = 30 * time.Second

// put asks for one message and gives the answer as "sent <id>" or the verdict.
func (h *host) put(channel, text, operation string) string {
	ctx, cancel := context.WithTimeout(h.t.Context(), putTimeout+5*time.Second)
	defer cancel()
	return h.putUntil(ctx, channel, text, operation)
}

func (h *host) putUntil(ctx context.Context, channel, text, operation string) string {
	now := time.Now()
	reply, err := h.client.Put(ctx, &plugv1.PutRequest{
		OperationId: operation, Channel: channel, Attempt: 1,
		FirstAttemptTime: timestamppb.New(now), Deadline: timestamppb.New(now.Add(putTimeout)),
		Action: &plugv1.Action{
			Author: &plugv1.Author{FormattedName: "Ann"},
			Kind:   &plugv1.Action_Message{Message: &plugv1.Message{Text: plug.NewText(text)}},
		},
	})
	if err != nil {
		return err.Error()
	}
	return outcome(reply)
}

func outcome(reply *plugv1.PutResponse) string {
	if f := reply.GetFailure(); f != nil {
		words := []string{strings.TrimPrefix(f.GetVerdict().String(), "VERDICT_")}
		if f.GetRetryAfter() != nil {
			words = append(words, f.GetRetryAfter().AsDuration().String())
		}
		if f.GetScope() == plugv1.FailureScope_FAILURE_SCOPE_PLUG {
			words = append(words, "whole plug")
		}
		return join(words)
	}
	return "sent " + reply.GetReceipts()[0].GetId()
}

// do has the network carry out commands.
func do(t *testing.T, n *simnettest.Local, commands ...simnettest.Command) {
	t.Helper()
	if _, err := n.Do(t.Context(), commands...); err != nil {
		t.Fatal(err)
	}
}

func say(t *testing.T, n *simnettest.Local, channel, text string) {
	t.Helper()
	if _, err := n.Say(t.Context(), channel, "Bob", text); err != nil {
		t.Fatal(err)
	}
}

// accepted gives the messages that the network accepted, as "channel author text".
func accepted(t *testing.T, n *simnettest.Local) (lines []string) {
	t.Helper()
	entries, err := n.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Kind == simnettest.Accepted {
			lines = append(lines, join([]string{e.Channel, e.Author, e.Text}))
		}
	}
	return lines
}

// pipe is a listener on in-memory connections.
type pipe struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (p *pipe) dial(ctx context.Context, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, errors.New("closed")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, io.EOF
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipe) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
