package process

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ExitError says how a plug's process ended.
type ExitError struct {
	// Code is the exit status, -1 if a signal ended the process.
	Code int
	// Signal is the signal that ended the process, 0 if none did.
	Signal syscall.Signal
	// Stderr is the end of what the plug wrote to stderr: at most 20 lines of at
	// most 512 bytes. Nil unless the plug ended by itself and in failure.
	Stderr []string
}

// Error says it in words: "exit status 3", "killed by SIGKILL", with the lines
// of Stderr.
func (e *ExitError) Error() string {
	how := fmt.Sprintf("exit status %d", e.Code)
	if e.Signal != 0 {
		how = "killed by " + signalName(e.Signal)
	}
	return how + quote(e.Stderr)
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(s))
}

// quote puts lines of stderr behind an error's text.
func quote(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "; its last lines on stderr:\n  " + strings.Join(lines, "\n  ")
}
