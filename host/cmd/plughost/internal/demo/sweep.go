package demo

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// dirPrefix and markerName tell a demo's directory from what must never be
	// removed.
	dirPrefix  = "plughost-demo-"
	markerName = ".plughost-demo"
	// sweepPatience is how long the sweeper tries; killed processes are gone in an
	// instant, and until then may still make files.
	sweepPatience = 30 * time.Second
	sweepEvery    = 100 * time.Millisecond
)

// sweeper is the process that removes a demo's directory when the demo is gone,
// however it went.
type sweeper struct {
	cmd   *exec.Cmd
	alive *os.File // closed by the kernel, if by nobody else
}

func startSweeper(binary, dir string) (*sweeper, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start sweeper: %w", err)
	}
	defer r.Close()
	cmd := exec.Command(binary, "sweep", dir)
	cmd.Stdin = r
	// A session of its own keeps it from the signals of the demo's terminal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("start sweeper: %w", err)
	}
	return &sweeper{cmd: cmd, alive: w}, nil
}

// sweep has the directory removed now, and waits for it.
func (s *sweeper) sweep() error {
	s.alive.Close()
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("remove the demo's directory: %w", err)
	}
	return nil
}

// Sweep waits until whoever holds the other end of alive is gone, then removes a
// demo's directory.
func Sweep(dir string, alive io.Reader) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	if _, err := os.Stat(filepath.Join(dir, markerName)); err != nil || !strings.HasPrefix(filepath.Base(dir), dirPrefix) {
		return fmt.Errorf("%s is not the directory of a demo", dir)
	}
	if _, err := io.Copy(io.Discard, alive); err != nil {
		return fmt.Errorf("wait for the demo: %w", err)
	}
	again := time.NewTicker(sweepEvery)
	defer again.Stop()
	for deadline := time.Now().Add(sweepPatience); ; <-again.C {
		err := os.RemoveAll(dir)
		if _, statErr := os.Stat(dir); errors.Is(statErr, fs.ErrNotExist) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("remove the demo's directory: %w", err)
		}
	}
}
