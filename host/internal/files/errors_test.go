package files

import (
	"errors"
	"io/fs"
	"testing"

	"golang.org/x/sys/unix"
)

// A full disk is no room, and is still told from a bound that is reached.
func TestFullDisk(t *testing.T) {
	for _, full := range []error{unix.ENOSPC, unix.EDQUOT} {
		err := fromDisk(&fs.PathError{Op: "write", Path: "x", Err: full})
		if !errors.Is(err, ErrFull) || !errors.Is(err, full) || Words(err) != "the host has no room left for files" {
			t.Errorf("%v: %v (%q)", full, err, Words(err))
		}
	}
	if err := fromDisk(unix.EIO); errors.Is(err, ErrFull) {
		t.Errorf("a broken disk is full: %v", err)
	}
	if fromDisk(nil) != nil {
		t.Error("no error is one")
	}
}
