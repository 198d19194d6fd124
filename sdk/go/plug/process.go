package plug

import (
	"io"
	"os"
	"time"

	hclog "github.com/hashicorp/go-hclog"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"golang.org/x/sys/unix"
)

// parentCheck is how often a plug looks whether its parent is still the same.
const parentCheck = time.Second

// parent is the host, or what died with it. It is noted before the handshake: after
// that a host may be gone at any time.
var parent = os.Getppid()

// handshakeOutput is the stdout that the host reads, once guardStdout has taken it.
var handshakeOutput *os.File

// A print before the handshake would break it, and packages print while they are
// initialised: so stdout is guarded here and not in Serve.
func init() {
	if !startedByHost() {
		return
	}
	if err := guardStdout(); err != nil {
		os.Stderr.WriteString("guard stdout: " + err.Error() + "\n")
		os.Exit(1)
	}
}

func startedByHost() bool {
	return os.Getenv(plugv1.HandshakeCookieKey) == plugv1.HandshakeCookieValue
}

// guardStdout points fd 1 at stderr and keeps the host's end for the handshake.
func guardStdout() error {
	fd, err := unix.FcntlInt(uintptr(unix.Stdout), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return err
	}
	handshakeOutput = os.NewFile(uintptr(fd), "handshake")
	return unix.Dup2(unix.Stderr, unix.Stdout)
}

// exitWithHost ends the process when the host is gone: at the end of stdin, if it is
// a pipe or socket of which the host holds the other end (/dev/null ends at once),
// and when another process has become the parent.
func exitWithHost(log hclog.Logger) {
	gone := make(chan string, 1)
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0 {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // an error is an end too
			gone <- "stdin has ended"
		}()
	}
	ticker := time.NewTicker(parentCheck)
	defer ticker.Stop()
	for {
		select {
		case why := <-gone:
			log.Info("the host is gone, exiting", "reason", why)
			os.Exit(0)
		case <-ticker.C:
			if os.Getppid() != parent {
				log.Info("the host is gone, exiting", "reason", "the parent has changed")
				os.Exit(0)
			}
		}
	}
}
