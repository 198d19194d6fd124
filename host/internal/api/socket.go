package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"
)

const (
	// dirName is the socket's directory in the data directory. It is 0700, so
	// that the socket is nobody else's from the moment it is made.
	dirName    = "api"
	socketName = "plughost.sock"
	lockName   = "lock"
)

// ErrNoHost is of a data directory that no running host uses.
var ErrNoHost = errors.New("no host is running with this data directory")

// ErrTaken is of a data directory that another host uses already.
var ErrTaken = errors.New("another host is running with this data directory")

// Listener is the listening end of a data directory's socket.
type Listener struct {
	net.Listener
	dir  string
	lock *flock.Flock
}

// Listen makes the socket of a data directory, and the directory if there is
// none. The socket of a host that was killed is replaced; that of one that runs is
// not: the error is then ErrTaken.
func Listen(dataDir string) (*Listener, error) {
	dir := filepath.Join(dataDir, dirName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory of the host's socket: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory of the host's socket: %w", err)
	}
	// The lock ends with the process, however it ends; a socket's file stays.
	lock := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	switch taken, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock the host's socket: %w", err)
	case !taken:
		return nil, fmt.Errorf("data directory %s: %w", dataDir, ErrTaken)
	}
	l := &Listener{dir: dir, lock: lock}
	if err := l.listen(); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on the host's socket: %w", err), lock.Unlock())
	}
	return l, nil
}

func (l *Listener) listen() error {
	path := filepath.Join(l.dir, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return inDir(l.dir, func(short string) error {
		listener, err := net.Listen("unix", short)
		if err != nil {
			return err
		}
		// It would be removed by the short path, which means nothing by then.
		listener.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Listener = listener
		return os.Chmod(path, 0o600)
	})
}

// Close ends listening, and removes the socket.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil // what follows was done then
	}
	return errors.Join(err, os.Remove(filepath.Join(l.dir, socketName)), l.lock.Unlock())
}

// dial connects to the socket of a data directory.
func dial(ctx context.Context, dataDir string) (conn net.Conn, err error) {
	err = inDir(filepath.Join(dataDir, dirName), func(short string) error {
		conn, err = (&net.Dialer{}).DialContext(ctx, "unix", short)
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("data directory %s: %w", dataDir, ErrNoHost)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("data directory %s belongs to another user: run this as the user that plughost runs as: %w", dataDir, err)
	case err != nil:
		return nil, fmt.Errorf("connect to the host: %w", err)
	}
	return conn, nil
}

// inDir gives a path of the socket that is short enough, however long the
// directory's is: a unix socket's path has at most 107 bytes. It is valid during
// do only.
func inDir(dir string, do func(short string) error) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return do(fmt.Sprintf("/proc/self/fd/%d/%s", f.Fd(), socketName))
}
