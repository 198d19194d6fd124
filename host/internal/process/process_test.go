package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestLifeOfAPlug(t *testing.T) {
	t.Parallel()
	var l logs
	o := options(t, "good")
	o.Logger = l.logger()
	p := startPlug(t, o)
	if err := p.Check(deadline(t)); err != nil {
		t.Error(err)
	}
	if got := do(t, p, "ids"); got != "leads group: true, session: true" {
		t.Error(got)
	}
	if err := p.Err(); err != nil {
		t.Errorf("Err before the end: %v", err)
	}
	do(t, p, "print what an author prints")
	eventually(t, "the printed line in the log", func() bool { return l.find(t, "what an author prints") != nil })

	if err := p.Shutdown(deadline(t)); err != nil {
		t.Error(err)
	}
	waitDone(t, p)
	var exit *ExitError
	if err := p.Err(); !errors.As(err, &exit) || err.Error() != "exit status 0" {
		t.Errorf("Err after Shutdown: %v", err)
	}
	if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Signal after the exit: %v", err)
	}
	var closes sync.WaitGroup
	for range 3 {
		closes.Go(func() { closePlug(t, p) })
	}
	closes.Wait()
	if err := p.Check(deadline(t)); status.Code(errors.Unwrap(err)) != codes.Canceled {
		t.Errorf("Check after Close: %v", err)
	}
}

func TestErrSaysHowItEnded(t *testing.T) { // I1: exit
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(*testing.T, *Process)
		want []string
	}{
		"exit":  {func(t *testing.T, p *Process) { do(t, p, "stderr no disk"); crash(t, p, "exit 3") }, []string{"exit status 3; its last lines on stderr:", "\n  no disk"}},
		"panic": {func(t *testing.T, p *Process) { crash(t, p, "panic") }, []string{"exit status 2;", "panic: oh no"}},
		"signal": {func(t *testing.T, p *Process) {
			do(t, p, `stderr {"@level":"warn","@message":"low on memory","@timestamp":"","left":3}`)
			if err := p.Signal(syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		}, []string{"killed by SIGKILL;", "\n  [WARN] low on memory left=3"}},
		"Close": {closeIt, []string{"killed by SIGKILL"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPlug(t, options(t, "good"))
			c.end(t, p)
			waitDone(t, p)
			closePlug(t, p) // does not spoil what Err says
			for _, want := range c.want {
				if got := p.Err().Error(); !strings.Contains(got, want) {
					t.Errorf("%q does not contain %q", got, want)
				}
			}
		})
	}
}

// go-plugin must not hear of the exit while it connects: it would leak what it has
// begun.
func TestGoPluginHearsOfTheExitWhenAttached(t *testing.T) {
	t.Parallel()
	p := startPlug(t, options(t, "good"))
	closePlug(t, p)
	synctest.Test(t, func(t *testing.T) {
		a := &adapter{child: p.child, attached: make(chan struct{})}
		heard := false
		go func() {
			_ = a.Wait(t.Context())
			heard = true
		}()
		synctest.Wait()
		if heard {
			t.Error("too early")
		}
		close(a.attached)
		synctest.Wait()
		if !heard {
			t.Error("never")
		}
	})
}

func closeIt(t *testing.T, p *Process) { closePlug(t, p) }

