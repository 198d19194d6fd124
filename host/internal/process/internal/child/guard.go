package child

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// guardName is the guard's argv[0], by which the program knows what it is.
	guardName = "plughost-guard"
	// guardPatience bounds how long the guard kills one child's family.
	guardPatience = 10 * time.Second
	// guardWrite bounds a write to the guard, which has only memory to do.
	guardWrite = time.Second
)

// The guard is this very program, executed once more. It is told apart here and
// not in main, so that whoever embeds the host need not know of it.
func init() {
	if len(os.Args) > 0 && os.Args[0] == guardName {
		signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
		watch(os.Stdin)
		os.Exit(0)
	}
}

// guard is the host's handle on a process that outlives it. A parent-death
// signal reaches a child but not the child's own children; when the host is killed
// by SIGKILL, nobody else is left to kill those and to remove the directories.
type guard struct {
	cmd   *exec.Cmd
	stdin *os.File
}

// newGuard executes the guard. It need not be waited for: what it is told stays
// in its pipe until it reads, also after the host's death.
func newGuard() (*guard, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := &exec.Cmd{
		Path:  "/proc/self/exe",
		Args:  []string{guardName},
		Env:   []string{"GOMAXPROCS=1"},
		Dir:   "/",
		Stdin: r,
		// A session of its own keeps it from the signals of the host's terminal.
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, err
	}
	return &guard{cmd: cmd, stdin: w}, nil
}

// tell has the guard kill the family of root and dir, and remove dir, when the
// host is gone. A later call for the same dir replaces an earlier one.
func (g *guard) tell(root int, dir string) error {
	return g.write(fmt.Sprintf("%d %q\n", root, dir))
}

// forget takes back what tell said.
func (g *guard) forget(dir string) error { return g.write(fmt.Sprintf("- %q\n", dir)) }

func (g *guard) write(line string) error {
	if err := g.stdin.SetWriteDeadline(time.Now().Add(guardWrite)); err != nil {
		return err
	}
	_, err := io.WriteString(g.stdin, line)
	return err
}

// stop ends the guard at once: for when it has nothing to watch over, or has
// stopped listening.
func (g *guard) stop() {
	_ = g.cmd.Process.Kill() // an error says that it is gone
	_ = g.cmd.Wait()         // it was killed: its status says nothing
	g.stdin.Close()
}

// watch is the guard's whole life: it notes what it is told until the pipe ends,
// which is when the host has died, and clears up.
func watch(told io.Reader) {
	families := make(map[string]int) // root by dir
	for lines := bufio.NewScanner(told); lines.Scan(); {
		what, quoted, _ := strings.Cut(lines.Text(), " ")
		dir, err := strconv.Unquote(quoted)
		if err != nil {
			continue // the host died within a write
		}
		if what == "-" {
			delete(families, dir)
		} else if root, err := strconv.Atoi(what); err == nil {
			families[dir] = root
		}
	}
	for dir, root := range families {
		// There is nobody left to tell what went wrong.
		_, _ = sweep(root, dir, guardPatience)
		_ = os.RemoveAll(dir)
	}
}
