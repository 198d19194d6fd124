// Package disktest gives tests a small disk of their own, and fills it.
package disktest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Disk is a real file system of its own, mounted until the test ends.
type Disk struct {
	t    testing.TB
	Dir  string
	fill string
}

// New mounts a disk of so many bytes. To mount needs root or a user namespace: a
// test that can't mount fails, and says so.
func New(t testing.TB, bytes int64) *Disk {
	t.Helper()
	dir, err := os.MkdirTemp("", "disk") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("plughost-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		_ = os.Remove(dir)
		t.Fatalf("this test needs a disk of its own and can't mount one (%v): run it as root, or as\n\tunshare --map-root-user --mount go test ...", err)
	}
	t.Cleanup(func() {
		// What still has a file open there has been told to end.
		if err := errors.Join(unix.Unmount(dir, unix.MNT_DETACH), os.Remove(dir)); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return &Disk{t: t, Dir: dir, fill: filepath.Join(dir, "fill")}
}

// Free gives the bytes that are free.
func (d *Disk) Free() int64 {
	d.t.Helper()
	var s unix.Statfs_t
	if err := unix.Statfs(d.Dir, &s); err != nil {
		d.t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}

// Fill has somebody else's file take all but so many bytes.
func (d *Disk) Fill(left int64) {
	d.t.Helper()
	f, err := os.OpenFile(d.fill, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for n := d.Free() - left; n > 0; n -= int64(len(block)) {
		if _, err := f.Write(block); errors.Is(err, unix.ENOSPC) {
			return
		} else if err != nil {
			d.t.Fatal(err)
		}
	}
}

// Clear removes what Fill wrote.
func (d *Disk) Clear() {
	d.t.Helper()
	if err := os.Remove(d.fill); err != nil {
		d.t.Fatal(err)
	}
}
