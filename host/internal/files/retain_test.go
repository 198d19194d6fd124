package files_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plughost/plughost/host/internal/files"
)

// small is a store of 16 blocks for files of up to 4.
func small(t *testing.T) files.Options {
	return files.Options{Dir: filepath.Join(t.TempDir(), "files"), MaxFileBytes: 4 * 4096, MaxBytes: 16 * 4096, Keep: time.Hour}
}

// using is an InUse that names some blobs.
func using(hashes ...files.Hash) func(context.Context) (func(files.Hash) bool, error) {
	return func(context.Context) (func(files.Hash) bool, error) {
		return func(h files.Hash) bool {
			for _, u := range hashes {
				if u == h {
					return true
				}
			}
			return false
		}, nil
	}
}

func retain(t *testing.T, s *files.Store) {
	t.Helper()
	check(t, s.Retain(t.Context(), time.Now()))
}

func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := small(t)
		var waiting files.Hash
		o.InUse = func(ctx context.Context) (func(files.Hash) bool, error) { return using(waiting)(ctx) }
		s := open(t, o)
		old, given, again, waits := take(t, s, random(1, 1)), take(t, s, random(2, 1)), take(t, s, random(3, 1)), take(t, s, random(4, 1))
		waiting = waits.Hash
		time.Sleep(40 * time.Minute)
		_, err := s.Give(t.Context(), given.Hash, t.TempDir(), "x")
		check(t, err)
		take(t, s, random(3, 1))
		read(t, s, old.Hash) // is no use
		retain(t, s)
		if got := s.Stats(); got.Blobs != 4 {
			t.Errorf("before the hour: %+v", got)
		}
		time.Sleep(20*time.Minute + 1)
		retain(t, s)
		if s.Has(old.Hash) || !s.Has(given.Hash) || !s.Has(again.Hash) || !s.Has(waits.Hash) {
			t.Errorf("after an hour: old %v, given %v, taken again %v, in use %v", s.Has(old.Hash), s.Has(given.Hash), s.Has(again.Hash), s.Has(waits.Hash))
		}
		waiting = files.Hash{}
		retain(t, s)
		time.Sleep(40 * time.Minute)
		retain(t, s)
		if got := s.Stats(); got.Blobs != 0 || got.Bytes != 0 || got.Expired != 4 || got.Displaced != 0 {
			t.Errorf("in the end: %+v", got)
		}
		checkWhole(t, s, o.Dir)
	})
}

func TestNoAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := small(t)
		o.Keep = 0
		s := open(t, o)
		b := take(t, s, random(1, 1))
		time.Sleep(10_000 * time.Hour)
		retain(t, s)
		if !s.Has(b.Hash) {
			t.Error("expired without an age")
		}
	})
}

// What is not used for the longest gives way to a new file; nothing does that is
// in use, or came within the last minute; and if nothing can, the store is full.
func TestGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := small(t)
		var waiting []files.Hash
		asked := 0
		o.InUse = func(ctx context.Context) (func(files.Hash) bool, error) { asked++; return using(waiting...)(ctx) }
		s := open(t, o)
		var blobs []files.Blob
		for i := range 4 {
			blobs = append(blobs, take(t, s, random(uint64(i), 4*4096)))
			time.Sleep(time.Second)
		}
		if asked != 0 {
			t.Error("looked for what is in use before the store was full")
		}
		out := t.TempDir()
		write(t, out, "new", random(9, 4*4096))
		refused := func(why string) {
			t.Helper()
			if _, err := s.Take(t.Context(), out, "new"); !errors.Is(err, files.ErrFull) {
				t.Errorf("%s: %v", why, err)
			}
		}
		refused("all are of the last minute")
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		refused("and again")
		if asked != 1 {
			t.Error("looked again at once for what could give way")
		}

		time.Sleep(time.Hour / 2)
		for _, b := range blobs {
			waiting = append(waiting, b.Hash)
		}
		refused("all are in use")
		waiting = []files.Hash{blobs[0].Hash}
		time.Sleep(time.Minute)
		_, err := s.Give(t.Context(), blobs[1].Hash, t.TempDir(), "x")
		check(t, err)
		b, err := s.Take(t.Context(), out, "new")
		check(t, err)
		// A sixteenth more than 4 blocks has to go: 2 blobs.
		for i, want := range []bool{true, true, false, false} {
			if s.Has(blobs[i].Hash) != want {
				t.Errorf("blob %d is there: %v", i, !want)
			}
		}
		if got := s.Stats(); !s.Has(b.Hash) || got.Displaced != 2 || got.Expired != 0 || got.Bytes != 12*4096 {
			t.Errorf("stats %+v", got)
		}
		checkWhole(t, s, o.Dir)
	})
}

