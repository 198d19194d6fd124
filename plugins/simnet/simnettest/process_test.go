package simnettest_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"

	"github.com/plughost/plughost/plugins/simnet/simnettest"
	"github.com/plughost/plughost/sdk/go/plug"
)

// built compiles the programs, once for all tests.
var built = sync.OnceValues(func() (simnettest.Binaries, error) {
	dir, err := os.MkdirTemp("", "simnettest")
	if err != nil {
		return simnettest.Binaries{}, err
	}
	binDir = dir
	return simnettest.Build(context.Background(), dir)
})

var binDir string

func TestMain(m *testing.M) {
	code := m.Run()
	if binDir != "" {
		os.RemoveAll(binDir)
	}
	os.Exit(code)
}

func binaries(t *testing.T) simnettest.Binaries {
	t.Helper()
	b, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// limited is a context for real processes on a loaded machine.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, commands ...simnettest.Command) *simnettest.Process {
	t.Helper()
	p, err := simnettest.Start(limited(t), binaries(t).Simnetd, t.TempDir(), commands...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProcess(t *testing.T) {
	bin := binaries(t)
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	ctx := limited(t)
	p, err := simnettest.Start(ctx, bin.Simnetd, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Generate(ctx, simnettest.Generate{Channels: []string{"left"}, Count: 1000, Size: 300}); err != nil {
		t.Fatal(err)
	}
	if id, err := p.Say(ctx, "right", "Bob", "hi"); err != nil || id != "right-1" {
		t.Fatalf("%q, %v", id, err)
	}
	if err := p.Wait(ctx, simnettest.Emitted, "", 1001); err != nil {
		t.Fatal(err)
	}
	entries, err := p.Ledger(ctx)
	if err != nil || len(entries) != 1001 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	r := simnettest.Compare(simnettest.Member{Ledger: entries, Channel: "left"}, simnettest.Member{Ledger: entries, Channel: "right"})
	if len(r.Missing) != 1001 {
		t.Fatalf("%d missing, want all", len(r.Missing))
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	// A second network would number its lines from 1 again.
	if again, err := simnettest.Start(ctx, bin.Simnetd, dir); err == nil {
		_ = again.Stop()
		t.Fatal("a second network took the ledger of the first")
	}
}

// The commands that a network begins with must all work.
func TestStartFailsWithItsCommands(t *testing.T) {
	bin := binaries(t)
	defer goleak.VerifyNone(t)
	_, err := simnettest.Start(limited(t), bin.Simnetd, t.TempDir(), simnettest.Command{})
	if err == nil || !strings.Contains(err.Error(), "does one thing") {
		t.Fatal(err)
	}
}

func TestSimnetdFromTheCommandLine(t *testing.T) {
	bin := binaries(t)
	dir := t.TempDir()
	script := filepath.Join(dir, "script.json")
	if err := os.WriteFile(script, []byte(`[{"say":{"channel":"left","text":"hi"}}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	ledgerPath := filepath.Join(dir, "ledger.jsonl")
	cmd := exec.CommandContext(limited(t), bin.Simnetd, "-ledger", ledgerPath, "-script", script)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	// Stdin is /dev/null here, which must not end it.
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, `{"address":"127.0.0.1:`) {
		t.Fatalf("%q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(ledgerPath); err != nil || !strings.Contains(string(data), `"text":"hi"`) {
		t.Fatalf("%s, %v", data, err)
	}

	for flag, words := range map[string]string{
		"-listen=0.0.0.0:0":          "only loopback",
		"-script=" + ledgerPath:      "JSON list",
		"-script=/nowhere":           "open script",
		"-ledger=/nowhere/ledger":    "make the ledger",
		"-listen=unix:/nowhere/sock": "listen",
	} {
		out, err := exec.CommandContext(limited(t), bin.Simnetd, "-ledger", filepath.Join(t.TempDir(), "l"), flag).CombinedOutput()
		if err == nil || !strings.Contains(string(out), words) {
			t.Errorf("%s: %v, %s", flag, err, out)
		}
	}
}

// The two binaries differ in name and scope.
func TestScopesOfTheBinaries(t *testing.T) {
	bin := binaries(t)
	for path, want := range map[string][]string{
		bin.Plug:          {`"simnet"`, "PUT_SCOPE_CHANNEL"},
		bin.PlugWithScope: {`"simnet-plugscope"`, "PUT_SCOPE_PLUG"},
	} {
		out, err := exec.CommandContext(limited(t), path, "--describe").Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range want {
			if !bytes.Contains(out, []byte(word)) {
				t.Errorf("%s does not say %s:\n%s", path, word, out)
			}
		}
	}
}

// plugProcess is a plug as a host has it: its process and its service.
type plugProcess struct {
	plugv1.PlugClient
	cmd   *exec.Cmd
	ended chan error
}

// run starts the plug's binary with the handshake of go-plugin, in the account
// "alice" and the channel "left".
func run(t *testing.T, n *simnettest.Process) *plugProcess {
	t.Helper()
	dir, err := os.MkdirTemp("", "plug")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd := exec.CommandContext(limited(t), binaries(t).Plug)
	cmd.Env = []string{
		plugv1.HandshakeCookieKey + "=" + plugv1.HandshakeCookieValue,
		fmt.Sprintf("PLUGIN_PROTOCOL_VERSIONS=%d", plugv1.ProtocolVersion), "PLUGIN_UNIX_SOCKET_DIR=" + dir,
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &plugProcess{cmd: cmd, ended: make(chan error, 1)}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	go func() { p.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Kill()
	})
	fields := strings.Split(strings.TrimSpace(line), "|")
	if err != nil || len(fields) < 5 || fields[2] != "unix" {
		t.Fatalf("handshake %q, %v", line, err)
	}
	conn, err := grpc.NewClient("unix:"+fields[3], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p.PlugClient = plugv1.NewPlugClient(conn)
	reply, err := p.Start(limited(t), &plugv1.StartRequest{
		Instance: "test", Sources: []string{"left"},
		ConfigJson: fmt.Sprintf(`{"address":%q,"account":"alice"}`, n.Address),
	})
	if err != nil || reply.GetFailure() != nil {
		t.Fatalf("%v, %v", reply, err)
	}
	return p
}

func (p *plugProcess) put(ctx context.Context, text string) (*plugv1.PutResponse, error) {
	return p.Put(ctx, &plugv1.PutRequest{
		OperationId: "0123456789abcdefghij", Channel: "left", Attempt: 1,
		Deadline: timestamppb.New(time.Now().Add(time.Minute)),
		Action:   &plugv1.Action{Kind: &plugv1.Action_Message{Message: &plugv1.Message{Text: plug.NewText(text)}}},
	})
}

// Every way to end the real process, at every point, with what the network has taken
// by then.
func TestOrdersEndTheProcess(t *testing.T) {
	ctx := limited(t)
	n := start(t)
	defer func() {
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	}()
	taken := 0
	for _, c := range []struct {
		fault  simnettest.Fault
		at     simnettest.Point
		takes  int
		status string
	}{
		{simnettest.FaultExit, simnettest.AtOnce, 0, "exit status 3"},
		{simnettest.FaultExit, simnettest.BeforeSend, 0, "exit status 3"},
		{simnettest.FaultExit, simnettest.AfterAccept, 1, "exit status 3"},
		{simnettest.FaultCrash, simnettest.BeforeAnswer, 1, "exit status 2"},
		{simnettest.FaultCrash, simnettest.AtOnce, 0, "exit status 2"},
	} {
		p := run(t, n)
		if _, err := n.Do(ctx, simnettest.Command{Plug: &simnettest.Plug{Account: "alice", Fault: c.fault, At: c.at}}); err != nil {
			t.Fatal(err)
		}
		if c.at != simnettest.AtOnce {
			if reply, err := p.put(ctx, "hi"); err == nil {
				t.Errorf("%s %s: the Put gave %v", c.fault, c.at, reply)
			}
		}
		if err := <-p.ended; err == nil || err.Error() != c.status {
			t.Errorf("%s %s: %v, want %s", c.fault, c.at, err, c.status)
		}
		taken += c.takes
		entries, err := n.Ledger(ctx)
		if err != nil {
			t.Fatal(err)
		}
		accepted := 0
		for _, e := range entries {
			if e.Kind == simnettest.Accepted {
				accepted++
			}
		}
		if accepted != taken {
			t.Errorf("%s %s: the network has taken %d, want %d", c.fault, c.at, accepted, taken)
		}
	}
}

// A hang stops the whole process, as SIGSTOP does.
func TestHangStopsTheProcess(t *testing.T) {
	ctx := limited(t)
	n := start(t)
	defer func() {
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	}()
	p := run(t, n)
	if _, err := n.Do(ctx, simnettest.Command{Plug: &simnettest.Plug{Account: "alice", Fault: simnettest.FaultHang}}); err != nil {
		t.Fatal(err)
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !stopped(t, p.cmd.Process.Pid) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatal("the process goes on")
		}
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if err := n.WaitAccount(ctx, simnettest.Disconnected, "alice", 1); err != nil {
		t.Fatal(err)
	}
}

// stopped says whether the kernel has stopped a process (proc(5): state T).
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "T")
}
