package spooldir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Remove removes a file of a spool directory; one that is not there is no error.
// A link is removed itself, never what it leads to; a folder is not removed.
func Remove(dir, name string) error {
	if !bare(name) {
		return ErrName
	}
	d, err := openDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Unlinkat(int(d.Fd()), name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}

// maxFaults bounds what one Clean says of a disk that fails for every file.
const maxFaults = 8

// Clean removes from a spool directory everything, folders too, but the names that
// keep returns true for; nil keeps none. The host calls it for "out/" and "in/"
// before it starts the plug's process: then no event of the plug is without
// acknowledgement, and every operation gets its copies anew. It goes on after an
// error, and returns all of them.
func Clean(ctx context.Context, dir string, keep func(name string) bool) error {
	d, err := openDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("clean spool: %w", err)
	}
	defer d.Close()
	// A root follows a link in its own place, the open directory does not: they
	// must be the same.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("clean spool: %w", err)
	}
	defer root.Close()
	opened, err := d.Stat()
	if err != nil {
		return fmt.Errorf("clean spool: %w", err)
	}
	if now, err := root.Stat("."); err != nil || !os.SameFile(opened, now) {
		return fmt.Errorf("clean spool: %s is not what it was a moment ago", dir)
	}
	var faults []error
	for {
		names, err := d.Readdirnames(256)
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				return err
			}
			if keep == nil || !keep(name) {
				if err := root.RemoveAll(name); err != nil && len(faults) < maxFaults {
					faults = append(faults, err)
				}
			}
		}
		if err != nil {
			if err != io.EOF {
				faults = append(faults, err)
			}
			break
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("clean spool: %w", err)
	}
	return nil
}
