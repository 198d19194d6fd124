package spooldir

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Why a file of a spool is not to be had.
var (
	// ErrName says that a plug gave a file no bare name: 1 to 255 bytes of UTF-8,
	// no slash, no leading dot.
	ErrName = errors.New("not a bare name")
	// ErrNotRegular says that a name stands for a link, a directory, a device, a
	// pipe, a socket, or a file that has other names too.
	ErrNotRegular = errors.New("not a regular file with one name")
	// ErrGone says that there is no file of that name.
	ErrGone = errors.New("no such file")
)

// bare says whether a plug may call a file so.
func bare(name string) bool {
	return name != "" && len(name) <= 255 && name[0] != '.' && !strings.ContainsAny(name, "/\x00") && utf8.ValidString(name)
}

// openDir opens a spool directory, which must not be a link itself: the plug could
// have put one in its place.
func openDir(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

// Open opens a file that a plug has put into its spool, and gives its size in
// bytes. It never waits. What the file is is asked of the open file, so that it
// can't change in between. The error wraps ErrName, ErrNotRegular or ErrGone;
// otherwise it is a fault of the disk, or the host may not read the file.
func Open(dir, name string) (*os.File, int64, error) { return open(dir, name, openBeneath) }

func open(dir, name string, opener func(dir int, name string) (int, error)) (*os.File, int64, error) {
	if !bare(name) {
		return nil, 0, ErrName
	}
	d, err := openDir(dir)
	if err != nil {
		return nil, 0, err
	}
	defer d.Close()
	fd, err := opener(int(d.Fd()), name)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		// An old kernel, or a container that knows no openat2.
		fd, err = openNoFollow(int(d.Fd()), name)
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, 0, ErrGone
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO), errors.Is(err, unix.EXDEV):
		// A link, a socket or a device of nothing, a mount.
		return nil, 0, ErrNotRegular
	case err != nil:
		return nil, 0, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		f.Close()
		return nil, 0, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG || stat.Nlink != 1 {
		f.Close()
		return nil, 0, ErrNotRegular
	}
	return f, stat.Size, nil
}

// spooledFlags open without waiting for the other end of a pipe or for a lease,
// and without becoming a terminal's process.
const spooledFlags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC

func openBeneath(dir int, name string) (int, error) {
	return uninterrupted(func() (int, error) {
		return unix.Openat2(dir, name, &unix.OpenHow{
			Flags: spooledFlags,
			// Nothing mounted either: whoever answers for it might never do so.
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
		})
	})
}

// openNoFollow does the same for a bare name, which has no parts that could be
// links or lead upwards; only a mount is not noticed.
func openNoFollow(dir int, name string) (int, error) {
	return uninterrupted(func() (int, error) { return unix.Openat(dir, name, spooledFlags, 0) })
}

// uninterrupted calls again what a signal has interrupted: the runtime sends
// itself some.
func uninterrupted(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != unix.EINTR {
			return n, err
		}
	}
}
