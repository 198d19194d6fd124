package world

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	// stopLimit is how long a host may take to stop, whatever plugs do (I2).
	stopLimit = 20 * time.Second
	// outlive is how long a plug may be there after its host was killed (I3): the kernel
	// ends it at once, on a machine that has the time.
	outlive = 10 * time.Second
)

// host is the host's process. The zero value is none.
type host struct {
	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{}
	log   string
}

func (h *host) start(bin, config, dir string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = filepath.Join(dir, "host.log")
	log, err := os.OpenFile(h.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	h.cmd = exec.Command(filepath.Join(bin, "plughost"), "run", "--config", config)
	h.cmd.Stdout, h.cmd.Stderr = log, log
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's signals are not for it
	if err := h.cmd.Start(); err != nil {
		h.cmd = nil
		return fmt.Errorf("start the host: %w; run make build", err)
	}
	h.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		_ = cmd.Wait()
	}(h.cmd, h.ended)
	return nil
}

// signal sends the host a signal; an error says that there is none.
func (h *host) signal(s syscall.Signal) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cmd == nil {
		return errors.New("the host does not run")
	}
	return h.cmd.Process.Signal(s)
}

// kill ends the host at once; it is no error if there is none.
func (h *host) kill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cmd == nil {
		return
	}
	_ = h.cmd.Process.Kill()
	<-h.ended
	h.cmd = nil
}

// stop ends the host as an operator does.
func (h *host) stop() error {
	if err := h.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-h.ended:
	case <-time.After(stopLimit + 5*time.Second):
		return fmt.Errorf("I2: the host has not stopped within %v", stopLimit)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	code := h.cmd.ProcessState.ExitCode()
	h.cmd = nil
	if code != 0 {
		return fmt.Errorf("the host ended with status %d", code)
	}
	return nil
}

// lastWords is the end of its log.
func (h *host) lastWords() string {
	b, _ := os.ReadFile(h.log)
	return string(b[max(0, len(b)-4000):])
}

// pids of the plugs, by their names.
func (w *World) pids(ctx context.Context) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	plugs, err := w.api.Plugs(ctx)
	pids := map[string]int{}
	for _, p := range plugs {
		if p.Pid != 0 {
			pids[string(p.Plug)] = p.Pid
		}
	}
	return pids, err
}

// StopHost ends the host as an operator does, within its promise.
func (w *World) StopHost() {
	if err := w.host.stop(); err != nil {
		w.violate("%v", err)
		w.host.kill()
	}
}

// killHost kills the host, sees its plugs gone, and starts it again after a while.
func (w *World) killHost(ctx context.Context, down time.Duration) error {
	pids, err := w.pids(ctx)
	if err != nil {
		return err // it is starting still
	}
	w.host.kill()
	limit := time.NewTimer(outlive)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for plug, pid := range pids {
		for alive(pid) {
			select {
			case <-tick.C:
				continue
			case <-limit.C:
				w.violate("I3: plug %s (process %d) is there %v after its host was killed", plug, pid, outlive)
			}
			break
		}
	}
	wait(ctx, down)
	return w.host.start(w.Bin, w.config, w.Dir)
}

// alive tells whether a process is there and is no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	for i := len(stat) - 1; i > 1; i-- {
		if stat[i] == ')' {
			return stat[i+2] != 'Z'
		}
	}
	return true
}

// wait waits, or until ctx has ended.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
