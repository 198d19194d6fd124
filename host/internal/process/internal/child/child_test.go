package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience bounds what should take an instant; a loaded machine takes its time.
const patience = 60 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run starts a shell script as a child, and gives what it writes to stdout as
// its first line.
func run(t *testing.T, script string) (c *Child, said string) {
	t.Helper()
	dir := t.TempDir()
	c, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	line := make(chan string, 1)
	cmd := &exec.Cmd{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}}
	err = c.Start(cmd, func(r io.Reader) {
		all, _ := io.ReadAll(r)
		line <- strings.TrimSpace(string(all))
	}, func(r io.Reader) { io.Copy(os.Stderr, r) })
	if err != nil {
		t.Fatal(err)
	}
	select {
	case said = <-line:
	case <-time.After(patience):
		t.Fatal("the script says nothing")
	}
	return c, said
}

func running(pid int) bool {
	m, err := readMember(pid)
	return err == nil && !m.dead
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// Tests that look at the guard or the pinned thread don't run in parallel: both
// are shared by all children.

func TestGuardAndThreadLiveAsLongAsChildren(t *testing.T) {
	first, err := New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	guard := children.guard.cmd.Process.Pid
	second, _ := run(t, "exec >&-; exec sleep 600")
	if children.guard.cmd.Process.Pid != guard {
		t.Error("the second child has a guard of its own")
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if !running(guard) {
		t.Error("the guard ended before the last child")
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if running(guard) {
		t.Error("the guard outlives the children")
	}
	second, err = New(t.TempDir()) // as at first
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

func TestKilledGuardIsReplaced(t *testing.T) {
	first, _ := run(t, "exec >&-; exec sleep 600")
	guard := children.guard.cmd.Process.Pid
	if err := syscall.Kill(guard, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "end of the guard", func() bool { return !running(guard) })
	second, _ := run(t, "exec >&-; exec sleep 600")
	if now := children.guard.cmd.Process.Pid; now == guard || !running(now) {
		t.Error("there is no guard")
	}
	// What the new one knows shows when its pipe ends. It is not to be replaced
	// while it works.
	children.mu.Lock()
	defer children.mu.Unlock()
	children.guard.stdin.Close()
	for _, c := range []*Child{first, second} {
		select {
		case <-c.Alive().Done():
		case <-time.After(patience):
			t.Error("the new guard does not know a child")
		}
	}
}

// A stopped guard must not stop the host.
func TestStoppedGuardIsReplaced(t *testing.T) {
	run(t, "exec >&-; exec sleep 600")
	guard := children.guard.cmd.Process.Pid
	if err := syscall.Kill(guard, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 10_000 { // fills the guard's pipe, which has 64 KiB
		if err := children.exited("/none"); err != nil {
			t.Fatal(err)
		}
	}
	children.mu.Lock()
	delete(children.roots, "/none")
	children.mu.Unlock()
	if running(guard) {
		t.Error("the stopped guard still runs")
	}
}

func TestGuardClearsUp(t *testing.T) { // I3
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a b\n\"c\"") // any name
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	byDir := exec.Command("sleep", "600")
	byDir.Env = []string{"X=" + dir + "/tmp"}
	bySession := exec.Command("sleep", "600")
	bySession.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	forgotten := exec.Command("sleep", "600")
	forgotten.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stranger := exec.Command("sleep", "600")
	stranger.Env = []string{"X=" + dir + "2"}
	for _, cmd := range []*exec.Cmd{byDir, bySession, forgotten, stranger} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Wait()
		defer cmd.Process.Kill()
	}
	r, w := io.Pipe()
	go func() {
		fmt.Fprintf(w, "0 %q\n", dir)
		fmt.Fprintf(w, "%d %q\n", bySession.Process.Pid, dir)
		fmt.Fprintf(w, "%d %q\n", forgotten.Process.Pid, dir+"3")
		fmt.Fprintf(w, "- %q\n", dir+"3")
		fmt.Fprintf(w, "%d \"/cut", os.Getpid())
		w.Close()
	}()
	watch(r)
	for name, c := range map[string]struct {
		cmd  *exec.Cmd
		want bool
	}{"named by its directory": {byDir, false}, "named by its session": {bySession, false}, "forgotten": {forgotten, true}, "stranger": {stranger, true}} {
		if running(c.cmd.Process.Pid) != c.want {
			t.Errorf("%s: runs: %v", name, !c.want)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestFamilyOfNobody(t *testing.T) {
	t.Parallel()
	// Session 0 is that of the kernel's threads.
	if members, err := family(0, "/no/such/dir"); err != nil || len(members) != 0 {
		t.Errorf("%v, %v", members, err)
	}
}

func TestKillSparesALaterProcess(t *testing.T) {
	t.Parallel()
	c, _ := run(t, "exec >&-; exec sleep 600")
	m, err := readMember(c.Pid())
	if err != nil {
		t.Fatal(err)
	}
	later := m
	later.started = "1"
	later.kill()
	if err := c.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if state, _ := c.Exit(); state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("killed a process that only had the same pid: %v", state)
	}
}

func TestDescends(t *testing.T) {
	t.Parallel()
	c, said := run(t, "sleep 600 >&- & echo $!; exec >&-; wait")
	pid, err := strconv.Atoi(said)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		pid, root int
		want      bool
	}{
		{pid, c.Pid(), true}, {pid, pid, true}, {pid, os.Getpid(), true},
		{c.Pid(), pid, false}, {os.Getpid(), c.Pid(), false}, {1, c.Pid(), false}, {1 << 30, c.Pid(), false},
	} {
		if got := Descends(x.pid, x.root); got != x.want {
			t.Errorf("Descends(%d, %d) = %v", x.pid, x.root, got)
		}
	}
}

func TestKillBeforeStart(t *testing.T) {
	t.Parallel()
	c, err := New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(); err != nil {
		t.Error(err)
	}
	if err := c.Start(exec.Command("/bin/sleep", "600"), nil, nil); err == nil {
		t.Error("started after Kill")
	}
	if err := c.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if !errors.Is(c.Alive().Err(), context.Canceled) {
		t.Error("never started and never ended")
	}
}

// The plug of a host that is killed sees the end of its stdin (I3).
func TestStdinStaysOpen(t *testing.T) {
	t.Parallel()
	c, _ := run(t, "exec >&-; read x; exit 7")
	select {
	case <-c.Alive().Done():
		t.Fatal("stdin has ended")
	default:
	}
	c.stdin.Close() // as the kernel does for a dead host
	state, byItself := c.Exit()
	if state.ExitCode() != 7 || !byItself {
		t.Errorf("%v, by itself: %v", state, byItself)
	}
}

func TestExitTellsWhoEndedIt(t *testing.T) {
	t.Parallel()
	c, _ := run(t, "exec >&-; exec sleep 600")
	if err := c.Kill(); err != nil {
		t.Error(err)
	}
	if state, byItself := c.Exit(); byItself || state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("%v, by itself: %v", state, byItself)
	}
}
