package world

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/check"
	"github.com/plughost/plughost/host/chaos/internal/clock"
	"github.com/plughost/plughost/host/chaos/internal/plan"
)

const (
	// stopLimit is how long a host may take to stop, whatever plugs do (I2).
	stopLimit = 20 * time.Second
	// outlive is how long a plug may be there after its host was killed (I3): the kernel
	// ends it at once, on a machine that has the time.
	outlive = 10 * time.Second
)

// restartAfter is how long a service manager waits before it starts a host that has ended by
// itself.
const restartAfter = 500 * time.Millisecond

// host is the host's process, kept running as by a service manager. The zero value is
// none.
type host struct {
	bin, config, log string
	clock            *clock.Clock // nil: the machine's
	// byItself is told when it has ended and nobody had asked for it.
	byItself func(*os.ProcessState)

	mu     sync.Mutex
	wanted bool // it should run
	cmd    *exec.Cmd
	ended  chan struct{}
	starts []check.Start
}

// start starts the host, if it doesn't run, and again whenever it ends by itself, until
// kill or stop.
func (h *host) start() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wanted = true
	if h.cmd != nil {
		return nil // another fault has
	}
	return h.launch()
}

// launch starts the process. The caller holds mu.
func (h *host) launch() error {
	log, err := os.OpenFile(h.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(h.bin, "plughost"), "run", "--config", h.config)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's signals are not for it
	wait, err := cmd.Wait, error(nil)
	if h.clock != nil {
		wait, err = h.clock.Start(cmd)
	} else {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("start the host: %w; run make build", err)
	}
	start := check.Start{At: time.Now()}
	if h.clock != nil {
		start.Wrong = h.clock.Wrong()
	}
	ended := make(chan struct{})
	h.cmd, h.ended, h.starts = cmd, ended, append(h.starts, start)
	go func() {
		_ = wait()
		close(ended)
		h.hasEnded(cmd)
	}()
	return nil
}

// hasEnded starts the host again if nobody has asked it to end.
func (h *host) hasEnded(cmd *exec.Cmd) {
	h.mu.Lock()
	byItself := h.wanted && h.cmd == cmd
	if byItself {
		h.cmd = nil
	}
	h.mu.Unlock()
	if !byItself {
		return
	}
	h.byItself(cmd.ProcessState)
	time.AfterFunc(restartAfter, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.wanted && h.cmd == nil {
			_ = h.launch() // it could be started before
		}
	})
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
	h.wanted = false
	if h.cmd == nil {
		return
	}
	_ = h.cmd.Process.Kill()
	<-h.ended
	h.cmd = nil
}

// stop ends the host as an operator does.
func (h *host) stop() error {
	h.mu.Lock()
	h.wanted = false
	cmd, ended := h.cmd, h.ended
	h.mu.Unlock()
	if cmd == nil {
		return errors.New("the host does not run")
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-ended:
	case <-time.After(stopLimit + 5*time.Second):
		return fmt.Errorf("I2: the host has not stopped within %v", stopLimit)
	}
	h.mu.Lock()
	h.cmd = nil
	h.mu.Unlock()
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the host ended with status %d", code)
	}
	return nil
}

// Starts are when the host was started.
func (w *World) Starts() []check.Start {
	w.host.mu.Lock()
	defer w.host.mu.Unlock()
	return slices.Clone(w.host.starts)
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

// hostEnded notes that the host has ended by itself: it is to go on, whatever happens to
// its disk and its plugs.
func (w *World) hostEnded(s *os.ProcessState) {
	w.Count(EndedByItself)
	w.violate("I1: the host ended by itself (%v); the end of its log then:\n%s", s, w.host.lastWords())
}

// EndedByItself is how often the host had to be started again, in the count.
const EndedByItself = "the host ended by itself and was started again"

// StopHost ends the host as an operator does, within its promise.
func (w *World) StopHost() {
	if err := w.host.stop(); err != nil {
		w.violate("%v", err)
		w.host.kill()
	}
}

// killHost kills the host in the step's burst, sees its plugs gone, and starts it again after a while.
// meanwhile is done while it is down, if it is not nil.
func (w *World) killHost(ctx context.Context, s plan.Step, meanwhile func() error) error {
	pids, err := w.pids(ctx)
	if err != nil {
		return err // it is starting still
	}
	said := w.burst(ctx, s)
	defer said()
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
	if meanwhile != nil {
		err = meanwhile()
	}
	pause(ctx, s.For)
	if s.By != 0 {
		w.Clock.Jump(s.By)
	}
	return errors.Join(err, w.host.start())
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

// pause waits, or until ctx has ended.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
