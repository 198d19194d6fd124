package files_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/plughost/plughost/host/internal/files"
)

// What comes as a stream is held as a file of a plug is, in pieces of any size.
func TestAdd(t *testing.T) {
	o := plenty(t.TempDir())
	s := open(t, o)
	for i, size := range []int{0, 1, 4096, 3<<20 + 7} {
		content := random(uint64(i), size)
		for name, src := range map[string]io.Reader{"at once": bytes.NewReader(content), "in halves": iotest.HalfReader(bytes.NewReader(content)), "with its end": iotest.DataErrReader(bytes.NewReader(content))} {
			b, err := s.Add(t.Context(), src)
			check(t, err)
			if want := (files.Blob{Hash: sha256.Sum256(content), Size: int64(size)}); b != want {
				t.Errorf("%d bytes %s: added %v", size, name, b)
			}
			if !bytes.Equal(read(t, s, b.Hash), content) {
				t.Errorf("%d bytes %s: it holds something else", size, name)
			}
		}
	}
	checkWhole(t, s, o.Dir)
	if got := s.Stats(); got.Taken != 12 || got.Known != 8 {
		t.Errorf("counted %+v", got)
	}
}

// What can't be added leaves nothing, and keeps no room.
func TestAddRefuses(t *testing.T) {
	o := plenty(t.TempDir())
	o.MaxFileBytes, o.MaxBytes = 2<<20, 3<<20
	s := open(t, o)
	cut := errors.New("the line was cut")
	for range 5 { // as much as would not fit, did it keep room
		if _, err := s.Add(t.Context(), io.MultiReader(bytes.NewReader(random(1, 1<<20)), iotest.ErrReader(cut))); !errors.Is(err, cut) {
			t.Errorf("cut: %v", err)
		}
		if _, err := s.Add(t.Context(), bytes.NewReader(make([]byte, 2<<20+1))); !errors.Is(err, files.ErrTooLarge) {
			t.Errorf("too large: %v", err)
		}
	}
	endless := &counting{r: zeros{}}
	if _, err := s.Add(t.Context(), endless); !errors.Is(err, files.ErrTooLarge) || endless.n > 3<<20 {
		t.Errorf("endless: %v after %d bytes", err, endless.n)
	}
	if _, err := s.Add(t.Context(), bytes.NewReader(random(2, 2<<20))); err != nil {
		t.Fatal(err)
	}
	// The first one is fresh, and does not give way. It is told before there is more on
	// the disk than there may be.
	much := &counting{r: bytes.NewReader(random(3, 2<<20))}
	if _, err := s.Add(t.Context(), much); !errors.Is(err, files.ErrFull) || much.n > 3<<19 {
		t.Errorf("full: %v after %d bytes", err, much.n)
	}
	checkWhole(t, s, o.Dir)
	if left := tree(t, filepath.Join(o.Dir, "tmp")); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
}

// A large stream passes without a trace in memory.
func TestAddLarge(t *testing.T) {
	const size = 256 << 20
	s := open(t, plenty(t.TempDir()))
	before := memory(t)
	b, err := s.Add(t.Context(), io.LimitReader(zeros{}, size))
	check(t, err)
	after := memory(t)
	if b.Size != size {
		t.Errorf("added %d bytes", b.Size)
	}
	if grown := after.allocated - before.allocated; grown > 4<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
	if grown := after.peak - before.resident; grown > 16<<20 {
		t.Errorf("the process grew by %d bytes", grown)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
