package files

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/plughost/plughost/host/internal/files/spooldir"
)

// bufferBytes is how much is copied between two looks at the context.
const bufferBytes = 256 << 10

// Take copies the file of that name in a plug's spool "out/" into the store, and
// says what it hashes to. It comes before the event that names the file is
// journaled; the file itself stays until Forget. When it returns the blob is
// durable, and for a minute at least it stays, so that its event can be
// journaled.
//
// The plug has closed the file before it names it: of one that is still written
// to, what was read is kept, and while it is copied it may exceed MaxBytes by what
// it has grown. The error wraps ErrName, ErrNotRegular, ErrGone,
// ErrTooLarge, ErrFull or the context's error; otherwise it is a fault of the
// disk. After an error nothing is left in the store.
func (s *Store) Take(ctx context.Context, out, name string) (Blob, error) {
	b, err := s.take(ctx, out, name)
	s.count(err, &s.stats.Taken)
	if err != nil {
		return Blob{}, fmt.Errorf("take file %q: %w", name, err)
	}
	return b, nil
}

func (s *Store) take(ctx context.Context, out, name string) (Blob, error) {
	src, size, err := spooldir.Open(out, name)
	if err != nil {
		return Blob{}, err
	}
	defer src.Close()
	if size > s.o.MaxFileBytes {
		return Blob{}, &tooLarge{s.o.MaxFileBytes}
	}
	r := &room{store: s}
	defer r.release()
	if err := r.reserve(ctx, cost(size)); err != nil {
		return Blob{}, err
	}
	return s.hold(ctx, src, r)
}

// Add copies what src gives, up to its end, into the store, as Take does with a file of
// a plug. How much comes is not known before: room is set aside as it does. An error of
// src is wrapped, and leaves nothing; otherwise errors are those of Take.
func (s *Store) Add(ctx context.Context, src io.Reader) (Blob, error) {
	r := &room{store: s}
	defer r.release()
	b, err := s.hold(ctx, &arriving{ctx: ctx, r: src, room: r, most: s.o.MaxFileBytes}, r)
	s.count(err, &s.stats.Taken)
	if err != nil {
		return Blob{}, fmt.Errorf("add file: %w", err)
	}
	return b, nil
}

// addStep is how much room is set aside at once for what arrives, in bytes.
const addStep = 1 << 20

// arriving sets room aside for what is read.
type arriving struct {
	ctx  context.Context
	r    io.Reader
	room *room
	n    int64
	most int64
}

func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	a.n += int64(n)
	if a.n > a.most { // told by copyIn, without room for it
		return n, err
	}
	for cost(a.n) > a.room.bytes {
		if full := a.room.reserve(a.ctx, min(a.room.bytes+addStep, cost(a.most))); full != nil {
			return 0, full
		}
	}
	return n, err
}

// hold copies a file for which there is room, and gives it its name.
func (s *Store) hold(ctx context.Context, src io.Reader, r *room) (Blob, error) {
	tmp, err := os.CreateTemp(s.temporaries(), "take-")
	if err != nil {
		return Blob{}, fromDisk(err)
	}
	defer os.Remove(tmp.Name()) // fails if it has got its name
	defer tmp.Close()
	b, err := s.copyIn(ctx, tmp, src)
	if err != nil {
		return Blob{}, err
	}
	if err := r.reserve(ctx, cost(b.Size)); err != nil {
		return Blob{}, err
	}
	if err := s.keep(tmp, b, r); err != nil {
		return Blob{}, fromDisk(err)
	}
	return b, nil
}

// copyIn copies while it hashes.
func (s *Store) copyIn(ctx context.Context, dst io.Writer, src io.Reader) (Blob, error) {
	buffer := s.buffers.Get().(*[bufferBytes]byte)
	defer s.buffers.Put(buffer)
	sum := sha256.New()
	// One byte more than is allowed tells a file that has grown. Both ends are
	// bare readers and writers, so that the buffer is used.
	limited := io.LimitReader(&bounded{ctx, src}, s.o.MaxFileBytes+1)
	n, err := io.CopyBuffer(io.MultiWriter(dst, sum), limited, buffer[:])
	switch {
	case err != nil:
		return Blob{}, fromDisk(err)
	case n > s.o.MaxFileBytes:
		return Blob{}, &tooLarge{s.o.MaxFileBytes}
	}
	return Blob{Hash: Hash(sum.Sum(nil)), Size: n}, nil
}

// bounded ends a copy with its context.
type bounded struct {
	ctx context.Context
	r   io.Reader
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

// keep gives a temporary file its name, unless its content is there already.
// Either way it is durable when keep returns.
func (s *Store) keep(tmp *os.File, b Blob, r *room) error {
	s.mu.Lock()
	known, err := s.known(b.Hash)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if !known {
		if err := tmp.Chmod(0o400); err != nil {
			return err
		}
		if err := tmp.Sync(); err != nil {
			return err
		}
		if err := s.makeShard(b.Hash[0]); err != nil {
			return err
		}
		if err := s.name(tmp.Name(), b, r); err != nil {
			return err
		}
	}
	// Also where another Take has named it: that one may not have come to this.
	return syncDir(s.shard(b.Hash[0]))
}

// makeShard makes a directory for blobs and sees to it that it lasts.
func (s *Store) makeShard(first byte) error {
	s.mu.Lock()
	made := s.shards[first]
	s.mu.Unlock()
	if made {
		return nil
	}
	if err := os.Mkdir(s.shard(first), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncDir(s.o.Dir); err != nil {
		return err
	}
	s.mu.Lock()
	s.shards[first] = true
	s.mu.Unlock()
	return nil
}

// name is where, of two Takes of the same content, one finds that of the other.
func (s *Store) name(tmp string, b Blob, r *room) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, err := s.known(b.Hash); known || err != nil {
		return err
	}
	now := time.Now()
	if err := os.Chtimes(tmp, now, now); err != nil {
		return err
	}
	if err := os.Rename(tmp, s.path(b.Hash)); err != nil {
		return err
	}
	s.stats.Blobs++
	s.stats.Bytes += cost(b.Size)
	s.reserved, r.bytes = s.reserved-r.bytes, 0
	return nil
}

// known says whether content that was taken is there already. mu is held.
func (s *Store) known(h Hash) (bool, error) {
	known, err := s.touch(h)
	if known {
		s.stats.Known++
	}
	return known, err
}
