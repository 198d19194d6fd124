package process

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// modeVar makes the test binary a plug or a host; its value is the mode.
const modeVar = "PROCESS_TEST_MODE"

// patience bounds what should take an instant; a loaded machine takes its time.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if mode := os.Getenv(modeVar); mode != "" {
		run, ok := modes[mode]
		if !ok {
			fmt.Fprintln(os.Stderr, "no such mode:", mode)
			os.Exit(2)
		}
		run()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// options run the test binary as a plug.
func options(tb testing.TB, mode string) Options {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	return Options{
		Name:         "test",
		Path:         self,
		Env:          []string{modeVar + "=" + mode},
		RunDir:       runDir(tb),
		StartTimeout: patience,
	}
}

// runDir is a directory with a shorter path than TempDir makes, which must be
// empty in the end.
func runDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			tb.Errorf("a plug left something behind: %v", err)
		}
	})
	return dir
}

func startPlug(tb testing.TB, o Options) *Process {
	tb.Helper()
	p, err := Start(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { closePlug(tb, p) })
	return p
}

func closePlug(tb testing.TB, p *Process) {
	tb.Helper()
	if err := p.Close(); err != nil {
		tb.Error(err)
	}
}

// deadline is for one call to a plug.
func deadline(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	tb.Cleanup(cancel)
	return ctx
}

// do has the plug do something; see testService.
func do(tb testing.TB, p *Process, what string) string {
	tb.Helper()
	answer := new(wrapperspb.StringValue)
	if err := p.Conn().Invoke(deadline(tb), "/test.Plug/Do", wrapperspb.String(what), answer); err != nil {
		tb.Fatalf("%s: %v", what, err)
	}
	return answer.GetValue()
}

func doInt(tb testing.TB, p *Process, what string) int {
	tb.Helper()
	n, err := strconv.Atoi(do(tb, p, what))
	if err != nil {
		tb.Fatalf("%s: %v", what, err)
	}
	return n
}

func waitDone(tb testing.TB, p *Process) {
	tb.Helper()
	select {
	case <-p.Done():
	case <-time.After(patience):
		tb.Fatal("the exit was not noticed")
	}
}

// eventually polls a condition of other processes.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			tb.Fatalf("never: %s", what)
		}
	}
}

// state is a process's one-letter state, "" if there is none.
func state(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))[0]
}

// running says whether a process executes or could: a zombie does not.
func running(pid int) bool {
	s := state(pid)
	return s != "" && s != "Z" && s != "X"
}

func waitGone(tb testing.TB, pid int) {
	tb.Helper()
	eventually(tb, fmt.Sprintf("end of process %d", pid), func() bool { return !running(pid) })
}

// logs is a logger that remembers.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Output: l, JSONFormat: true, Level: hclog.Trace})
}

// lines gives what was logged so far.
func (l *logs) lines(tb testing.TB) []map[string]any {
	tb.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []map[string]any
	for text := range bytes.Lines(l.buf.Bytes()) {
		var line map[string]any
		if err := json.Unmarshal(text, &line); err != nil {
			tb.Fatalf("%q: %v", text, err)
		}
		out = append(out, line)
	}
	return out
}

// find gives the first line with that message, nil if there is none yet.
func (l *logs) find(tb testing.TB, message string) map[string]any {
	tb.Helper()
	for _, line := range l.lines(tb) {
		if line["@message"] == message {
			return line
		}
	}
	return nil
}

// threads are the ids of this process's threads.
func threads(tb testing.TB) map[string]bool {
	tb.Helper()
	dirs, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		tb.Fatal(err)
	}
	ids := make(map[string]bool)
	for _, d := range dirs {
		ids[filepath.Base(d)] = true
	}
	return ids
}

// onDyingThread runs f on a thread that has ended when onDyingThread returns.
func onDyingThread(tb testing.TB, f func()) {
	tb.Helper()
	tid := make(chan int)
	run := func() {
		runtime.LockOSThread() // and no unlock
		if unix.Gettid() != os.Getpid() {
			f()
		}
		tid <- unix.Gettid()
	}
	go run()
	id := <-tid
	if id == os.Getpid() {
		// The main thread never ends, nor does it run goroutines any more.
		go run()
		id = <-tid
	}
	eventually(tb, "end of the thread", func() bool { return !threads(tb)[strconv.Itoa(id)] })
}
