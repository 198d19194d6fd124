package files

import (
	"errors"
	"fmt"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"

	"github.com/plughost/plughost/host/internal/files/spooldir"
)

// Why a file is not to be had. What Take and Give return wraps one of these, or
// the context's error, or a fault of the disk.
var (
	// ErrName says that a plug gave a file no bare name.
	ErrName = spooldir.ErrName
	// ErrNotRegular says that what a plug named is not a plain file of its own.
	ErrNotRegular = spooldir.ErrNotRegular
	// ErrGone says that there is no such file in the spool, or in the store.
	ErrGone = spooldir.ErrGone
	// ErrTooLarge says that a file has more than MaxFileBytes.
	ErrTooLarge = errors.New("file too large")
	// ErrFull says that there is no room: MaxBytes is reached and everything is in
	// use, or the disk is full.
	ErrFull = errors.New("no room for files")
)

// Words says in a few words, for a person, why Take or Give failed. They hold no
// path and nothing that comes from a plug.
func Words(err error) string {
	var large *tooLarge
	switch {
	case errors.As(err, &large):
		return "it is larger than " + humanize.IBytes(uint64(large.limit))
	case errors.Is(err, ErrFull):
		return "the host has no room left for files"
	case errors.Is(err, ErrGone):
		return "it is no longer there"
	case errors.Is(err, ErrName), errors.Is(err, ErrNotRegular):
		return "the plug did not hand over a plain file"
	}
	return "it could not be read or stored"
}

// tooLarge is ErrTooLarge with the bound, in bytes.
type tooLarge struct{ limit int64 }

func (t *tooLarge) Error() string {
	return ErrTooLarge.Error() + ": more than " + humanize.IBytes(uint64(t.limit))
}
func (t *tooLarge) Unwrap() error { return ErrTooLarge }

// DiskFull tells whether there was no room because the disk is full: that passes, and is
// nothing that a message has to do without its file for.
func DiskFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// fromDisk adds to what the disk says that there is no room, where that is it.
func fromDisk(err error) error {
	if DiskFull(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
