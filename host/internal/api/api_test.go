package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/api"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	"github.com/plughost/plughost/proto/plughost/host/v1/hostv1connect"
)

// patience bounds every wait for what must happen.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if dir := os.Getenv("API_TEST_LISTEN"); dir != "" {
		listenUntilKilled(dir)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if binDir != "" {
			os.RemoveAll(binDir)
		}
		os.Exit(code)
	}))
}

// listenUntilKilled is another process that serves a data directory.
func listenUntilKilled(dir string) {
	if _, err := api.Listen(dir); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("listening")
	select {}
}

// fakeHost is a host with a fixed list of plugs, which can do nothing else.
type fakeHost struct {
	api.Host
	mu        sync.Mutex
	plugs     []host.Status
	restarted []id.InstanceName
	onStatus  func()
}

func (h *fakeHost) Status() []host.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.onStatus != nil {
		h.onStatus()
	}
	return append([]host.Status(nil), h.plugs...)
}

func (h *fakeHost) Restart(name id.InstanceName) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch name {
	case "broken":
		return &hook.Error{Code: codes.FailedPrecondition, Text: "it has no config"}
	case "north", "south":
	default:
		return &hook.Error{Code: codes.NotFound, Text: fmt.Sprintf("there is no plug %q", name)}
	}
	h.restarted = append(h.restarted, name)
	return nil
}

var since = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func newFakeHost() *fakeHost {
	return &fakeHost{plugs: []host.Status{
		{Plug: "north", State: "ready", Since: since, Pid: 42, Network: "webchat:north"},
		{Plug: "broken", State: "failed", Reason: "no config\xff"},
		{Plug: "south", State: "backoff", Reason: "exit status 1", Since: since, NextTry: since.Add(time.Minute), Restarts: 3, Breaches: 2, Gaps: []host.Gap{
			{Source: "c", Since: since, Until: since.Add(time.Hour), Reason: "the cursor has expired", Filled: 7, Closed: true, Lack: "only so many"},
			{Until: since, Reason: "unknown cursor"},
		}},
	}}
}

// serve serves a host in a data directory until the test ends, or stop is called.
func serve(t *testing.T, dir string, h api.Host) (server *api.Server, stop func()) {
	t.Helper()
	l, err := api.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	server = api.New(hclog.NewNullLogger())
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l, h) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(patience):
			t.Error("Serve does not end")
		}
	})
	t.Cleanup(stop)
	return server, stop
}

func TestPlugs(t *testing.T) {
	dir, h := t.TempDir(), newFakeHost()
	serve(t, dir, h)
	c, ctx := client(t, dir)
	got, err := c.Plugs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := h.Status()
	want[1].Reason = "no config\uFFFD"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Plugs:\n got %+v\nwant %+v", got, want)
	}
}

func TestEveryStateArrives(t *testing.T) {
	dir, h := t.TempDir(), &fakeHost{}
	for _, state := range strings.Fields("disabled verifying starting ready degraded backoff held failed stopping stopped") {
		h.plugs = append(h.plugs, host.Status{Plug: id.InstanceName(state), State: state})
	}
	serve(t, dir, h)
	c, ctx := client(t, dir)
	got, err := c.Plugs(ctx)
	if err != nil || !reflect.DeepEqual(got, h.Status()) {
		t.Errorf("Plugs: %+v, %v", got, err)
	}
}

// One handler speaks Connect with JSON, for curl, and gRPC, for programs.
func TestProtocols(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir, newFakeHost())
	_, ctx := client(t, dir)
	socket := filepath.Join(dir, "api", "plughost.sock")
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		Protocols: new(http.Protocols),
	}
	defer transport.CloseIdleConnections()
	transport.Protocols.SetUnencryptedHTTP2(true)
	grpc := hostv1connect.NewPlugServiceClient(&http.Client{Transport: transport}, "http://plughost", connect.WithGRPC())
	response, err := grpc.ListPlugs(ctx, &hostv1.ListPlugsRequest{})
	if err != nil || len(response.Plugs) != 3 {
		t.Errorf("gRPC: %v, %v", response, err)
	}

	transport = &http.Transport{DialContext: transport.DialContext}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://plughost/plughost.host.v1.PlugService/ListPlugs", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var list struct {
		Plugs []struct{ Plug, State string }
	}
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil || len(list.Plugs) != 3 || list.Plugs[0].State != "PLUG_STATE_READY" {
		t.Errorf("JSON: %+v, %v", list, err)
	}
}

func TestRestart(t *testing.T) {
	dir, h := t.TempDir(), newFakeHost()
	serve(t, dir, h)
	c, ctx := client(t, dir)
	if err := c.Restart(ctx, "south"); err != nil || !reflect.DeepEqual(h.restarted, []id.InstanceName{"south"}) {
		t.Errorf("Restart: %v, restarted %v", err, h.restarted)
	}
	for name, want := range map[id.InstanceName]string{"east": `there is no plug "east"`, "broken": "it has no config"} {
		if err := c.Restart(ctx, name); err == nil || err.Error() != want {
			t.Errorf("Restart(%s): %v, want %s", name, err, want)
		}
	}
}

func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("nothing more comes")
		panic("not reached")
	}
}

func TestNoHost(t *testing.T) {
	dir := t.TempDir()
	c, ctx := client(t, dir)
	if _, err := c.Plugs(ctx); !errors.Is(err, api.ErrNoHost) {
		t.Errorf("without a directory: %v", err)
	}
	_, stop := serve(t, dir, newFakeHost())
	if _, err := c.Plugs(ctx); err != nil {
		t.Errorf("with a host: %v", err)
	}
	stop()
	c.Close()
	if _, err := c.Plugs(ctx); !errors.Is(err, api.ErrNoHost) {
		t.Errorf("after the host: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "api", "plughost.sock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

func TestSocketIsPrivate(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "api"), 0o755); err != nil {
		t.Fatal(err)
	}
	serve(t, dir, newFakeHost())
	for path, want := range map[string]fs.FileMode{"api": 0o700, "api/plughost.sock": 0o600, "api/lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
}

// The path of a socket has at most 107 bytes; that of a directory may have more.
func TestLongDataDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 40))
	serve(t, dir, newFakeHost())
	c, ctx := client(t, dir)
	if _, err := c.Plugs(ctx); err != nil {
		t.Error(err)
	}
}

// A host that runs keeps its socket; that of one killed by SIGKILL is replaced.
func TestAnotherHost(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command(self)
	other.Env = append(os.Environ(), "API_TEST_LISTEN="+dir)
	stdout, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 10)
	if _, err := stdout.Read(said); err != nil || !strings.HasPrefix("listening\n", string(said)) {
		t.Errorf("the other host said %q, %v", said, err)
	}
	if l, err := api.Listen(dir); !errors.Is(err, api.ErrTaken) {
		t.Errorf("Listen beside a host that runs: %v, %v", l, err)
	}
	conn, err := net.Dial("unix", filepath.Join(dir, "api", "plughost.sock"))
	if err != nil {
		t.Errorf("the other host's socket is gone: %v", err)
	} else {
		conn.Close()
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // it was killed

	c, ctx := client(t, dir)
	if _, err := c.Plugs(ctx); !errors.Is(err, api.ErrNoHost) {
		t.Errorf("with the socket of a killed host: %v", err)
	}
	serve(t, dir, newFakeHost())
	if _, err := c.Plugs(ctx); err != nil {
		t.Errorf("after a killed host: %v", err)
	}
}
