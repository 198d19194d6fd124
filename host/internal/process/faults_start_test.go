package process

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The faults that show while a plug starts, or in what it starts with.

func TestFault02CertificateInHandshake(t *testing.T) {
	t.Parallel()
	p := startPlug(t, options(t, "with certificate"))
	if err := p.Check(deadline(t)); err != nil {
		t.Error(err)
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
