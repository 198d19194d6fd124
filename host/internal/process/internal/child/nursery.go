package child

import (
	"fmt"
	"os/exec"
	"runtime"
	"sync"
)

// children is where all children are started. It is the package's only state:
// parent-death signals and the guard belong to a process, not to a value.
var children nursery

// nursery holds what the package needs as long as it has children, and only so
// long: the thread that starts them and the guard.
type nursery struct {
	mu     sync.Mutex
	roots  map[string]int // pid of each child by its private directory, 0: none
	guard  *guard
	starts chan func() // unbuffered
	ended  chan struct{}
}

// enter announces a child, before it has a process. Each enter without an error
// is followed by one leave.
func (n *nursery) enter(dir string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.roots) == 0 {
		g, err := newGuard()
		if err != nil {
			return fmt.Errorf("start guard: %w", err)
		}
		n.guard, n.roots = g, make(map[string]int)
		n.starts, n.ended = make(chan func()), make(chan struct{})
		go n.run(n.starts, n.ended)
	}
	n.roots[dir] = 0
	if err := n.told(n.guard.tell(0, dir)); err != nil {
		n.remove(dir)
		return err
	}
	return nil
}

// run starts processes on one thread. The kernel sends the parent-death signal
// when the *thread* that forked the child dies, so this thread lives as long as
// there are children. It ends locked, which makes the runtime end the thread.
func (n *nursery) run(starts <-chan func(), ended chan<- struct{}) {
	runtime.LockOSThread()
	for start := range starts {
		start()
	}
	close(ended)
}

// start starts the command of a child that has entered, on the pinned thread.
// After an error the command may run: see cmd.Process.
func (n *nursery) start(dir string, cmd *exec.Cmd) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	done := make(chan error)
	n.starts <- func() { done <- cmd.Start() }
	if err := <-done; err != nil {
		return err
	}
	n.roots[dir] = cmd.Process.Pid
	return n.told(n.guard.tell(cmd.Process.Pid, dir))
}

// exited takes back a child's pid, which is free to be another's from now on.
func (n *nursery) exited(dir string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.roots[dir] = 0
	return n.told(n.guard.tell(0, dir))
}

// leave takes a child back. With the last one, thread and guard end.
func (n *nursery) leave(dir string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.remove(dir) {
		return nil
	}
	return n.told(n.guard.forget(dir))
}

// remove forgets a child, and says whether it was the last.
func (n *nursery) remove(dir string) bool {
	delete(n.roots, dir)
	if len(n.roots) > 0 {
		return false
	}
	close(n.starts)
	<-n.ended
	n.guard.stop()
	return true
}

// told replaces a guard that did not take what it was told: somebody killed it.
func (n *nursery) told(err error) error {
	if err == nil {
		return nil
	}
	n.guard.stop()
	g, err := newGuard()
	if err != nil {
		return fmt.Errorf("start guard again: %w", err)
	}
	n.guard = g
	for dir, root := range n.roots {
		if err := g.tell(root, dir); err != nil {
			return fmt.Errorf("tell guard: %w", err)
		}
	}
	return nil
}
