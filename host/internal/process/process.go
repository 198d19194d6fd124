package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/process/internal/child"
	"github.com/plughost/plughost/host/internal/process/internal/output"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// defaultStartTimeout is that of Options.StartTimeout.
const defaultStartTimeout = 10 * time.Second

// Options says what to run and how.
type Options struct {
	// Name names the instance in logs and errors.
	Name id.InstanceName
	// Path is the absolute path of the executable. It is executed as it is: no
	// search in PATH, no shell.
	Path string
	// Args are the arguments behind argv[0]. They are visible to every user of the
	// machine: never a secret.
	Args []string
	// Env holds variables ("NAME=value") beside those that every plug gets: PATH,
	// LANG, LC_*, TZ and SSL_CERT_* of the host, and a HOME and TMPDIR of its own.
	// They override these; GRPC_* are left out.
	Env []string
	// Dir is the working directory; "" is the private directory.
	Dir string
	// RunDir is an existing directory in which the plug's private one (0700) is
	// made, for its socket and temporary files; "" is os.TempDir. Its path may
	// have about 70 bytes.
	RunDir string
	// Logger gets the plug's log lines, under the plug's name; nil: nobody does.
	Logger hclog.Logger
	// StartTimeout bounds Start; 0 is 10 s.
	StartTimeout time.Duration
}

// Process is one running plug. Its methods may be called at any time and from
// any goroutine. Whoever has one calls Close in the end, also after Done.
type Process struct {
	name    id.InstanceName
	dir     string
	child   *child.Child
	out     *output.Output
	adapter *adapter
	client  *plugin.Client
	conn    *grpc.ClientConn
	dialErr atomic.Pointer[error] // the last one

	closeOnce sync.Once
	closeErr  error
}

// Start runs a plug. It returns when the handshake is done and the gRPC
// connection stands. It takes at most Options.StartTimeout, less if ctx ends, and
// a moment to clear up; after an error nothing is left of the plug, and the error
// holds the end of what it wrote to stderr. Ctx has no effect afterwards.
func Start(ctx context.Context, o Options) (*Process, error) {
	p, err := start(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("start plug %q: %w", o.Name, err)
	}
	return p, nil
}

func start(ctx context.Context, o Options) (*Process, error) {
	if !filepath.IsAbs(o.Path) {
		return nil, fmt.Errorf("path of the executable must be absolute: %q", o.Path)
	}
	if o.RunDir == "" {
		o.RunDir = os.TempDir()
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = defaultStartTimeout
	}
	tooLate := fmt.Errorf("plug was not ready within %v", o.StartTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, o.StartTimeout, tooLate)
	defer cancel()

	dir, err := makeDir(o.RunDir)
	if err != nil {
		return nil, err
	}
	c, err := child.New(dir)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	p := &Process{name: o.Name, dir: dir, child: c, out: output.New(o.Logger.Named(string(o.Name)))}

	// go-plugin takes no context. What ends it is the end of the process.
	unwatch := context.AfterFunc(ctx, func() { _ = p.child.Kill() })
	err = p.connect(ctx, o)
	if !unwatch() {
		err = context.Cause(ctx)
	} else if err != nil {
		err = p.explain(err)
	}
	if err == nil {
		return p, nil
	}
	if closeErr := p.Close(); closeErr != nil {
		err = fmt.Errorf("%w; %w", err, closeErr)
	}
	if exit := new(ExitError); !errors.As(err, &exit) {
		err = fmt.Errorf("%w%s", err, quote(p.out.Last()))
	}
	return nil, err
}

// explain puts how the plug ended to an error of connect, if it has ended by
// itself: of a plug that exits, the closed pipe or connection is seen first.
func (p *Process) explain(err error) error {
	if !p.child.Started() {
		return err
	}
	patience := time.NewTimer(child.PipePatience)
	defer patience.Stop()
	select {
	case <-p.Done():
	case <-patience.C:
		return err
	}
	if errors.Is(err, errNoHandshake) {
		return fmt.Errorf("plug ended before its handshake: %w", p.exit())
	}
	return fmt.Errorf("%w; then the plug ended: %w", err, p.exit())
}

// connect has go-plugin launch the plug and connect to it.
func (p *Process) connect(ctx context.Context, o Options) error {
	p.client = plugin.NewClient(&plugin.ClientConfig{ // made anew for each start: it changes by use (fault 14)
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  plugv1.ProtocolVersion,
			MagicCookieKey:   plugv1.HandshakeCookieKey,
			MagicCookieValue: plugv1.HandshakeCookieValue,
		},
		Plugins:          plugin.PluginSet{plugv1.PluginName: bareClient{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
			p.adapter = newAdapter(p.child, p.out, o, p.dir, cmd.Env)
			return p.adapter, nil
		},
		SkipHostEnv:      true,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: p.dir},
		GRPCDialOptions:  p.dialOptions(),
		// What a Go plug prints after its handshake comes this way.
		SyncStdout: p.out.Writer(output.Stdout),
		SyncStderr: p.out.Writer(output.Stderr),
		// The end of ctx comes first (fault 4).
		StartTimeout: o.StartTimeout + child.KillPatience,
		// Its lines would say again what errors and ExitError say.
		Logger: hclog.NewNullLogger(),
	})
	conn, err := p.dispense()
	if p.adapter != nil {
		close(p.adapter.attached)
	}
	if err != nil {
		if p.adapter != nil {
			// Nobody reads it, if go-plugin has not begun to.
			p.adapter.lineOut.CloseWithError(io.ErrClosedPipe)
		}
		return err
	}
	p.conn = conn
	conn.Connect()
	for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
		if state == connectivity.TransientFailure {
			if err := p.dialErr.Load(); err != nil {
				return *err
			}
			return errors.New("plug closed the connection, or speaks no gRPC on it")
		}
		if !conn.WaitForStateChange(ctx, state) {
			return context.Cause(ctx)
		}
	}
	return nil
}

