package plug

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	hclog "github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
)

// asPlug makes the test binary a plug: "talk" is a good one that prints where it
// can, "wrong" has a definition without a name.
const asPlug = "PLUG_TEST_PROCESS"

func TestMain(m *testing.M) {
	if mode := os.Getenv(asPlug); mode != "" {
		fmt.Println("printed by main")
		d := definition(putter{&fake{onStart: talk, onPut: func(_ context.Context, p *Part) (*plugv1.Receipt, error) {
			return receipt(p.Text), nil
		}}})
		d.Config = testConfig{}
		if mode == "wrong" {
			d.Name = ""
		}
		Serve(d)
		panic("Serve returned")
	}
	goleak.VerifyTestMain(m)
}

// talk prints more than a pipe holds, and lets a child print.
func talk(_ context.Context, s *Session) (*Started, error) {
	fmt.Println("printed by start")
	for range 4 {
		fmt.Println(strings.Repeat("x", 50_000))
	}
	child := exec.Command("sh", "-c", "echo printed by a child")
	child.Stdout = os.Stdout
	if err := child.Run(); err != nil {
		return nil, err
	}
	s.Logger.Info("logged by start")
	return &Started{NetworkID: "fake"}, nil
}

func plugCommand(t *testing.T, mode string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asPlug+"="+mode)
	return cmd
}

func byHost(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(cmd.Env, plugv1.HandshakeCookieKey+"="+plugv1.HandshakeCookieValue)
	return cmd
}

// plugClient is the host's end of go-plugin.
type plugClient struct {
	goplugin.NetRPCUnsupportedPlugin
}

func (plugClient) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error {
	return errors.New("no server")
}

func (plugClient) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return plugv1.NewPlugClient(conn), nil
}

// launch starts a plug's process as a host does, with its stderr in the buffer.
func launch(t *testing.T, cmd *exec.Cmd, stderr *syncBuffer) (plugv1.PlugClient, *goplugin.Client) {
	t.Helper()
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion:  plugv1.ProtocolVersion,
			MagicCookieKey:   plugv1.HandshakeCookieKey,
			MagicCookieValue: plugv1.HandshakeCookieValue,
		},
		Plugins:          goplugin.PluginSet{plugv1.PluginName: plugClient{}},
		Cmd:              cmd,
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
		Stderr:           stderr,
	})
	t.Cleanup(client.Kill)
	protocol, err := client.Client()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	plug, err := protocol.Dispense(plugv1.PluginName)
	if err != nil {
		t.Fatal(err)
	}
	return plug.(plugv1.PlugClient), client
}

// A process under go-plugin: whatever is printed, the handshake holds and the prints
// arrive on stderr; requests over grpc's own 4 MiB are taken; shutdown ends it with 0.
func TestProcess(t *testing.T) {
	stderr := &syncBuffer{}
	cmd := plugCommand(t, "talk")
	plug, client := launch(t, cmd, stderr)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if d, err := plug.Describe(ctx, &plugv1.DescribeRequest{HostVersion: strings.Repeat("1", 5<<20)}); err != nil || d.GetName() != "fake" {
		t.Fatalf("describe: %v, %v", d.GetName(), err)
	}
	if resp, err := plug.Start(ctx, &plugv1.StartRequest{ConfigJson: "{}"}); err != nil || resp.GetFailure() != nil {
		t.Fatalf("start: %v, %v", resp, err)
	}
	if resp, err := plug.Put(ctx, putRequest()); err != nil || receiptIDs(resp)[0] != "bob: hello" {
		t.Fatalf("put: %v, %v", resp, err)
	}
	if _, err := plug.Stop(ctx, &plugv1.StopRequest{}); err != nil {
		t.Errorf("stop: %v", err)
	}
	client.Kill()
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, line := range []string{"printed by main", "printed by start", "printed by a child", `"@message":"logged by start"`} {
		if !strings.Contains(stderr.String(), line) {
			t.Errorf("stderr lacks %q", line)
		}
	}
}

// I3: a plug ends when the host's end of its stdin does.
func TestExitAtTheEndOfStdin(t *testing.T) {
	cmd := byHost(plugCommand(t, "talk"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
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
	defer killGroup(cmd)
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "1|1|unix|") || !strings.Contains(lines.Text(), "|grpc|") {
		t.Fatalf("the first line on stdout is %q", lines.Text())
	}
	stdin.Close()
	within(t, cmd, "the plug's exit", func() {
		if lines.Scan() {
			t.Errorf("a second line on stdout: %q", lines.Text())
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("exit: %v", err)
		}
	})
}

// I3: it ends too when its stdin is no pipe and the parent has died.
func TestExitWhenTheParentChanges(t *testing.T) {
	inner := byHost(plugCommand(t, "talk"))
	parent := exec.Command("sh", "-c", `"$0" </dev/null & wait`, inner.Path)
	parent.Env = inner.Env
	parent.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	defer killGroup(parent)
	reader := bufio.NewReader(stdout)
	if line, err := reader.ReadString('\n'); err != nil || !strings.HasPrefix(line, "1|1|unix|") {
		t.Fatalf("handshake %q, %v", line, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	within(t, parent, "the plug's exit", func() {
		if rest, err := io.ReadAll(reader); err != nil || len(rest) > 0 { // ends when nobody holds stdout
			t.Errorf("read %q, %v", rest, err)
		}
	})
	_ = parent.Wait() // killed
}

func TestRunByHand(t *testing.T) {
	cmd := plugCommand(t, "talk")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitUsage || !strings.Contains(stderr.String(), "use: fake") {
		t.Errorf("%v: %s%s", err, out, &stderr)
	}

	out, err = plugCommand(t, "talk", "--describe").Output()
	if err != nil {
		t.Fatal(err)
	}
	var described struct{ Name, ConfigSchema string }
	_, document, _ := strings.Cut(string(out), "\n") // behind "printed by main"
	if err := json.Unmarshal([]byte(document), &described); err != nil || described.Name != "fake" || !strings.Contains(described.ConfigSchema, "password") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestWrongDefinitionEndsTheProcess(t *testing.T) {
	cmd := byHost(plugCommand(t, "wrong"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(stderr.String(), "lower case letters") {
		t.Errorf("%v: %s", err, &stderr)
	}
}

// within fails the test if f takes longer than a minute; it then kills the group of
// the command that f waits for, so that f ends before the test does.
func within(t *testing.T, cmd *exec.Cmd, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Errorf("%s: nothing after a minute", what)
		killGroup(cmd)
		<-done
	}
}

// killGroup kills what is left of a command that leads its process group.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
