package files

import (
	"container/heap"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	// fresh is for how long a blob does not give way after its last use: the event
	// that names it may not be in the journal yet, nor its operation waiting.
	fresh = time.Minute
	// candidates is how many blobs are chosen from one walk over the store, to be
	// removed for room.
	candidates = 1 << 16
)

// Retain removes what was last used before now minus Keep, and then, if the store
// holds more than MaxBytes, what was not used for the longest; never what is in
// use, and for want of room nothing that was used within the last minute. The
// host calls it every few minutes. A blob that comes into use between InUse's
// answer and its removal may be lost; whoever is given it then is told that it is
// gone.
func (s *Store) Retain(ctx context.Context, now time.Time) error {
	if err := s.lockRemoval(ctx); err != nil {
		return err
	}
	defer s.unlockRemoval()
	if s.o.Keep > 0 {
		inUse, err := s.inUse(ctx)
		if err != nil {
			return err
		}
		before := now.Add(-s.o.Keep)
		var faults []error
		err = s.walk(ctx, func(k kept) error {
			if k.used.Before(before) && !inUse(k.hash) {
				_, err := s.remove(k, &s.stats.Expired)
				faults = appendFault(faults, err)
			}
			return nil
		})
		if err := errors.Join(append(faults, err)...); err != nil {
			return fmt.Errorf("expire files: %w", err)
		}
	}
	if s.holds() <= s.o.MaxBytes {
		return nil
	}
	return s.makeRoom(ctx, now, s.o.MaxBytes)
}

// maxFaults bounds what one round says of a disk that fails for every blob.
const maxFaults = 8

func appendFault(faults []error, err error) []error {
	if err == nil || len(faults) == maxFaults {
		return faults
	}
	return append(faults, err)
}

// makeRoom removes what was not used for the longest, until at most target bytes
// are held, or nothing is left that may go. The removal lock is held.
func (s *Store) makeRoom(ctx context.Context, now time.Time, target int64) error {
	inUse, err := s.inUse(ctx)
	if err != nil {
		return err
	}
	before := now.Add(-fresh)
	removed := 0
	for {
		oldest, err := s.oldest(ctx, candidates, func(k kept) bool { return !k.used.After(before) && !inUse(k.hash) })
		if err != nil {
			return fmt.Errorf("make room for files: %w", err)
		}
		progress := false
		for _, k := range oldest {
			if s.holds() <= target {
				break
			}
			ok, err := s.remove(k, &s.stats.Displaced)
			if err != nil {
				return fmt.Errorf("make room for files: %w", err)
			}
			if ok {
				progress = true
				removed++
			}
		}
		if !progress || len(oldest) < candidates || s.holds() <= target {
			break
		}
	}
	if removed > 0 {
		s.log.Warn("files gave way to newer ones before their time", "files", removed, "bytes", s.holds(), "bound", s.o.MaxBytes)
	}
	return nil
}

func (s *Store) holds() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.Bytes + s.reserved
}

func (s *Store) inUse(ctx context.Context) (func(Hash) bool, error) {
	if s.o.InUse == nil {
		return func(Hash) bool { return false }, nil
	}
	inUse, err := s.o.InUse(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the files in use: %w", err)
	}
	return inUse, nil
}

// remove removes a blob, unless it was used since it was looked at.
func (s *Store) remove(k kept, counter *uint64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Lstat(s.path(k.hash))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.ModTime().Equal(k.used) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := os.Remove(s.path(k.hash)); err != nil {
		return false, err
	}
	s.stats.Blobs--
	s.stats.Bytes -= cost(k.size)
	*counter++
	return true, nil
}

func (s *Store) lockRemoval(ctx context.Context) error {
	select {
	case s.removing <- struct{}{}:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) unlockRemoval() { <-s.removing }

// kept is a blob as a walk finds it.
type kept struct {
	hash Hash
	used time.Time
	size int64
}

// walk shows every blob to a function, in no order, until it returns an error.
func (s *Store) walk(ctx context.Context, visit func(kept) error) error {
	for i := range 256 {
		if err := s.walkShard(ctx, byte(i), visit); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) walkShard(ctx context.Context, first byte, visit func(kept) error) error {
	dir, err := os.Open(s.shard(first))
	if errors.Is(err, fs.ErrNotExist) {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, err := dir.ReadDir(1024)
		for _, e := range entries {
			k := kept{hash: Hash{first}}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if n, err := hex.Decode(k.hash[1:], nameBytes(e.Name())); err != nil || n != len(k.hash)-1 || !info.Mode().IsRegular() {
				s.log.Warn("this is no file of the store; remove it", "dir", dir.Name(), "name", e.Name())
				continue
			}
			k.used, k.size = info.ModTime(), info.Size()
			if err := visit(k); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// nameBytes gives a name to decode, or what can't be decoded where it is not as
// long as a blob's.
func nameBytes(name string) []byte {
	if len(name) != 2*(len(Hash{})-1) {
		return []byte("?")
	}
	return []byte(name)
}

// oldest gives those n blobs that may go and were not used for the longest,
// oldest first.
func (s *Store) oldest(ctx context.Context, n int, may func(kept) bool) ([]kept, error) {
	var h newestFirst
	err := s.walk(ctx, func(k kept) error {
		if !may(k) || len(h) == n && !k.used.Before(h[0].used) {
			return nil
		}
		if len(h) == n {
			heap.Pop(&h)
		}
		heap.Push(&h, k)
		return nil
	})
	if err != nil {
		return nil, err
	}
	sorted := make([]kept, len(h))
	for i := len(h) - 1; i >= 0; i-- {
		sorted[i] = heap.Pop(&h).(kept)
	}
	return sorted, nil
}

// newestFirst is a heap whose first is the blob used last.
type newestFirst []kept

func (h newestFirst) Len() int           { return len(h) }
func (h newestFirst) Less(i, j int) bool { return h[i].used.After(h[j].used) }
func (h newestFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *newestFirst) Push(k any)        { *h = append(*h, k.(kept)) }
func (h *newestFirst) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
