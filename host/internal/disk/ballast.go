package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// State is how a disk is.
type State struct {
	// Free is how many bytes we may still write, the ballast not counted.
	Free int64
	// Full says that the disk is full, until Need bytes are free.
	Full bool
	Need int64
}

// Ballast is the room kept back on a disk. It is not safe for concurrent use.
type Ballast struct {
	path string
	size int64
}

// Open makes the ballast of a directory that is there. Nothing is written before
// the first Check.
func Open(dir string, size int64) *Ballast {
	return &Ballast{path: filepath.Join(dir, "ballast"), size: size}
}

// Check looks at the disk. It gives the ballast up if the disk has become full, and
// takes it again when there is room. An error says that the disk could not be looked
// at, or the ballast not be given up or taken.
func (b *Ballast) Check() (State, error) {
	free, err := Free(filepath.Dir(b.path))
	if err != nil {
		return State{}, err
	}
	held := b.held()
	low := b.size / 4
	need := b.size + 2*low
	switch {
	case held && free < low:
		held, err = false, b.release()
	case !held && free >= need:
		err = b.take()
		held = err == nil
	case !held:
		err = b.release() // one of another size
	}
	return State{Free: free, Full: !held, Need: need}, err // no room for the ballast is no room
}

// Free is how many bytes a process like this one may write to the disk of a
// directory that is there.
func Free(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	return int64(min(s.Bavail, 1<<40)) * s.Bsize, nil
}

// held tells whether the ballast is there, whole.
func (b *Ballast) held() bool {
	info, err := os.Stat(b.path)
	return err == nil && info.Size() == b.size
}

func (b *Ballast) release() error {
	if err := os.Remove(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("give up the ballast: %w", err)
	}
	return nil
}

func (b *Ballast) take() error {
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("make the ballast: %w", err)
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, b.size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = fill(f, b.size)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("make the ballast: %w", err), b.release())
	}
	return nil
}

// fill writes a file full of what no file system leaves out.
func fill(f *os.File, size int64) error {
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(i*7 + i>>8)
	}
	for size > 0 {
		n, err := f.Write(block[:min(size, int64(len(block)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return nil
}
