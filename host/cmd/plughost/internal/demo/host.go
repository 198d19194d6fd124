package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/internal/api"
)

const (
	// keptLines is how much of the host's log is shown if it fails.
	keptLines = 20
	// maxLine is the longest line of it that is kept whole, in bytes.
	maxLine = 64 << 10
	// watchEvery is how often a host that is not there yet is asked.
	watchEvery = 50 * time.Millisecond
)

// child is one life of the host.
type child struct {
	cmd *exec.Cmd
	// ended takes how it ended, once.
	ended chan error
	// changes takes what the host says of its plugs. Unbuffered: what nobody takes
	// waits in the host's API.
	changes chan host.Status

	stopWatching context.CancelFunc
	running      sync.WaitGroup

	mu   sync.Mutex
	tail []string // of its log
}

// startChild starts the host. It must be called on the thread that lives as long
// as the process.
func startChild(binary, config, dataDir, tmpDir string) (*child, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the host: %w", err)
	}
	defer w.Close()
	c := &child{ended: make(chan error, 1), changes: make(chan host.Status)}
	c.cmd = exec.Command(binary, "run", "--config", config, "--log-format", "json")
	c.cmd.Env = append(os.Environ(), "TMPDIR="+tmpDir)
	c.cmd.Stdout, c.cmd.Stderr = w, w
	c.cmd.SysProcAttr = &syscall.SysProcAttr{
		// A group of its own: Ctrl-C on the terminal is for the demo, which stops
		// the host; a second signal would stop it at once.
		Setpgid:   true,
		Pdeathsig: syscall.SIGKILL,
	}
	if err := c.cmd.Start(); err != nil {
		r.Close()
		return nil, fmt.Errorf("start the host: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stopWatching = cancel
	c.running.Go(func() { c.keepTail(r) })
	c.running.Go(func() { c.watch(ctx, dataDir) })
	go func() { // ends with the child
		err := c.cmd.Wait()
		cancel()
		c.running.Wait()
		c.ended <- err
	}()
	return c, nil
}

// keepTail keeps the end of the log.
func (c *child) keepTail(log io.ReadCloser) {
	defer log.Close()
	for lines := bufio.NewReaderSize(log, maxLine); ; {
		line, err := lines.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" {
			c.mu.Lock()
			c.tail = append(c.tail, line)
			c.tail = c.tail[max(0, len(c.tail)-keptLines):]
			c.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// watch passes on what the host says of its plugs, until ctx ends.
func (c *child) watch(ctx context.Context, dataDir string) {
	client := api.NewClient(dataDir)
	defer client.Close()
	again := time.NewTicker(watchEvery)
	defer again.Stop()
	for ctx.Err() == nil {
		// Whatever ends it, a host that runs can be watched again.
		_ = client.Watch(ctx, func(s host.Status) {
			select {
			case c.changes <- s:
			case <-ctx.Done():
			}
		})
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

// signal sends a signal to the host.
func (c *child) signal(s syscall.Signal) {
	_ = c.cmd.Process.Signal(s) // an error says that it has ended
}

// lastLines gives the end of the log.
func (c *child) lastLines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tail
}

// killed says whether an end was by SIGKILL.
func killed(end error) bool {
	exit, ok := end.(*exec.ExitError)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}
