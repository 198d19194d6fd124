package link

import (
	"context"
	"net"
	"testing"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that rawCodec wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/test/bufconn"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type streamServer = grpc.BidiStreamingServer[plugv1.StreamMessagesRequest, plugv1.StreamMessagesResponse]

// fakePlug serves the contract with the functions that a test sets; the others
// answer UNIMPLEMENTED.
type fakePlug struct {
	plugv1.UnimplementedPlugServer
	OnDescribe func(context.Context, *plugv1.DescribeRequest) (*plugv1.DescribeResponse, error)
	OnStart    func(context.Context, *plugv1.StartRequest) (*plugv1.StartResponse, error)
	OnStop     func(context.Context, *plugv1.StopRequest) (*plugv1.StopResponse, error)
	OnPut      func(context.Context, *plugv1.PutRequest) (*plugv1.PutResponse, error)
	OnStream   func(streamServer) error

	users   plugv1.UsersServer // nil: not served
	history plugv1.HistoryServer
	rooms   plugv1.ChannelsServer
	checks  plugv1.ConfigValidatorServer
	status  plugv1.NetworkStatusServer
}

func (f *fakePlug) Describe(ctx context.Context, r *plugv1.DescribeRequest) (*plugv1.DescribeResponse, error) {
	return f.OnDescribe(ctx, r)
}
func (f *fakePlug) Start(ctx context.Context, r *plugv1.StartRequest) (*plugv1.StartResponse, error) {
	return f.OnStart(ctx, r)
}
func (f *fakePlug) Stop(ctx context.Context, r *plugv1.StopRequest) (*plugv1.StopResponse, error) {
	return f.OnStop(ctx, r)
}
func (f *fakePlug) Put(ctx context.Context, r *plugv1.PutRequest) (*plugv1.PutResponse, error) {
	return f.OnPut(ctx, r)
}
func (f *fakePlug) StreamMessages(s streamServer) error { return f.OnStream(s) }

// connect serves the fake on an in-memory pipe and returns the link to it. All
// of it ends with the test; inside a bubble it is of the bubble.
func connect(t *testing.T, f *fakePlug, options ...Option) *Link {
	t.Helper()
	l, _ := connectServer(t, f, options...)
	return l
}

// connectServer is connect, for tests that end the server themselves.
func connectServer(t *testing.T, f *fakePlug, options ...Option) (*Link, *grpc.Server) {
	t.Helper()
	pipe := bufconn.Listen(64 << 10)
	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(plugv1.MaxMessageBytes),
		grpc.ForceServerCodecV2(rawCodec{encoding.GetCodecV2("proto")}),
		grpc.WaitForHandlers(true),
	)
	plugv1.RegisterPlugServer(server, f)
	if f.users != nil {
		plugv1.RegisterUsersServer(server, f.users)
	}
	if f.history != nil {
		plugv1.RegisterHistoryServer(server, f.history)
	}
	if f.rooms != nil {
		plugv1.RegisterChannelsServer(server, f.rooms)
	}
	if f.checks != nil {
		plugv1.RegisterConfigValidatorServer(server, f.checks)
	}
	if f.status != nil {
		plugv1.RegisterNetworkStatusServer(server, f.status)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(pipe) // ends with the server; the calls of the test see what is wrong
	}()
	l, conn := dial(t, func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }, options...)
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		<-served
	})
	return l, server
}

// dial returns a link over connections that dialer makes.
func dial(t *testing.T, dialer func(context.Context, string) (net.Conn, error), options ...Option) (*Link, *grpc.ClientConn) {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///plug",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(dialer),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return New(conn, "irc1", hclog.NewNullLogger(), options...), conn
}

// raw is an answer that goes over the wire as it is, for what no protobuf
// encoder would write.
type raw []byte

// rawCodec is the usual codec, and lets raw through.
type rawCodec struct{ encoding.CodecV2 }

func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.(raw); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// message is an action that writes a text.
func message(text string) *plugv1.Action {
	return &plugv1.Action{Kind: &plugv1.Action_Message{Message: &plugv1.Message{
		Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: text}}},
	}}}
}

func putRequest(id string) *plugv1.PutRequest {
	return &plugv1.PutRequest{OperationId: id, Channel: "#c", Action: message("hello"), Attempt: 1}
}

func receipts(ids ...string) *plugv1.PutResponse {
	resp := new(plugv1.PutResponse)
	for _, id := range ids {
		resp.Receipts = append(resp.Receipts, &plugv1.Receipt{Id: id})
	}
	return resp
}

// countingWriter counts what is written to it: hclog writes a line at a time.
type countingWriter int

func (w *countingWriter) Write(p []byte) (int, error) {
	*w++
	return len(p), nil
}

func hclogTo(w *countingWriter) hclog.Logger { return hclog.New(&hclog.LoggerOptions{Output: w}) }
