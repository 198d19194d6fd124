package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/hashicorp/go-plugin"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/plughost/plughost/host/internal/process/internal/child"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// maxHeaderBytes bounds the headers of one gRPC answer, its status message
// included.
const maxHeaderBytes = 64 << 10

// bareClient has go-plugin hand out its connection; the typed client is made
// elsewhere.
type bareClient struct{ plugin.NetRPCUnsupportedPlugin }

// GRPCServer implements plugin.GRPCPlugin.
func (bareClient) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("the host does not serve plugs")
}

// GRPCClient implements plugin.GRPCPlugin.
func (bareClient) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

// dialOptions override go-plugin's own: its limits (fault 11), and its dialer,
// which trusts the address.
func (p *Process) dialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithContextDialer(p.dial),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(plugv1.MaxMessageBytes),
			grpc.MaxCallSendMsgSize(plugv1.MaxMessageBytes),
		),
		grpc.WithMaxHeaderListSize(maxHeaderBytes),
		grpc.WithChainStreamInterceptor(refuseBroker),
	}
}

// refuseBroker keeps go-plugin from opening its broker, which plugs don't use,
// and by which one could have the host keep memory without a bound.
func refuseBroker(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, next grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if strings.HasPrefix(method, "/plugin.GRPCBroker/") {
		return nil, status.Error(codes.Unimplemented, "the broker is not used")
	}
	return next(ctx, desc, cc, method, opts...)
}

// dial connects to the plug's socket, for gRPC, as often as gRPC wants.
func (p *Process) dial(ctx context.Context, _ string) (net.Conn, error) {
	conn, err := p.dialPlug(ctx)
	if err != nil {
		p.dialErr.Store(&err)
	}
	return conn, err
}

func (p *Process) dialPlug(ctx context.Context) (net.Conn, error) {
	if p.child.Alive().Err() != nil {
		return nil, errors.New("plug has exited")
	}
	address, err := p.adapter.handshake()
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", address)
	if err != nil {
		return nil, fmt.Errorf("connect to plug: %w", err)
	}
	if err := checkPeer(conn.(*net.UnixConn), p.Pid()); err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect to plug: %w", err)
	}
	// A closed connection is no sign of death, nor death one of a closed
	// connection: a descendant may hold the socket open (fault 13).
	closeAtExit := context.AfterFunc(p.child.Alive(), func() { conn.Close() })
	return &plugConn{Conn: conn, forget: closeAtExit}, nil
}

// plugConn is a connection that is closed at the plug's exit at the latest.
type plugConn struct {
	net.Conn
	forget func() bool
}

// Close implements net.Conn.
func (c *plugConn) Close() error {
	c.forget()
	return c.Conn.Close()
}

// checkPeer makes sure that the process that listens is the plug or descends from
// it (fault 10): a path may lead to anybody's socket by the time it is used.
func checkPeer(conn *net.UnixConn, plug int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		peer, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if credErr != nil {
		return fmt.Errorf("read peer credentials: %w", credErr)
	}
	if int(peer.Uid) != os.Geteuid() {
		return fmt.Errorf("socket belongs to user %d, not to the host's %d", peer.Uid, os.Geteuid())
	}
	if !child.Descends(int(peer.Pid), plug) {
		return fmt.Errorf("socket belongs to process %d, which is not the plug", peer.Pid)
	}
	return nil
}
