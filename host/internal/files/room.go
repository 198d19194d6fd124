package files

import (
	"context"
	"time"
)

// retryFull is for how long a store in which nothing could give way refuses files
// before it looks again: to ask what is in use may be dear.
const retryFull = 10 * time.Second

// room is what a running Take has set aside.
type room struct {
	store *Store
	bytes int64
}

// reserve sets room aside until there are n bytes of it; blobs give way to it.
func (r *room) reserve(ctx context.Context, n int64) error {
	if n <= r.bytes {
		return nil
	}
	s := r.store
	if ok, tried := r.fits(n); ok {
		return nil
	} else if tried {
		return ErrFull
	}
	if err := s.lockRemoval(ctx); err != nil {
		return err
	}
	defer s.unlockRemoval()
	// Whoever held the lock may have made room, or found that there is none.
	if ok, tried := r.fits(n); ok {
		return nil
	} else if tried {
		return ErrFull
	}
	// A sixteenth more than is needed, else every Take would come here.
	if err := s.makeRoom(ctx, time.Now(), s.o.MaxBytes-s.o.MaxBytes/16-(n-r.bytes)); err != nil {
		return err
	}
	if ok, _ := r.fits(n); ok {
		return nil
	}
	s.mu.Lock()
	s.fullUntil = time.Now().Add(retryFull)
	s.mu.Unlock()
	return ErrFull
}

// fits reserves if there is room. tried says that to look for blobs that give way
// is no use yet.
func (r *room) fits(n int64) (ok, tried bool) {
	s := r.store
	s.mu.Lock()
	defer s.mu.Unlock()
	more := n - r.bytes
	if s.stats.Bytes+s.reserved+more > s.o.MaxBytes {
		return false, time.Now().Before(s.fullUntil)
	}
	s.reserved += more
	r.bytes = n
	return true, false
}

func (r *room) release() {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.store.reserved -= r.bytes
	r.bytes = 0
}
