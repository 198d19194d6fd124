package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/plughost/plughost/host/internal/files/spooldir"
)

// giveChunk is how much the kernel copies between two looks at the context, in
// bytes.
const giveChunk = 8 << 20

// Give puts a copy of a blob into a plug's spool "in/" and returns its name there,
// which is made of the suggested one and of something unique. It comes before the
// Put that names it; the copy stays until Forget. The copy is the plug's own
// (0600): it may write to it, move it and remove it.
//
// The error wraps ErrGone, ErrFull or the context's error; otherwise it is a fault
// of the disk. After an error nothing is left in "in/".
func (s *Store) Give(ctx context.Context, h Hash, in, suggested string) (string, error) {
	name, err := s.give(ctx, h, in, suggested)
	s.count(err, &s.stats.Given)
	if err != nil {
		return "", fmt.Errorf("give file %s: %w", h, err)
	}
	return name, nil
}

func (s *Store) give(ctx context.Context, h Hash, in, suggested string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	src, _, err := s.open(h)
	if err != nil {
		return "", err
	}
	defer src.Close()
	s.mu.Lock()
	_, err = s.touch(h)
	s.mu.Unlock()
	if err != nil {
		return "", err
	}
	dst, err := spooldir.Create(in, suggested)
	if err != nil {
		return "", fromDisk(err)
	}
	err = copyOut(ctx, dst, src)
	if closed := dst.Close(); err == nil {
		err = closed
	}
	if err != nil {
		s.Forget(in, dst.Name())
		return "", fromDisk(err)
	}
	return dst.Name(), nil
}

// Forget removes a file of a spool directory, "out/" or "in/"; one that is not
// there is no error. What can't be removed is logged, and left to spooldir.Clean
// at the plug's next start.
func (s *Store) Forget(dir, name string) {
	if err := spooldir.Remove(dir, name); err != nil {
		s.log.Warn("a file of a spool is left behind", "dir", dir, "name", name, "error", err)
	}
}

// copyOut shares the blocks where the file system can, each side's own from its
// first write on; else the kernel copies.
func copyOut(ctx context.Context, dst, src *os.File) error {
	if unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())) == nil {
		return nil
	}
	return copyChunks(ctx, dst, src)
}

func copyChunks(ctx context.Context, dst io.Writer, src io.Reader) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch _, err := io.CopyN(dst, src, giveChunk); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