func (p *Process) dispense() (*grpc.ClientConn, error) {
	if _, err := p.client.Start(); err != nil {
		if p.adapter != nil {
			if _, handshakeErr := p.adapter.handshake(); handshakeErr != nil {
				return nil, handshakeErr
			}
		}
		return nil, err
	}
	protocol, err := p.client.Client()
	if err != nil {
		return nil, err
	}
	conn, err := protocol.Dispense(plugv1.PluginName)
	if err != nil {
		return nil, err
	}
	return conn.(*grpc.ClientConn), nil
}

// Conn is the connection to the plug, valid until Close. Messages are limited to
// plugv1.MaxMessageBytes in both directions. When the plug exits, all calls on it
// end with UNAVAILABLE. Every call needs a deadline of its own: a plug may hang.
func (p *Process) Conn() *grpc.ClientConn { return p.conn }

// Pid is the process's id, and that of its process group and session.
func (p *Process) Pid() int { return p.child.Pid() }

// Done is closed as soon as the process has exited, whoever holds its pipes or
// its connection (fault 13).
func (p *Process) Done() <-chan struct{} { return p.child.Alive().Done() }

// Err is nil before Done. Afterwards it is an *ExitError, also for exit status 0;
// it waits until the rest of the plug's stderr is read and what it left behind is
// killed, which takes a moment, at most about 2 s.
func (p *Process) Err() error {
	if p.child.Alive().Err() == nil {
		return nil
	}
	return p.exit()
}

// exit waits for the end of all that follows the process's exit.
func (p *Process) exit() *ExitError {
	state, byItself := p.child.Exit()
	e := &ExitError{Code: state.ExitCode()}
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		e.Signal = w.Signal()
	}
	if byItself && e.Code != 0 {
		e.Stderr = p.out.Last()
	}
	return e
}

// Check asks the plug's health service, and is nil if it answers SERVING. Ctx
// needs a deadline: a stopped plug does not answer (fault 3).
func (p *Process) Check(ctx context.Context) error {
	answer, err := grpc_health_v1.NewHealthClient(p.conn).Check(ctx,
		&grpc_health_v1.HealthCheckRequest{Service: plugin.GRPCServiceName})
	if err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	if answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("check health: plug answers %s", answer.GetStatus())
	}
	return nil
}

// Shutdown asks the plug to exit and waits until it has, or until ctx ends, which
// is then the error. Calls that run are cut (fault 16): finish them first. Close
// is still to be called.
func (p *Process) Shutdown(ctx context.Context) error {
	// The message is go-plugin's own empty one, which is like this on the wire.
	err := p.conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
	if status.Code(err) == codes.Unimplemented {
		return fmt.Errorf("shut down: %w", err)
	}
	// Any other error may well be the plug that exits before it has answered.
	select {
	case <-p.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("shut down: plug has not exited: %w", context.Cause(ctx))
	}
}

// Signal sends a signal to the plug's process group. After the exit it returns
// os.ErrProcessDone.
func (p *Process) Signal(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("send %v: not a signal of this system", sig)
	}
	return p.child.Signal(s)
}

// Close kills the plug with all its descendants, if they still run, waits for
// them, closes the connection and removes the private directory. It takes an
// instant, also when the plug is stopped, and at most about 8 s. Only the first
// call does it; each returns its result. An error says what could not be cleared
// up; all else has been.
func (p *Process) Close() error {
	p.closeOnce.Do(func() {
		if err := p.close(); err != nil {
			p.closeErr = fmt.Errorf("close plug %q: %w", p.name, err)
		}
	})
	return p.closeErr
}

func (p *Process) close() error {
	errs := []error{p.child.Close()}
	if errors.Is(errs[0], child.ErrAlive) {
		// go-plugin waits on for it, and so must its directory.
		if p.conn != nil {
			p.conn.Close()
		}
		return errs[0]
	}
	p.out.End()
	// Only now: it asks the plug to exit and waits for it, without a deadline
	// (fault 3).
	p.client.Kill()
	if err := os.RemoveAll(p.dir); err != nil {
		errs = append(errs, fmt.Errorf("remove private directory: %w", err))
	}
	return errors.Join(errs...)
}