// What is used after it was found to be old stays.
func TestUsedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := small(t)
		o.MaxBytes = 4 * 4096
		var s *files.Store
		use := func(h files.Hash) bool {
			time.Sleep(time.Second)
			if _, err := s.Give(t.Context(), h, t.TempDir(), "x"); err != nil {
				t.Error(err)
			}
			return false
		}
		o.InUse = func(context.Context) (func(files.Hash) bool, error) { return use, nil }
		s = open(t, o)
		b := take(t, s, random(1, 1))
		time.Sleep(2 * time.Hour)
		retain(t, s)
		if !s.Has(b.Hash) {
			t.Error("expired")
		}
		time.Sleep(2 * time.Minute)
		out := t.TempDir()
		write(t, out, "new", random(2, 4*4096))
		if _, err := s.Take(t.Context(), out, "new"); !errors.Is(err, files.ErrFull) || !s.Has(b.Hash) {
			t.Errorf("gave way: %v", err)
		}
	})
}

func TestWithoutKnowingWhatIsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := small(t)
		fault := errors.New("journal not readable")
		o.InUse = func(context.Context) (func(files.Hash) bool, error) { return nil, fault }
		s := open(t, o)
		for i := range 4 {
			take(t, s, random(uint64(i), 4*4096))
		}
		time.Sleep(2 * time.Hour)
		if err := s.Retain(t.Context(), time.Now()); !errors.Is(err, fault) {
			t.Errorf("retain: %v", err)
		}
		out := t.TempDir()
		write(t, out, "new", []byte("x"))
		if _, err := s.Take(t.Context(), out, "new"); !errors.Is(err, fault) {
			t.Errorf("take: %v", err)
		}
		if got := s.Stats(); got.Blobs != 4 {
			t.Errorf("something was removed: %+v", got)
		}
	})
}

// A store that is opened with less room than it has filled comes down to it.
func TestSmallerBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := small(t)
		s := open(t, o)
		for i := range 4 {
			take(t, s, random(uint64(i), 4*4096))
			time.Sleep(time.Second)
		}
		o.MaxBytes = 8 * 4096
		s = open(t, o)
		time.Sleep(time.Minute)
		retain(t, s)
		if got := s.Stats(); got.Blobs != 2 || s.Has(files.Hash{}) {
			t.Errorf("stats %+v", got)
		}
		checkWhole(t, s, o.Dir)
	})
}

func TestRetainEndsWithItsContext(t *testing.T) {
	s := open(t, small(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Retain(ctx, time.Now()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What is no blob is neither counted nor removed.
func TestStranger(t *testing.T) {
	o := small(t)
	take(t, open(t, o), []byte("x"))
	check(t, os.MkdirAll(filepath.Join(o.Dir, "00"), 0o700))
	path := write(t, filepath.Join(o.Dir, "00"), "README", []byte("hello"))
	s := open(t, o)
	if got := s.Stats(); got.Blobs != 1 {
		t.Errorf("%+v", got)
	}
	check(t, s.Retain(t.Context(), time.Now().Add(1000*time.Hour)))
	if _, err := os.Stat(path); err != nil || s.Stats().Blobs != 0 {
		t.Errorf("%v, %+v", err, s.Stats())
	}
}

// The same content taken many times at once is stored once, and given and removed
// meanwhile without harm.
func TestAtOnce(t *testing.T) {
	o := plenty(t.TempDir())
	o.Keep = time.Nanosecond
	s := open(t, o)
	out, in := t.TempDir(), t.TempDir()
	contents := [][]byte{random(1, 100_000), random(2, 300_000), {}}
	names := []string{"a", "b", "c"}
	for i, content := range contents {
		write(t, out, names[i], content)
	}
	var working sync.WaitGroup
	for w := range 8 {
		working.Go(func() {
			for i := range 30 {
				b, err := s.Take(t.Context(), out, names[(w+i)%3])
				if err != nil || b.Size != int64(len(contents[(w+i)%3])) {
					t.Errorf("take: %v, %v", b, err)
				}
				switch name, err := s.Give(t.Context(), b.Hash, in, "x"); {
				case err == nil:
					s.Forget(in, name)
				case !errors.Is(err, files.ErrGone):
					t.Errorf("give: %v", err)
				}
				if w == 0 {
					if err := s.Retain(t.Context(), time.Now()); err != nil {
						t.Errorf("retain: %v", err)
					}
				}
			}
		})
	}
	working.Wait()
	checkWhole(t, s, o.Dir)
	for i := range names {
		if _, err := s.Take(t.Context(), out, names[i]); err != nil {
			t.Error(err)
		}
	}
	checkWhole(t, s, o.Dir)
	if got := s.Stats(); got.Blobs != 3 || got.Taken != 243 || got.Known != got.Taken-got.Expired-3 {
		t.Errorf("stats %+v", got)
	}
}
