package child

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// member is one process as /proc showed it.
type member struct {
	pid     int
	parent  int
	session int
	dead    bool   // a zombie: it runs no more, its parent has not looked yet
	started string // tells it from a later process with the same pid
}

// readMember reads /proc/<pid>/stat, described in proc_pid_stat(5).
func readMember(pid int) (member, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return member{}, err
	}
	// The second field is the program's name in brackets; it may hold spaces and
	// brackets of its own, so the fields are counted from the last bracket on.
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) < 20 {
		return member{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(f))
	}
	m := member{pid: pid, dead: f[0] == "Z" || f[0] == "X", started: f[19]}
	if m.parent, err = strconv.Atoi(f[1]); err != nil {
		return member{}, err
	}
	if m.session, err = strconv.Atoi(f[3]); err != nil {
		return member{}, err
	}
	return m, nil
}

// kill kills the process, unless its pid belongs to another by now.
func (m member) kill() {
	// FindProcess holds a pidfd, so what is checked is what is killed.
	proc, err := os.FindProcess(m.pid)
	if err != nil {
		return
	}
	defer proc.Release()
	if now, err := readMember(m.pid); err == nil && now.started == m.started {
		_ = proc.Signal(syscall.SIGKILL) // an error says that it is gone
	}
}

// family lists the living processes of the child whose pid is or was root and
// whose private directory is dir: those in its session, those with the directory
// in their environment (which a descendant keeps when it leaves the session and
// loses its parents), and all descendants of these. A root of 0 stands for none.
func family(root int, dir string) ([]member, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	all := make(map[int]member)
	mine := make(map[int]bool)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		m, err := readMember(pid)
		if err != nil {
			continue // gone since the directory was read
		}
		all[pid] = m
		// Threads of the kernel are in session 0, so 0 must not match.
		mine[pid] = root > 0 && m.session == root || hasDir(pid, dir)
	}
	for found := true; found; {
		found = false
		for pid, m := range all {
			if !mine[pid] && mine[m.parent] {
				mine[pid], found = true, true
			}
		}
	}
	var living []member
	for pid, m := range all {
		if mine[pid] && !m.dead && pid != os.Getpid() {
			living = append(living, m)
		}
	}
	return living, nil
}

// hasDir says whether a variable of the environment with which a process was
// executed is dir or a path below it.
func hasDir(pid int, dir string) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false // another user's, or gone
	}
	return bytes.Contains(env, []byte("="+dir+"\x00")) || bytes.Contains(env, []byte("="+dir+"/"))
}

// Descends says whether the process pid is root or one of its descendants.
func Descends(pid, root int) bool {
	for pid > 1 {
		if pid == root {
			return true
		}
		m, err := readMember(pid)
		if err != nil {
			return false
		}
		pid = m.parent
	}
	return false
}

// sweep kills a family until none of it lives, for at most the time given, and
// returns the pids that live on.
func sweep(root int, dir string, within time.Duration) ([]int, error) {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(within); ; <-again.C {
		living, err := family(root, dir)
		if err != nil || len(living) == 0 {
			return nil, err
		}
		if time.Now().After(deadline) {
			pids := make([]int, len(living))
			for i, m := range living {
				pids[i] = m.pid
			}
			return pids, nil
		}
		for _, m := range living {
			m.kill()
		}
	}
}
