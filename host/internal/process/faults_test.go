package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// One test per fault of go-plugin that this package closes.

func TestFault01NonStringLogMessage(t *testing.T) {
	t.Parallel()
	var l logs
	o := options(t, "good")
	o.Logger = l.logger()
	p := startPlug(t, o)
	for _, line := range []string{
		`{"@message": 5}`,
		`{"@message": "x", "@level": []}`,
		`{"@message": "x", "@level": "info", "@timestamp": 7}`,
		`{"@message": {}, "@level": "info", "@timestamp": null}`,
		`{"@message": "cut`,
		`{"@message": "x"} {"@message": "y"}`,
		`[1, "x"]`, `null`, "\x00\xff\xfe", strings.Repeat("[", 20_000), strings.Repeat(`{"a":`, 20_000),
	} {
		do(t, p, "quoted "+strconv.Quote(line))
	}
	do(t, p, `stderr {"@level":"warn","@message":"at last","@timestamp":"2026-01-02T15:04:05.000000Z","n":1}`)
	eventually(t, "the last line in the log", func() bool { return l.find(t, "at last") != nil })
	if line := l.find(t, "at last"); line["@level"] != "warn" || line["@module"] != "test" {
		t.Errorf("a good line was logged as %v", line)
	}
	if l.find(t, `{"@message": 5}`) == nil {
		t.Error("a bad line was not logged as it is")
	}
	if err := p.Check(deadline(t)); err != nil {
		t.Error(err)
	}
}

func TestFault02CertificateInHandshake(t *testing.T) {
	t.Parallel()
	p := startPlug(t, options(t, "with certificate"))
	if err := p.Check(deadline(t)); err != nil {
		t.Error(err)
	}
}

func TestFault03StoppedPlug(t *testing.T) {
	t.Parallel()
	p := startPlug(t, options(t, "good"))
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stop", func() bool { return state(p.Pid()) == "T" })
	for name, call := range map[string]func(context.Context) error{"Check": p.Check, "Shutdown": p.Shutdown} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if err := call(ctx); err == nil {
			t.Errorf("%s of a stopped plug succeeded", name)
		}
		cancel()
	}
	closed := make(chan struct{})
	go func() {
		closePlug(t, p)
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("Close blocks on a stopped plug")
	}
	if running(p.Pid()) {
		t.Error("a stopped plug outlives Close")
	}
}

