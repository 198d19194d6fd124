package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// modes are what the test binary can be instead of a test: plugs well- and
// ill-behaved, and a host.
var modes = map[string]func(){
	"good": serveGood,
	"raw":  func() { serveRaw(handshakeLine("")) },
	"host": runHost,

	"silent": func() { select {} },
	"exits": func() {
		fmt.Fprintln(os.Stderr, `{"@level":"error","@message":"no database","@timestamp":"2026-01-02T15:04:05.000000Z","path":"/x"}`)
		fmt.Fprintln(os.Stderr, "giving up")
		os.Exit(3)
	},
	"garbage": func() {
		fmt.Println("Hello from a library that prints")
		select {}
	},
	"long line": func() {
		fmt.Print(strings.Repeat("x", 1<<20))
		select {}
	},
	"flood first": func() {
		for {
			if _, err := fmt.Println(strings.Repeat("y", 100)); err != nil {
				os.Exit(1)
			}
		}
	},
	"closes stdout": func() {
		os.Stdout.Close()
		select {}
	},
	"announces": func() { // the handshake line of the test's choice, and nothing behind it
		fmt.Println(strings.ReplaceAll(os.Getenv("LINE"), "DIR", os.Getenv(plugin.EnvUnixSocketDir)))
		select {}
	},
	"impostor": func() { // the socket of somebody else under a name of its own
		path := filepath.Join(os.Getenv(plugin.EnvUnixSocketDir), "s")
		if err := os.Link(os.Getenv("SOCKET"), path); err != nil {
			panic(err)
		}
		fmt.Println(cleanHandshake(path))
		select {}
	},
	"deaf": func() { // accepts, and says nothing
		l := listen()
		fmt.Print(cleanHandshake(l.Addr().String()))
		for {
			if _, err := l.Accept(); err != nil {
				os.Exit(1)
			}
		}
	},
	"hangs up": func() {
		l := listen()
		fmt.Print(cleanHandshake(l.Addr().String()))
		for {
			c, err := l.Accept()
			if err != nil {
				os.Exit(1)
			}
			c.Close()
		}
	},
	"exits after handshake": func() {
		l := listen()
		fmt.Print(cleanHandshake(l.Addr().String()))
		fmt.Fprintln(os.Stderr, "changed my mind")
		os.Exit(4)
	},
	"with certificate": func() { serveRaw(handshakeLine("|" + strings.Repeat("QUJD", 100))) },
}

func listen() net.Listener {
	l, err := net.Listen("unix", filepath.Join(os.Getenv(plugin.EnvUnixSocketDir), "s"))
	if err != nil {
		panic(err)
	}
	return l
}

// testService is served by the good and the raw plug.
type testService struct {
	listener *keepingListener // nil in the good plug
}

func (s *testService) register(server *grpc.Server) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Plug",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			unary("Make", func(_ context.Context, n *wrapperspb.Int64Value) (*wrapperspb.BytesValue, error) {
				return wrapperspb.Bytes(make([]byte, n.GetValue())), nil
			}),
			unary("Size", func(_ context.Context, b *wrapperspb.BytesValue) (*wrapperspb.Int64Value, error) {
				return wrapperspb.Int64(int64(len(b.GetValue()))), nil
			}),
			unary("Hang", func(ctx context.Context, _ *emptypb.Empty) (*emptypb.Empty, error) {
				fmt.Fprintln(realStderr, "hanging")
				<-ctx.Done()
				return nil, ctx.Err()
			}),
			unary("Do", func(_ context.Context, what *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
				answer, err := s.do(what.GetValue())
				return wrapperspb.String(answer), err
			}),
		},
	}, s)
}

func unary[In any, Out any](name string, f func(context.Context, *In) (*Out, error)) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := new(In)
		if err := decode(in); err != nil {
			return nil, err
		}
		return f(ctx, in)
	}}
}

// go-plugin's server puts pipes in the place of os.Stdout and os.Stderr.
var (
	realStdin  = os.NewFile(0, "stdin")
	realStdout = os.NewFile(1, "stdout")
	realStderr = os.NewFile(2, "stderr")
)