func TestStartErrors(t *testing.T) { // I1: malformed handshake
	t.Parallel()
	for name, c := range map[string]struct {
		mode, line string
		want       []string
	}{
		"exit":                 {"exits", "", []string{`start plug "test": plug ended before its handshake: exit status 3`, "[ERROR] no database path=/x", "giving up"}},
		"text":                 {"garbage", "", []string{`not a handshake: "Hello from a library that prints"`}},
		"long line":            {"long line", "", []string{"longer than 4096 bytes"}},
		"flood":                {"flood first", "", []string{"not a handshake"}},
		"no stdout":            {"closes stdout", "", []string{"stdout ended without a handshake line"}},
		"exit after handshake": {"exits after handshake", "", []string{"exit status 4", "changed my mind"}},
		"hangs up":             {"hangs up", "", []string{"plug closed the connection, or speaks no gRPC on it"}},
		"few fields":           {"announces", "1|1|unix|DIR/s", []string{"not a handshake"}},
		"core version":         {"announces", "2|1|unix|DIR/s|grpc", []string{`core version "2"`}},
		"contract version":     {"announces", "1|7|unix|DIR/s|grpc", []string{`version "7" of the contract`}},
		"protocol":             {"announces", "1|1|unix|DIR/s|netrpc", []string{`speaks protocol "netrpc"`}},
		"empty":                {"announces", "", []string{"not a handshake"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t, c.mode)
			o.Env = append(o.Env, "LINE="+c.line)
			_, err := Start(t.Context(), o)
			if err == nil {
				t.Fatal("started")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not contain %q", err, want)
				}
			}
		})
	}
	for name, edit := range map[string]func(*Options){
		"relative path":    func(o *Options) { o.Path = "plug" },
		"no such file":     func(o *Options) { o.Path = "/no/such/plug" },
		"no such run dir":  func(o *Options) { o.RunDir = "/no/such/dir" },
		"no such work dir": func(o *Options) { o.Dir = "/no/such/dir" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t, "good")
			edit(&o)
			if _, err := Start(t.Context(), o); err == nil {
				t.Error("started")
			} else {
				t.Log(err)
			}
		})
	}
	t.Run("ended context", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Start(ctx, options(t, "good")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFloodOfOutput(t *testing.T) { // I1: flood of stdout and stderr; D5: logs are bounded
	t.Parallel()
	const written = 100_000
	var l logs
	o := options(t, "good")
	o.Logger = l.logger()
	p := startPlug(t, o)
	do(t, p, "flood stderr 100000") // returns when all is written
	if err := p.Check(deadline(t)); err != nil {
		t.Error(err)
	}
	closePlug(t, p)
	var logged, suppressed int
	for _, line := range l.lines(t) {
		if text, _ := line["@message"].(string); strings.HasSuffix(text, "of a flood") {
			logged++
		}
		if n, ok := line["suppressed_lines"].(float64); ok {
			suppressed += int(n)
		}
	}
	if logged > written/2 {
		t.Errorf("%d of %d lines were logged", logged, written)
	}
	// The plug's own lines (go-plugin's debug log) may be among the suppressed.
	if logged+suppressed < written || logged+suppressed > written+20 {
		t.Errorf("%d lines logged and %d suppressed of %d", logged, suppressed, written)
	}
}

func TestFork(t *testing.T) { // I1, I3
	t.Parallel()
	p := startPlug(t, options(t, "good"))
	var pids []int
	for range 20 {
		pids = append(pids, doInt(t, p, "spawn plain"), doInt(t, p, "spawn daemon"))
	}
	closePlug(t, p)
	for _, pid := range pids {
		if running(pid) {
			t.Errorf("process %d lives on", pid)
		}
	}
}

// The parent-death signal follows the thread that forks, not the process: a plug
// lives on when the thread ends on which Start ran (fault 8).
func TestFault08PlugOutlivesTheStartingThread(t *testing.T) {
	t.Parallel()
	var p *Process
	onDyingThread(t, func() { p = startPlug(t, options(t, "good")) })
	if err := p.Check(deadline(t)); err != nil {
		t.Error(err)
	}
	select {
	case <-p.Done():
		t.Error(p.Err())
	default:
	}
}

// family is what runHost tells about its processes.
type family struct {
	Plug          int
	Grandchildren map[string]int
}

func runHost() {
	o := Options{Name: "test", Path: "/proc/self/exe", Env: []string{modeVar + "=good"}, RunDir: os.Getenv("RUN_DIR")}
	p, err := Start(context.Background(), o)
	if err != nil {
		panic(err)
	}
	t := new(testing.T)
	f := family{Plug: p.Pid(), Grandchildren: make(map[string]int)}
	for _, kind := range []string{"plain", "no env", "session", "daemon"} {
		f.Grandchildren[kind] = doInt(t, p, "spawn "+kind)
	}
	if err := json.NewEncoder(os.Stdout).Encode(f); err != nil {
		panic(err)
	}
	select {}
}

// killHost starts a host with a plug and four grandchildren and kills it, after
// what is done before.
func killHost(t *testing.T, before func(host int)) (run string, f family) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run = runDir(t)
	host := exec.Command(self)
	host.Env = append(os.Environ(), modeVar+"=host", "RUN_DIR="+run)
	host.Stderr = os.Stderr
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &f)
	}
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	for kind, pid := range f.Grandchildren {
		if !running(pid) {
			t.Errorf("%s grandchild does not run", kind)
		}
	}
	before(host.Process.Pid)
	if !running(f.Plug) {
		t.Error("the plug does not run")
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	return run, f
}

func TestFault08HostIsKilled(t *testing.T) { // I3
	t.Parallel()
	run, f := killHost(t, func(int) {})
	waitGone(t, f.Plug)
	for _, pid := range f.Grandchildren {
		waitGone(t, pid)
	}
	eventually(t, "removal of the private directory", func() bool {
		entries, err := os.ReadDir(run)
		return err == nil && len(entries) == 0
	})
}

// Without the guard the plug itself ends all the same; what it left is what doc.go
// says is left.
func TestFault08HostAndGuardAreKilled(t *testing.T) { // I3
	t.Parallel()
	run, f := killHost(t, func(host int) {
		guard := guardOf(t, host)
		if err := syscall.Kill(guard, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		waitGone(t, guard)
	})
	waitGone(t, f.Plug)
	for _, pid := range f.Grandchildren {
		syscall.Kill(pid, syscall.SIGKILL)
		waitGone(t, pid)
	}
	if entries, err := os.ReadDir(run); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	if err := os.RemoveAll(run); err != nil {
		t.Error(err)
	}
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Error(err)
	}
}

// guardOf finds the guard among a host's children.
func guardOf(t *testing.T, host int) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		dir := filepath.Dir(path)
		stat, _ := os.ReadFile(path)
		cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		if strings.Contains(string(stat), fmt.Sprintf(") S %d ", host)) && strings.HasPrefix(string(cmdline), "plughost-guard\x00") {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			return pid
		}
	}
	t.Fatal("the host has no guard")
	return 0
}

// BenchmarkStart measures from Start to an open connection, while another plug
// runs, as in a host.
func BenchmarkStart(b *testing.B) {
	startPlug(b, options(b, "good"))
	o := options(b, "good")
	for b.Loop() {
		p, err := Start(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		closePlug(b, p)
		b.StartTimer()
	}
}