func TestFault04StartIsBounded(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"silent", "deaf", "closes stdout"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			t.Run("by its limit", func(t *testing.T) {
				t.Parallel()
				o := options(t, mode)
				o.StartTimeout = 300 * time.Millisecond
				_, err := Start(t.Context(), o)
				if err == nil || !strings.Contains(err.Error(), "plug was not ready within 300ms") && mode != "closes stdout" {
					t.Errorf("got %v", err)
				}
			})
			t.Run("by its context", func(t *testing.T) {
				t.Parallel()
				o := options(t, mode)
				gone := errors.New("host stops")
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(300*time.Millisecond, func() { cancel(gone) })
				began := time.Now()
				_, err := Start(ctx, o)
				if err == nil || !errors.Is(err, gone) && mode != "closes stdout" {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took > patience/2 {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestFault05GrandchildHoldsPipes(t *testing.T) {
	t.Parallel()
	p := startPlug(t, options(t, "good"))
	grandchild := doInt(t, p, "spawn escaped")
	defer syscall.Kill(grandchild, syscall.SIGKILL)
	crash(t, p, "exit 3")
	waitDone(t, p)
	var exit *ExitError
	if err := p.Err(); !errors.As(err, &exit) || exit.Code != 3 {
		t.Errorf("got %v", err)
	}
	closePlug(t, p) // waits for all readers
	if !running(grandchild) {
		t.Error("the grandchild is gone: this test shows nothing")
	}
}

// crash has the plug do something that ends it.
func crash(t *testing.T, p *Process, what string) {
	t.Helper()
	err := p.Conn().Invoke(deadline(t), "/test.Plug/Do", wrapperspb.String(what), new(wrapperspb.StringValue))
	if code := status.Code(err); code != codes.Unavailable {
		t.Errorf("a call cut by the plug's death: got %v, want %v", err, codes.Unavailable)
	}
}

func TestFault06LongStdoutLine(t *testing.T) {
	t.Parallel()
	p := startPlug(t, options(t, "good"))
	do(t, p, "long 3000000") // returns when all of it is written
	do(t, p, "flood stdout 50000")
	if err := p.Check(deadline(t)); err != nil {
		t.Error(err)
	}
}

func TestFault07WholeTreeIsKilled(t *testing.T) { // I3
	t.Parallel()
	kinds := []string{"plain", "no env", "session", "daemon", "forgotten"}
	for how, end := range map[string]func(*testing.T, *Process){
		"by Close":      func(t *testing.T, p *Process) { closePlug(t, p) },
		"after a crash": func(t *testing.T, p *Process) { crash(t, p, "exit 1") },
		"after SIGKILL": func(t *testing.T, p *Process) { syscall.Kill(p.Pid(), syscall.SIGKILL) },
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			p := startPlug(t, options(t, "good"))
			var pids []int
			for _, kind := range kinds {
				if kind == "forgotten" && how != "by Close" {
					continue // its parents die with the plug, so that nothing leads to it
				}
				pids = append(pids, doInt(t, p, "spawn "+kind))
			}
			end(t, p)
			waitDone(t, p)
			_ = p.Err() // waits for the clearing up
			for i, pid := range pids {
				if running(pid) {
					t.Errorf("%s grandchild outlives its plug", kinds[i])
				}
			}
		})
	}
}

func TestFault09HostEnvironment(t *testing.T) { // I4
	t.Setenv("HOST_SECRET", "s3cret")
	t.Setenv("GRPC_GO_LOG_SEVERITY_LEVEL", "info")
	t.Setenv("LC_TIME", "de_CH.UTF-8")
	t.Setenv("TZ", "Europe/Zurich")
	t.Setenv("SSL_CERT_DIR", "/certificates")
	t.Setenv("OVERRIDDEN_PATH", "x")
	o := options(t, "good")
	o.Env = append(o.Env, "OWN=1", "TZ=UTC", "GRPC_VERBOSITY=debug", "PLUGIN_UNIX_SOCKET_DIR=/elsewhere")
	p := startPlug(t, o)
	env := make(map[string]string)
	for v := range strings.Lines(do(t, p, "env")) {
		name, value, _ := strings.Cut(strings.TrimSpace(v), "=")
		env[name] = value
	}
	for _, name := range []string{"HOST_SECRET", "GRPC_GO_LOG_SEVERITY_LEVEL", "GRPC_VERBOSITY", "OVERRIDDEN_PATH", "USER"} {
		if value, ok := env[name]; ok {
			t.Errorf("the plug sees %s=%s", name, value)
		}
	}
	for name, want := range map[string]string{
		"PATH": os.Getenv("PATH"), "LC_TIME": "de_CH.UTF-8", "SSL_CERT_DIR": "/certificates", "OWN": "1", "TZ": "UTC",
		"HOME": p.dir, "TMPDIR": p.dir + "/tmp", "PLUGIN_UNIX_SOCKET_DIR": p.dir,
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	if dir := do(t, p, "dir"); dir != p.dir {
		t.Errorf("the plug runs in %s, want %s", dir, p.dir)
	}
	for _, dir := range []string{p.dir, p.dir + "/tmp"} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
}

func TestFault10PlugChoosesTheAddress(t *testing.T) {
	t.Parallel()
	const outside, refused = "it must be a unix socket in", "connect to plug: dial unix"
	for name, c := range map[string]struct{ line, want string }{
		"tcp":       {"1|1|tcp|127.0.0.1:80|grpc", outside},
		"outside":   {"1|1|unix|/run/docker.sock|grpc", outside},
		"above":     {"1|1|unix|DIR/../x|grpc", outside},
		"below":     {"1|1|unix|DIR/a/x|grpc", outside},
		"abstract":  {"1|1|unix|@x|grpc", outside},
		"dots":      {"1|1|unix|DIR/./x|grpc", outside},
		"itself":    {"1|1|unix|DIR|grpc", outside},
		"relative":  {"1|1|unix|s|grpc", outside},
		"too long":  {"1|1|unix|DIR/" + strings.Repeat("x", 108) + "|grpc", "at most 107 are allowed"},
		"no socket": {"1|1|unix|DIR/tmp|grpc", refused},
		"nothing":   {"1|1|unix|DIR/none|grpc", refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t, "announces")
			o.Env = append(o.Env, "LINE="+c.line)
			if _, err := Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("socket of another process", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		o := options(t, "impostor")
		o.Env = append(o.Env, "SOCKET="+l.Addr().String())
		_, err = Start(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), "which is not the plug") {
			t.Errorf("got %v", err)
		}
	})
}

func TestFault11MessageSize(t *testing.T) {
	t.Parallel()
	p := startPlug(t, options(t, "good"))
	const limit, envelope = 16 << 20, 64
	receive := func(n int64) error {
		return p.Conn().Invoke(deadline(t), "/test.Plug/Make", wrapperspb.Int64(n), new(wrapperspb.BytesValue))
	}
	send := func(n int64) error {
		return p.Conn().Invoke(deadline(t), "/test.Plug/Size", wrapperspb.Bytes(make([]byte, n)), new(wrapperspb.Int64Value))
	}
	for name, call := range map[string]func(int64) error{"receive": receive, "send": send} {
		if err := call(limit - envelope); err != nil {
			t.Errorf("%s within the limit: %v", name, err)
		}
		if err := call(limit); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s beyond the limit: got %v", name, err)
		}
	}
	if err := p.Check(deadline(t)); err != nil {
		t.Errorf("after refused messages: %v", err)
	}
}

func TestFault13ForkedChildKeepsConnection(t *testing.T) {
	t.Parallel()
	var l logs
	o := options(t, "raw")
	o.Logger = l.logger()
	p := startPlug(t, o)
	grandchild := doInt(t, p, "spawn escaped")
	defer syscall.Kill(grandchild, syscall.SIGKILL)
	hung := make(chan error, 1)
	ctx := deadline(t)
	go func() {
		hung <- p.Conn().Invoke(ctx, "/test.Plug/Hang", new(emptypb.Empty), new(emptypb.Empty))
	}()
	eventually(t, "the call in the plug", func() bool { return l.find(t, "hanging") != nil })
	crash(t, p, "exit 3")
	waitDone(t, p)
	if code := status.Code(<-hung); code != codes.Unavailable {
		t.Errorf("a running call ended with %v, want %v", code, codes.Unavailable)
	}
	if err := p.Check(ctx); status.Code(errors.Unwrap(err)) != codes.Unavailable {
		t.Errorf("a later call: %v", err)
	}
	if !running(grandchild) {
		t.Error("the grandchild is gone: this test shows nothing")
	}
}

func TestFault14ConfigIsChangedByUse(t *testing.T) {
	t.Parallel()
	o := options(t, "good")
	var starts sync.WaitGroup
	for range 3 {
		starts.Go(func() {
			p, err := Start(t.Context(), o)
			if err != nil {
				t.Error(err)
				return
			}
			defer closePlug(t, p)
			if err := p.Check(deadline(t)); err != nil {
				t.Error(err)
			}
		})
	}
	starts.Wait()
}

func TestFault15SocketDirectory(t *testing.T) {
	t.Parallel()
	t.Run("removed", func(t *testing.T) {
		t.Parallel()
		for _, mode := range []string{"good", "exits", "garbage"} {
			o := options(t, mode) // which looks whether RunDir is empty in the end
			if p, err := Start(t.Context(), o); err == nil {
				if entries, err := os.ReadDir(o.RunDir); err != nil || len(entries) != 1 {
					t.Errorf("%d directories for one plug, %v", len(entries), err)
				}
				closePlug(t, p)
			}
			if entries, err := os.ReadDir(o.RunDir); err != nil || len(entries) != 0 {
				t.Errorf("%s left %v, %v", mode, entries, err)
			}
		}
	})
	t.Run("length", func(t *testing.T) {
		t.Parallel()
		parent := t.TempDir()
		start := func(n int) error {
			dir := filepath.Join(parent, strings.Repeat("x", n-len(parent)-1))
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			o := options(t, "good")
			o.RunDir = dir
			p, err := Start(t.Context(), o)
			if err == nil {
				closePlug(t, p)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
				t.Errorf("left %v, %v", entries, err)
			}
			return err
		}
		if room := 70 - len(parent); room > 1 {
			if err := start(70); err != nil {
				t.Error(err)
			}
		} else {
			t.Errorf("TMPDIR is too long for this test: %s", parent)
		}
		if err := start(90); err == nil || !strings.Contains(err.Error(), "bytes too long for a unix socket: choose a shorter one") {
			t.Errorf("got %v", err)
		}
	})
}

func TestStdinIsAPipe(t *testing.T) {
	t.Parallel()
	p := startPlug(t, options(t, "good"))
	if got := do(t, p, "stdin"); got != os.ModeNamedPipe.String() {
		t.Errorf("stdin is %q", got)
	}
}

// A plug without go-plugin's server is served too, and its broker is left alone:
// by it a plug could fill the host's memory.
func TestBrokerIsNeverOpened(t *testing.T) {
	t.Parallel()
	var l logs
	o := options(t, "raw")
	o.Logger = l.logger()
	p := startPlug(t, o)
	eventually(t, "a call of the stdio service", func() bool {
		return l.find(t, "called: /plugin.GRPCStdio/StreamStdio") != nil
	})
	if err := p.Check(deadline(t)); err != nil {
		t.Error(err)
	}
	for _, line := range l.lines(t) {
		if strings.Contains(fmt.Sprint(line["@message"]), "Broker") {
			t.Errorf("%v", line)
		}
	}
	if err := p.Shutdown(deadline(t)); status.Code(errors.Unwrap(err)) != codes.Unimplemented {
		t.Errorf("Shutdown of a plug that has none: %v", err)
	}
}