// do is what tests have the plug do.
func (s *testService) do(what string) (string, error) {
	verb, arg, _ := strings.Cut(what, " ")
	switch verb {
	case "exit":
		code, _ := strconv.Atoi(arg)
		os.Exit(code)
	case "panic":
		go panic("oh no") // not caught by anybody
		select {}
	case "stderr":
		_, err := fmt.Fprintln(realStderr, arg)
		return "", err
	case "quoted": // to stderr, what is no UTF-8
		text, err := strconv.Unquote(arg)
		if err == nil {
			_, err = fmt.Fprintln(realStderr, text)
		}
		return "", err
	case "print": // as an author would
		_, err := fmt.Println(arg)
		return "", err
	case "long": // that many bytes on stdout, without a line's end
		n, _ := strconv.Atoi(arg)
		_, err := io.WriteString(realStdout, strings.Repeat("x", n))
		return "", err
	case "flood": // that many lines on stdout or stderr
		stream, count, _ := strings.Cut(arg, " ")
		f := map[string]*os.File{"stdout": realStdout, "stderr": realStderr}[stream]
		n, _ := strconv.Atoi(count)
		for i := range n {
			if _, err := fmt.Fprintf(f, "line %d of a flood\n", i); err != nil {
				return "", err
			}
		}
	case "env":
		return strings.Join(os.Environ(), "\n"), nil
	case "dir":
		return os.Getwd()
	case "stdin":
		info, err := realStdin.Stat()
		return info.Mode().Type().String(), err
	case "ids":
		group, err := syscall.Getpgid(0)
		if err != nil {
			return "", err
		}
		session, err := unix.Getsid(0)
		return fmt.Sprintf("leads group: %v, session: %v", group == os.Getpid(), session == os.Getpid()), err
	case "spawn":
		return s.spawn(arg)
	default:
		return "", errors.New("cannot " + what)
	}
	return "", nil
}

// spawn starts grandchildren of several kinds and gives the pid of one.
func (s *testService) spawn(kind string) (string, error) {
	script := map[string]string{
		"plain":     `sleep 600 <&- >&- 2>&- & echo $!`,
		"no env":    `env -i sleep 600 <&- >&- 2>&- & echo $!`,
		"session":   `setsid sleep 600 <&- >&- 2>&- & echo $!; exec >&-; wait`, // its parent lives
		"daemon":    `setsid sleep 600 <&- >&- 2>&- & echo $!`,                 // its parent ends
		"forgotten": `setsid env -i sleep 600 <&- >&- 2>&- & echo $!; exec >&-; wait`,
		// What no search finds; it holds our output and our connection.
		"escaped": `setsid env -i sleep 600 >&3 2>&4 & echo $!`,
	}[kind]
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.ExtraFiles = []*os.File{realStdout, realStderr}
	if s.listener != nil {
		files, err := s.listener.files()
		if err != nil {
			return "", err
		}
		cmd.ExtraFiles = append(cmd.ExtraFiles, files...)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(out)
	if err != nil {
		return "", err
	}
	go cmd.Wait() // the plug is a good parent
	pid := strings.TrimSpace(string(answer))
	// It is what it shall be only when shell, setsid and env have executed it.
	for tick := time.Tick(time.Millisecond); ; <-tick {
		name, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil || string(name) == "sleep\n" {
			return pid, err
		}
	}
}

// goodPlugin is a plug as an SDK would make it.
type goodPlugin struct{ plugin.NetRPCUnsupportedPlugin }

func (goodPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	new(testService).register(s)
	return nil
}

func (goodPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("not a host")
}

func serveGood() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  plugv1.ProtocolVersion,
			MagicCookieKey:   plugv1.HandshakeCookieKey,
			MagicCookieValue: plugv1.HandshakeCookieValue,
		},
		Plugins:    plugin.PluginSet{plugv1.PluginName: goodPlugin{}},
		GRPCServer: newServer,
	})
}

func newServer(o []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(o, grpc.MaxRecvMsgSize(64<<20), grpc.MaxSendMsgSize(64<<20))...)
}

// handshakeLine is that of a plug that listens where serveRaw does.
func handshakeLine(more string) string {
	address := filepath.Join(os.Getenv(plugin.EnvUnixSocketDir), "s")
	return strings.TrimSpace(cleanHandshake(address)) + more
}

// serveRaw is a plug without go-plugin: no controller, no stdio.
func serveRaw(handshake string) {
	listener := &keepingListener{Listener: listen()}
	server := newServer([]grpc.ServerOption{
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			method, _ := grpc.MethodFromServerStream(stream)
			fmt.Fprintln(os.Stderr, "called:", method)
			return status.Error(codes.Unimplemented, method)
		}),
	})
	(&testService{listener: listener}).register(server)
	h := health.NewServer()
	h.SetServingStatus(plugin.GRPCServiceName, grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, h)
	fmt.Println(handshake)
	if err := server.Serve(listener); err != nil {
		panic(err)
	}
}

// keepingListener remembers its connections, to give them to a grandchild.
type keepingListener struct {
	net.Listener
	mu    sync.Mutex
	conns []*net.UnixConn
}

func (l *keepingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.conns = append(l.conns, c.(*net.UnixConn))
	}
	return c, err
}

func (l *keepingListener) files() ([]*os.File, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var files []*os.File
	for _, c := range l.conns {
		f, err := c.File()
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}
