package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// PipePatience is how long the rest of a dead child's output is read. A
	// grandchild may hold the pipes open for as long as it likes.
	PipePatience = 200 * time.Millisecond
	// SweepPatience bounds the killing of what a dead child left behind.
	SweepPatience = 2 * time.Second
	// KillPatience bounds the wait for a killed process. Only one that hangs inside
	// the kernel takes longer than an instant.
	KillPatience = 5 * time.Second
)

// ErrAlive is returned by Close when the process could not be killed.
var ErrAlive = errors.New("process does not die: see what it waits for (ps -o pid,stat,wchan)")

// Child is a process that leads a session of its own, its three pipes, and what
// descends from it. Its methods may be called from any goroutine.
type Child struct {
	dir string

	stdin  *os.File // never written: its end tells the child that the host is gone
	stdout *os.File
	stderr *os.File

	mu       sync.Mutex // held while the process is forked, signalled and reaped
	cmd      *exec.Cmd  // nil: not started
	killed   bool       // by the host, also before it was started
	reaped   bool       // its pid may be another's
	readers  sync.WaitGroup
	alive    context.Context // ends when the process has exited
	died     context.CancelFunc
	finished chan struct{} // closed when all that follows the exit is done
	byItself bool          // was not killed by the host; read after finished
	leftover error         // what could not be cleared up; read after finished

	closeOnce sync.Once
	closeErr  error
}

// New prepares a child that is not started yet. Dir is a private directory,
// whose path is in the environment of the command to come: descendants are known
// by it. Close is called in the end.
func New(dir string) (*Child, error) {
	if err := children.enter(dir); err != nil {
		return nil, err
	}
	c := &Child{dir: dir, finished: make(chan struct{})}
	c.alive, c.died = context.WithCancel(context.Background())
	return c, nil
}

// Start executes a command that has no files and no attributes yet; called once.
// The two functions read its output in goroutines of their own, each until its
// pipe ends or fails, which is at the latest PipePatience after the exit. After an
// error there may be a process nevertheless, and after Kill there is none.
func (c *Child) Start(cmd *exec.Cmd, readStdout, readStderr func(io.Reader)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.killed {
		return errors.New("ended before its start")
	}
	theirs, err := c.pipes()
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs[0], theirs[1], theirs[2]
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// A session of its own is a process group to kill, and no way to the host's
		// terminal.
		Setsid:    true,
		Pdeathsig: syscall.SIGKILL,
	}
	err = children.start(c.dir, cmd)
	for _, f := range theirs {
		f.Close()
	}
	if cmd.Process == nil {
		c.closePipes()
		return err
	}
	c.cmd = cmd
	c.readers.Go(func() { readStdout(c.stdout) })
	c.readers.Go(func() { readStderr(c.stderr) })
	go c.attend()
	return err
}

// pipes makes the three pipes and returns the child's ends.
func (c *Child) pipes() (theirs [3]*os.File, err error) {
	var all []*os.File
	pipe := func() (r, w *os.File) {
		if err != nil {
			return nil, nil
		}
		if r, w, err = os.Pipe(); err == nil {
			all = append(all, r, w)
		}
		return r, w
	}
	theirs[0], c.stdin = pipe()
	c.stdout, theirs[1] = pipe()
	c.stderr, theirs[2] = pipe()
	if err != nil {
		for _, f := range all {
			f.Close()
		}
		return theirs, fmt.Errorf("make pipes: %w", err)
	}
	return theirs, nil
}

func (c *Child) closePipes() {
	c.stdin.Close()
	c.stdout.Close()
	c.stderr.Close()
}

// attend waits for the process and clears up behind it. Close waits for it.
func (c *Child) attend() {
	defer close(c.finished)
	pid := c.cmd.Process.Pid
	// Only looked at, not reaped: until then the pid is nobody else's, so that all
	// that is named after it can be killed.
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	late := time.Now().Add(PipePatience)
	_ = c.stdout.SetReadDeadline(late) // pipes have deadlines
	_ = c.stderr.SetReadDeadline(late)
	c.mu.Lock()
	c.byItself = !c.killed
	c.mu.Unlock()
	c.died()

	var errs []error
	if err := c.Signal(syscall.SIGKILL); err != nil {
		errs = append(errs, fmt.Errorf("kill process group: %w", err))
	}
	left, err := sweep(pid, c.dir, SweepPatience)
	if err != nil {
		errs = append(errs, fmt.Errorf("look for descendants: %w", err))
	}
	if len(left) > 0 {
		errs = append(errs, fmt.Errorf("descendants %v do not die: see what they wait for (ps -o pid,stat,wchan)", left))
	}
	c.readers.Wait()
	c.closePipes()

	c.mu.Lock()
	defer c.mu.Unlock()
	if err := children.exited(c.dir); err != nil {
		errs = append(errs, err)
	}
	_ = c.cmd.Wait() // how it ended is in its ProcessState
	c.reaped = true
	c.leftover = errors.Join(errs...)
}

// Started says whether there is or was a process.
func (c *Child) Started() bool { return c.Pid() != 0 }

// Pid is the process's id, and that of its process group and session; 0 before
// the start.
func (c *Child) Pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd == nil {
		return 0
	}
	return c.cmd.Process.Pid
}

// Alive ends as soon as the process has exited, whoever holds its pipes.
func (c *Child) Alive() context.Context { return c.alive }

// Exit waits until the output of an exited process is read and what it left
// behind is killed, and says how it ended, and whether Kill had no part in that.
// Not before Start.
func (c *Child) Exit() (state *os.ProcessState, byItself bool) {
	<-c.finished
	return c.cmd.ProcessState, c.byItself
}

// Signal sends a signal to the process group. Before the start and after the
// exit it returns os.ErrProcessDone.
func (c *Child) Signal(sig syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd == nil || c.reaped {
		return os.ErrProcessDone
	}
	return syscall.Kill(-c.cmd.Process.Pid, sig)
}

// Kill kills the process and all that descends from it, and keeps it from being
// started. It does not wait.
func (c *Child) Kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = true
	if c.cmd == nil || c.reaped {
		return nil
	}
	pid := c.cmd.Process.Pid
	// The descendants are noted first: once the child is dead, those that have left
	// its session are its descendants no more.
	living, err := family(pid, c.dir)
	if killErr := syscall.Kill(-pid, syscall.SIGKILL); killErr != nil {
		err = errors.Join(err, killErr)
	}
	for _, m := range living {
		m.kill()
	}
	return err
}

// Close kills what lives, waits until all is cleared up, and says what could not
// be. Only the first call does it; each returns its result. It takes an instant,
// and at most KillPatience and SweepPatience; when even this was not enough the
// error is ErrAlive.
func (c *Child) Close() error {
	c.closeOnce.Do(func() { c.closeErr = c.close() })
	return c.closeErr
}

func (c *Child) close() error {
	var errs []error
	if err := c.Kill(); err != nil {
		errs = append(errs, fmt.Errorf("kill: %w", err))
	}
	if c.Started() {
		patience := time.NewTimer(KillPatience + SweepPatience)
		defer patience.Stop()
		select {
		case <-c.finished:
			errs = append(errs, c.leftover)
		case <-patience.C:
			// The pinned thread stays: its end would be the signal of the host's death.
			return errors.Join(append(errs, fmt.Errorf("pid %d: %w", c.Pid(), ErrAlive))...)
		}
	}
	c.died() // without a process, this is its end
	return errors.Join(append(errs, children.leave(c.dir))...)
}
