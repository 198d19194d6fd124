package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Hash is the SHA-256 of a blob's bytes, which is its name.
type Hash [sha256.Size]byte

// ParseHash makes a Hash of the bytes of a SpoolFile's sha256.
func ParseHash(sum []byte) (Hash, error) {
	if len(sum) != sha256.Size {
		return Hash{}, fmt.Errorf("hash has %d bytes, not %d", len(sum), sha256.Size)
	}
	return Hash(sum), nil
}

// String gives the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Blob is a file that the store holds.
type Blob struct {
	// Hash is what its bytes hash to.
	Hash Hash
	// Size is in bytes.
	Size int64
}

// Options say where a store is and how much it holds.
type Options struct {
	// Dir is the store's own directory. It is made, for the host alone (0700).
	// Only one Store may have it: the lock of the data directory sees to that.
	Dir string
	// MaxFileBytes is the size of the largest file that is taken. Required.
	MaxFileBytes int64
	// MaxBytes is the most that the store takes on disk, each blob counted in
	// blocks of 4 KiB, so that it also bounds their number. Required, and enough
	// for one file of MaxFileBytes.
	MaxBytes int64
	// Keep is for how long a blob stays after it was last taken or given; zero
	// sets no age.
	Keep time.Duration
	// InUse names what must stay: the blobs of operations that wait, are uncertain
	// or are parked. Optional. It is called once before blobs are removed, by
	// Retain and by a Take that finds the store full, and what it returns is asked
	// for each; not while the store's lock is held. With an error nothing is
	// removed.
	InUse func(ctx context.Context) (func(Hash) bool, error)
	// Logger gets what is removed for want of room and what can't be removed.
	// Optional.
	Logger hclog.Logger
}

// Stats say what a store holds and has done since it was opened.
type Stats struct {
	// Blobs is the number of blobs.
	Blobs int64
	// Bytes is what they take, in blocks of 4 KiB; MaxBytes is the bound.
	Bytes, MaxBytes int64
	// Full says that a file was refused within the last 10 s, since nothing could give
	// way to it.
	Full bool
	// Taken and Given count calls that succeeded. Known counts those of Taken
	// whose content was there already; Refused those that failed, but for an ended
	// context.
	Taken, Known, Given, Refused uint64
	// Expired counts blobs removed for their age, Displaced those that gave way
	// to others before it.
	Expired, Displaced uint64
}

// block is what a disk gives a file at least, and rounds its size up to.
const block = 4 << 10

// boundless is what larger bounds are taken for, in bytes: no disk has as much, and
// sums with it don't overflow.
const boundless = 1 << 60

// cost is what a blob takes of MaxBytes.
func cost(size int64) int64 { return max(block, (size+block-1)/block*block) }

// Store is the content-addressed store. Safe for concurrent use.
type Store struct {
	o       Options
	log     hclog.Logger
	buffers sync.Pool
	// removing is held by whoever walks the store to remove blobs.
	removing chan struct{}

	mu        sync.Mutex
	stats     Stats
	reserved  int64     // for files that are being copied
	fullUntil time.Time // till then nothing could give way
	shards    [256]bool // those that are known to be durable
}

// Open opens a store, and makes it if there is none. What a crash left half
// taken is removed.
func Open(o Options) (*Store, error) {
	o.MaxFileBytes, o.MaxBytes = min(o.MaxFileBytes, boundless), min(o.MaxBytes, boundless)
	switch {
	case o.Dir == "":
		return nil, errors.New("open file store: no directory given")
	case o.MaxFileBytes <= 0 || o.Keep < 0:
		return nil, errors.New("open file store: sizes and times must be positive")
	case o.MaxBytes < cost(o.MaxFileBytes):
		return nil, fmt.Errorf("open file store: %d bytes in all don't hold one file of %d; raise the first or lower the second", o.MaxBytes, o.MaxFileBytes)
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	s := &Store{o: o, log: o.Logger, removing: make(chan struct{}, 1)}
	s.buffers.New = func() any { return new([bufferBytes]byte) }
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("open file store: %w", err)
	}
	err := s.walk(context.Background(), func(k kept) error {
		s.stats.Blobs++
		s.stats.Bytes += cost(k.size)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("open file store: %w", err)
	}
	return s, nil
}

// prepare makes the directory, and removes what a crash left in it.
func (s *Store) prepare() error {
	if err := os.MkdirAll(s.o.Dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(s.o.Dir, 0o700); err != nil {
		return err
	}
	if err := os.RemoveAll(s.temporaries()); err != nil {
		return err
	}
	return os.Mkdir(s.temporaries(), 0o700)
}

func (s *Store) temporaries() string { return filepath.Join(s.o.Dir, "tmp") }
func (s *Store) shard(first byte) string {
	return filepath.Join(s.o.Dir, hex.EncodeToString([]byte{first}))
}
func (s *Store) path(h Hash) string { return filepath.Join(s.shard(h[0]), hex.EncodeToString(h[1:])) }

// Has says whether the store holds a blob. It does not count as use.
func (s *Store) Has(h Hash) bool {
	_, err := os.Lstat(s.path(h))
	return err == nil
}

// Content opens a blob for reading, and gives its size in bytes. The caller
// closes it; it can be read to its end even if the blob is removed meanwhile. It
// does not count as use: a link that is asked for again and again still expires.
// The error is ErrGone if the store doesn't hold it.
func (s *Store) Content(h Hash) (io.ReadSeekCloser, int64, error) {
	f, size, err := s.open(h)
	if err != nil {
		return nil, 0, fmt.Errorf("read file %s: %w", h, err)
	}
	return f, size, nil
}

func (s *Store) open(h Hash) (*os.File, int64, error) {
	f, err := os.Open(s.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, ErrGone
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Stats says what the store holds and has done.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.MaxBytes, stats.Full = s.o.MaxBytes, time.Now().Before(s.fullUntil)
	return stats
}

// count counts a call by how it ended.
func (s *Store) count(err error, done *uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		*done++
	case !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
		s.stats.Refused++
	}
}

// touch notes that a blob is used, and says whether it is there. mu is held.
func (s *Store) touch(h Hash) (bool, error) {
	now := time.Now()
	err := os.Chtimes(s.path(h), now, now)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
