package process

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/go-plugin/runner"

	"github.com/plughost/plughost/host/internal/process/internal/child"
	"github.com/plughost/plughost/host/internal/process/internal/output"
)

var _ runner.Runner = (*adapter)(nil)

// adapter shows a child to go-plugin, which learns as little of it as it needs:
// one clean handshake line, and when it has ended.
type adapter struct {
	child *child.Child
	out   *output.Output
	dir   string
	path  string
	args  []string
	env   []string
	cwd   string

	// What go-plugin reads as the plug's stdout. It reads until the end, so that
	// a write never blocks for long.
	lineOut *io.PipeReader
	line    *io.PipeWriter

	// attached is closed when go-plugin has connected or given up. Only then is
	// it told that a process has ended: told earlier, it would leak what it began.
	attached chan struct{}

	mu      sync.Mutex
	address string // the plug's socket, "" before the handshake
	err     error  // what was wrong with the handshake
}

func newAdapter(c *child.Child, out *output.Output, o Options, dir string, handshake []string) *adapter {
	a := &adapter{
		child:    c,
		out:      out,
		dir:      dir,
		path:     o.Path,
		args:     append([]string{o.Path}, o.Args...),
		env:      environment(os.Environ(), o.Env, handshake, dir),
		cwd:      o.Dir,
		attached: make(chan struct{}),
	}
	if a.cwd == "" {
		a.cwd = dir
	}
	a.lineOut, a.line = io.Pipe()
	return a
}

// Start implements runner.Runner.
func (a *adapter) Start(context.Context) error {
	cmd := &exec.Cmd{Path: a.path, Args: a.args, Env: a.env, Dir: a.cwd}
	return a.child.Start(cmd, a.readStdout, a.readStderr)
}

// readStdout hands the handshake on, then reads for ever (fault 6).
func (a *adapter) readStdout(stdout io.Reader) {
	// The pipe's end is what tells go-plugin, once it is attached, that the plug
	// has ended; before, that the handshake will not come.
	defer a.line.Close()
	r := bufio.NewReaderSize(stdout, maxHandshake)
	address, err := readHandshake(r, a.dir)
	a.mu.Lock()
	a.address, a.err = address, err
	a.mu.Unlock()
	if err != nil {
		a.line.Close()
	} else {
		_, _ = io.WriteString(a.line, cleanHandshake(address)) // fails when Close came first
	}
	a.out.Log(output.Stdout, r)
}

func (a *adapter) readStderr(stderr io.Reader) { a.out.Log(output.Stderr, stderr) }

// handshake gives the plug's socket, or what was wrong with its first line.
func (a *adapter) handshake() (address string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.address, a.err
}

// Stdout implements runner.Runner.
func (a *adapter) Stdout() io.ReadCloser { return a.lineOut }

// Stderr implements runner.Runner. It is empty: go-plugin would parse what the
// plug writes, and panic at some of it (fault 1).
func (a *adapter) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Wait implements runner.Runner.
func (a *adapter) Wait(context.Context) error {
	<-a.attached
	a.child.Exit()
	return nil
}

// Kill implements runner.Runner. It does nothing: the host kills, and wants to
// know first whether a plug has ended by itself.
func (a *adapter) Kill(context.Context) error { return nil }

// Name implements runner.Runner.
func (a *adapter) Name() string { return a.path }

// ID implements runner.Runner. It is "" while there is no process.
func (a *adapter) ID() string {
	if pid := a.child.Pid(); pid != 0 {
		return strconv.Itoa(pid)
	}
	return ""
}

// Diagnose implements runner.Runner.
func (a *adapter) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner: the address is used as it is.
func (a *adapter) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.Runner. It is for go-plugin's broker, which is
// never opened.
func (a *adapter) HostToPlugin(string, string) (string, string, error) {
	return "", "", errors.New("a plug does not dial its host")
}
