package files

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	_ "image/gif"  // so that the
	_ "image/jpeg" // size of an
	_ "image/png"  // image is found
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"sync"
	"time"

	_ "golang.org/x/image/webp" // likewise
)

// Kept is how long a file stays that no message names.
const Kept = time.Hour

// Why a file is not taken, in words for the person who has it.
var (
	ErrTooLarge = errors.New("the file is too large")
	ErrFull     = errors.New("there is no more space for files in this chat")
	ErrEmpty    = errors.New("the file is empty")
)

// ErrNone says that there is no such file.
var ErrNone = errors.New("there is no such file")

// shown are the types that a browser may show within the page.
var shown = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

// Info is what a file is.
type Info struct {
	Hash string // SHA-256 in hexadecimal
	Size int64  // bytes
	Type string // media type
	// Shown says that a browser may show it. Width and Height are then its size in
	// pixels, 0 if they could not be found out.
	Shown         bool
	Width, Height int
}

// Options of a store.
type Options struct {
	Dir string
	// Each is the largest file, All is what all may have together, in bytes.
	Each, All int64
}

// Store is a directory of files. Safe for concurrent use; only one Store may have
// the directory.
type Store struct {
	Options
	root *os.Root // keeps every name within the directory

	mu   sync.Mutex
	used int64 // bytes of all files and of the uploads that run
}

// Open opens the directory, or makes it where the one above it is there.
func Open(o Options) (*Store, error) {
	if err := os.Mkdir(o.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("open the chat's files: %w", err)
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the chat's files: %w", err)
	}
	s := &Store{Options: o, root: root}
	err = s.walk(func(name string, info fs.FileInfo) error {
		if !isHash(name) {
			return root.Remove(name) // of an upload that was cut off
		}
		s.used += info.Size()
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the chat's files: %w", err), root.Close())
	}
	return s, nil
}

// Close closes the directory.
func (s *Store) Close() error { return s.root.Close() }

// Put copies a file into the store. A reader's error is in Put's.
func (s *Store) Put(r io.Reader) (Info, error) {
	if s.full() {
		return Info{}, ErrFull
	}
	temporary := "upload-" + rand.Text()
	f, err := s.root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return Info{}, fmt.Errorf("store a file: %w", err)
	}
	size, hash, err := s.copy(f, r)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = s.keep(temporary, hash, size)
	}
	if err != nil {
		s.take(-size)
		return Info{}, errors.Join(fmt.Errorf("store a file: %w", err), ignoreNone(s.root.Remove(temporary)))
	}
	return s.Info(hash)
}

// copy copies what it hashes; the size is what was counted as used.
func (s *Store) copy(f *os.File, r io.Reader) (size int64, hash string, err error) {
	sum := sha256.New()
	buffer := make([]byte, 64<<10)
	for {
		n, err := r.Read(buffer)
		size += int64(n)
		s.take(int64(n))
		switch {
		case size > s.Each:
			return size, "", ErrTooLarge
		case s.full():
			return size, "", ErrFull
		}
		sum.Write(buffer[:n]) // never fails
		if _, err := f.Write(buffer[:n]); err != nil {
			return size, "", err
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return size, "", err
		}
	}
	if size == 0 {
		return 0, "", ErrEmpty
	}
	return size, hex.EncodeToString(sum.Sum(nil)), f.Sync()
}

// keep gives an upload its name. One that is there already stays, and counts as new.
func (s *Store) keep(temporary, hash string, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.touch(hash) == nil {
		err := s.root.Remove(temporary)
		if err == nil {
			s.used -= size
		}
		return err
	}
	if err := s.root.Rename(temporary, hash); err != nil {
		return err
	}
	dir, err := s.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close()) // the name is on the disk too
}

// Info says what a file is, or ErrNone. It counts as asked for.
func (s *Store) Info(hash string) (Info, error) {
	f, info, err := s.Open(hash)
	if err != nil {
		return Info{}, err
	}
	return info, f.Close()
}

// Open opens a file for reading, or gives ErrNone.
func (s *Store) Open(hash string) (*os.File, Info, error) {
	if !isHash(hash) {
		return nil, Info{}, ErrNone
	}
	s.mu.Lock()
	err := s.touch(hash)
	s.mu.Unlock()
	var f *os.File
	if err == nil {
		f, err = s.root.Open(hash)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Info{}, ErrNone
	}
	if err != nil {
		return nil, Info{}, fmt.Errorf("open a file: %w", err)
	}
	info, err := inspect(f, hash)
	if err != nil {
		return nil, Info{}, errors.Join(fmt.Errorf("open a file: %w", err), f.Close())
	}
	return f, info, nil
}

// inspect finds out what a file is, and leaves it at its beginning.
func inspect(f *os.File, hash string) (Info, error) {
	stat, err := f.Stat()
	if err != nil {
		return Info{}, err
	}
	begin := make([]byte, 512) // as much as DetectContentType looks at
	n, err := io.ReadFull(f, begin)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return Info{}, err
	}
	info := Info{Hash: hash, Size: stat.Size(), Type: http.DetectContentType(begin[:n])}
	if info.Shown = Shown(info.Type); info.Shown {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return Info{}, err
		}
		// Only the head is read, and a bound holds where it has no end.
		if c, _, err := image.DecodeConfig(io.LimitReader(f, 1<<20)); err == nil {
			info.Width, info.Height = c.Width, c.Height
		}
	}
	_, err = f.Seek(0, io.SeekStart)
	return info, err
}

// Has says whether a file is there.
func (s *Store) Has(hash string) bool {
	if !isHash(hash) {
		return false
	}
	_, err := s.root.Stat(hash)
	return err == nil
}

// Remove removes a file, if it is there.
func (s *Store) Remove(hash string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(hash)
}

func (s *Store) remove(hash string) {
	if !isHash(hash) {
		return
	}
	if info, err := s.root.Stat(hash); err == nil && s.root.Remove(hash) == nil {
		s.used -= info.Size()
	}
}

// Sweep removes the files that nobody has asked for within Kept, and that used says
// are not in use.
func (s *Store) Sweep(ctx context.Context, used func(ctx context.Context, hash string) (bool, error)) error {
	old := time.Now().Add(-Kept)
	return s.walk(func(name string, info fs.FileInfo) error {
		if !isHash(name) || info.ModTime().After(old) {
			return nil
		}
		if in, err := used(ctx, name); in || err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if info, err := s.root.Stat(name); err == nil && info.ModTime().Before(old) {
			s.remove(name)
		}
		return nil
	})
}

// walk calls do for every file; one that goes meanwhile is left out.
func (s *Store) walk(do func(name string, info fs.FileInfo) error) error {
	dir, err := s.root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(256)
		for _, e := range entries {
			info, err := e.Info()
			if err == nil && info.Mode().IsRegular() {
				err = do(e.Name(), info)
			}
			if ignoreNone(err) != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// touch notes that a file was asked for.
func (s *Store) touch(hash string) error {
	now := time.Now()
	return s.root.Chtimes(hash, now, now)
}

func (s *Store) take(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used += n
}

func (s *Store) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used > s.All
}

var hashes = regexp.MustCompile(`^[0-9a-f]{64}$`)

func isHash(name string) bool { return hashes.MatchString(name) }

func ignoreNone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Shown says whether a browser may show files of a type within the page.
func Shown(mediaType string) bool { return slices.Contains(shown, mediaType) }
