package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// A host that is killed while it starts a plug leaves the lock to the child, for the
// moment until that has become the plug's program.
const (
	lockTimeout = time.Second
	lockAgain   = 20 * time.Millisecond
)

// lockDir makes a directory that only we can read, and locks it until Unlock or
// the end of the process (D6). The lock file is never removed: whoever waited
// for the removed one would hold a lock that nobody else sees.
func lockDir(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keep others out of the data directory: %w", err)
	}
	path := filepath.Join(dir, "lock")
	lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	trying, cancel := context.WithTimeout(context.Background(), lockTimeout)
	defer cancel()
	locked, err := lock.TryLockContext(trying, lockAgain)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("data directory %s is in use by another host%s; stop that one first, or give this one a directory of its own", dir, holder(path))
	}
	// A full disk may have no room for it. The lock is held all the same.
	_ = os.WriteFile(path, strconv.AppendInt(nil, int64(os.Getpid()), 10), 0o600)
	return lock, nil
}

// holder names the process that holds a lock, if it has said so.
func holder(path string) string {
	data, err := os.ReadFile(path)
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || convErr != nil {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", pid)
}
