package plug

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"slices"
	"sync"

	hclog "github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
)

// exitUsage is the exit code of a plug that a person ran by hand (EX_USAGE).
const exitUsage = 64

// exitStuck is the exit code of a plug whose Put didn't return (EX_SOFTWARE).
const exitStuck = 70

// Serve runs the plug until the host ends it, and exits the process: main calls it
// and does nothing after. It exits at once when the host is gone.
//
// Started by a host, the process's stdout belongs to the handshake from the time this
// package is initialised: what the plug or its children print goes to stderr, and so
// to the host's log. Run by hand it explains itself; with "--describe" it prints what
// the host would be told about the binary, as JSON.
func Serve(d Definition) {
	if !startedByHost() {
		os.Exit(byHand(d, os.Args[1:]))
	}
	log := hclog.New(&hclog.LoggerOptions{Name: d.Name, Level: hclog.Debug, Output: os.Stderr, JSONFormat: true})
	hclog.SetDefault(log)
	s, err := newServer(d, log)
	if err != nil {
		log.Error("the plug cannot be served", "error", err)
		os.Exit(1)
	}
	s.abort = func() {
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2) // the process ends in any case
		os.Exit(exitStuck)
	}
	go exitWithHost(log) // ends with the process

	stderr := os.Stderr
	os.Stdout = handshakeOutput // go-plugin prints its one line there
	served := false
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion:  plugv1.ProtocolVersion,
			MagicCookieKey:   plugv1.HandshakeCookieKey,
			MagicCookieValue: plugv1.HandshakeCookieValue,
		},
		Plugins: goplugin.PluginSet{plugv1.PluginName: &adapter{server: s}},
		Logger:  log,
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			served = true
			return grpc.NewServer(append(options, serverOptions(stderr)...)...)
		},
	})
	if !served {
		os.Exit(1) // go-plugin has logged why
	}
	os.Exit(0)
}

// serverOptions holds the contract's limit on messages, and takes os.Stdout and
// os.Stderr back from go-plugin at the first call. It replaces both after its
// handshake by pipes of its own, which block when the host leaves them unread.
func serverOptions(stderr *os.File) []grpc.ServerOption {
	takeBack := sync.OnceFunc(func() { os.Stdout, os.Stderr = stderr, stderr })
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(plugv1.MaxMessageBytes),
		grpc.MaxSendMsgSize(plugv1.MaxMessageBytes),
		// A fresh goroutine for each Put grows its stack anew, which was a twelfth of
		// a busy plug's time. When all workers are busy there is one all the same.
		grpc.NumStreamWorkers(32),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			takeBack()
			return handler(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			takeBack()
			return handler(srv, stream)
		}),
	}
}

// adapter registers the service with go-plugin.
type adapter struct {
	goplugin.NetRPCUnsupportedPlugin
	server *server
}

func (a *adapter) GRPCServer(_ *goplugin.GRPCBroker, g *grpc.Server) error {
	a.server.register(g)
	return nil
}

func (a *adapter) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a plug is no client")
}

// byHand is what the binary does for a person; it gives the exit code.
func byHand(d Definition, args []string) int {
	if slices.Contains(args, "--describe") {
		s, err := newServer(d, hclog.NewNullLogger())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(protojson.Format(s.description))
		return 0
	}
	fmt.Fprintf(os.Stderr, `This program is a plug: it connects a plughost to %s.
The host starts it by itself. Name it in the host's config under "plugs", with

    use: %s

and run "plughost run". To see what it can do and which config it takes, run it
with --describe.
`, d.Network, d.Name)
	return exitUsage
}
