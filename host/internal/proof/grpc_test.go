package proof

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/link"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// The same over the real protocol: the real link, gRPC on a pipe in memory, and
// a server in front of the model's process.
func TestSchedulesOverGRPC(t *testing.T) {
	n := howMany(t, 500, 50)
	counts := check(t, n, overGRPC)
	fmt.Printf("%d schedules over gRPC:\n%v", n, counts)
}

// overGRPC connects the host to a process by gRPC.
func overGRPC(_ *life, p *process) Link { return serve(p, &plugServer{process: p}) }

// serve serves a process's plug on a pipe in memory, and connects to it.
func serve(p *process, plug plugv1.PlugServer, options ...grpc.ServerOption) *wire {
	pipe := bufconn.Listen(64 << 10)
	server := grpc.NewServer(append(options, grpc.MaxRecvMsgSize(plugv1.MaxMessageBytes), grpc.WaitForHandlers(true))...)
	plugv1.RegisterPlugServer(server, plug)
	p.tasks.Go(func() { _ = server.Serve(pipe) }) // ends with the server; the calls see what is wrong
	p.tasks.Go(func() {                           // a process takes its connections with it
		<-p.dead
		server.Stop()
	})
	conn, err := grpc.NewClient("passthrough:///plug",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }),
	)
	if err != nil {
		panic(err) // the target is a constant
	}
	return &wire{link.New(conn, id.InstanceName(p.net.id), hclog.NewNullLogger()), conn}
}

// wire is the real link as the model's host uses it.
type wire struct {
	*link.Link
	conn *grpc.ClientConn
}

func (w *wire) Open(ctx context.Context, cursors []*plugv1.Cursor) (Stream, error) {
	return w.Link.Open(ctx, cursors)
}

func (w *wire) Stop(ctx context.Context) {
	_ = w.Link.Stop(ctx, quiesce) // a process that doesn't stop is killed next
}

func (w *wire) Close() { _ = w.conn.Close() }

// plugServer serves the contract for a model's process.
type plugServer struct {
	plugv1.UnimplementedPlugServer
	process *process
}

func (s *plugServer) Put(ctx context.Context, r *plugv1.PutRequest) (*plugv1.PutResponse, error) {
	return s.process.put(ctx, r)
}

func (s *plugServer) Stop(ctx context.Context, _ *plugv1.StopRequest) (*plugv1.StopResponse, error) {
	s.process.finish(ctx)
	return &plugv1.StopResponse{}, nil
}

func (s *plugServer) StreamMessages(g grpc.BidiStreamingServer[plugv1.StreamMessagesRequest, plugv1.StreamMessagesResponse]) error {
	first, err := g.Recv()
	if err != nil {
		return err
	}
	st, err := s.process.open(first.GetOpen().GetCursors())
	if err != nil {
		return err
	}
	go func() { // ends with the call, whose context ends then
		for {
			r, err := g.Recv()
			if err != nil {
				return
			}
			st.ack(r.GetAck().GetThrough())
		}
	}()
	for {
		answer, err := st.next(g.Context())
		if err == nil {
			err = g.Send(answer)
		}
		if err != nil {
			return err
		}
	}
}
