package files_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/plughost/plughost/host/internal/files"
)

// killedDir, in the environment, makes the test binary the process to be killed.
const killedDir = "FILES_TEST_KILLED_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedDir); dir != "" {
		takeUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

// tester is a test, or one of rapid's.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

func check(tb tester, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// plenty are options in which nothing is short.
func plenty(dir string) files.Options {
	return files.Options{Dir: filepath.Join(dir, "files"), MaxFileBytes: 4 << 30, MaxBytes: 16 << 30}
}

func open(tb testing.TB, o files.Options) *files.Store {
	tb.Helper()
	s, err := files.Open(o)
	check(tb, err)
	return s
}

func write(tb testing.TB, dir, name string, content []byte) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	check(tb, os.WriteFile(path, content, 0o600))
	return path
}

// random are bytes that no other seed has.
func random(seed uint64, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})).Read(b)
	return b
}

// take has the store take some content.
func take(tb testing.TB, s *files.Store, content []byte) files.Blob {
	tb.Helper()
	out := tb.TempDir()
	write(tb, out, "x", content)
	b, err := s.Take(tb.Context(), out, "x")
	check(tb, err)
	return b
}

func read(tb testing.TB, s *files.Store, h files.Hash) []byte {
	tb.Helper()
	r, size, err := s.Content(h)
	check(tb, err)
	defer r.Close()
	content, err := io.ReadAll(r)
	check(tb, err)
	if int64(len(content)) != size {
		tb.Errorf("%d bytes, said to be %d", len(content), size)
	}
	return content
}

// tree gives the regular files below a directory.
func tree(tb tester, dir string) []string {
	tb.Helper()
	var paths []string
	check(tb, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	}))
	return paths
}

// checkWhole checks that every file of a store is a blob that hashes to its name,
// and that the store knows how many there are.
func checkWhole(tb tester, s *files.Store, dir string) {
	tb.Helper()
	var blobs, bytes int64
	for _, path := range tree(tb, dir) {
		rel, err := filepath.Rel(dir, path)
		check(tb, err)
		content, err := os.ReadFile(path)
		check(tb, err)
		sum := files.Hash(sha256.Sum256(content))
		if name := strings.Replace(rel, "/", "", 1); name != sum.String() || rel[2] != '/' {
			tb.Errorf("%s hashes to %s", rel, sum)
		}
		info, err := os.Lstat(path)
		check(tb, err)
		if info.Mode() != 0o400 {
			tb.Errorf("%s has mode %v", rel, info.Mode())
		}
		blobs++
		bytes += max(1, (info.Size()+4095)/4096) * 4096
	}
	if got := s.Stats(); got.Blobs != blobs || got.Bytes != bytes {
		tb.Errorf("counted %d blobs of %d bytes, there are %d of %d", got.Blobs, got.Bytes, blobs, bytes)
	}
}

func TestTakeAndGive(t *testing.T) {
	o := plenty(t.TempDir())
	s := open(t, o)
	for _, size := range []int{0, 1, 4096, 256 << 10, 256<<10 + 1, 3 << 20} {
		content := random(uint64(size), size)
		b := take(t, s, content)
		if want := (files.Blob{Hash: sha256.Sum256(content), Size: int64(size)}); b != want {
			t.Fatalf("took %v, want %v", b, want)
		}
		if !s.Has(b.Hash) || !bytes.Equal(read(t, s, b.Hash), content) {
			t.Errorf("%d bytes: not what was taken", size)
		}
		in := t.TempDir()
		name, err := s.Give(t.Context(), b.Hash, in, "cat.png")
		check(t, err)
		given := filepath.Join(in, name)
		if got, err := os.ReadFile(given); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes: not what was given: %v", size, err)
		}
		// It is the plug's own: what it does to it changes nothing here.
		info, err := os.Stat(given)
		check(t, err)
		if info.Mode() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
		check(t, os.WriteFile(given, []byte("changed"), 0o600))
		if !bytes.Equal(read(t, s, b.Hash), content) {
			t.Fatal("a plug has changed what the store holds")
		}
		s.Forget(in, name)
		if left := tree(t, in); len(left) > 0 {
			t.Errorf("left are %q", left)
		}
	}
	checkWhole(t, s, o.Dir)
	if got := s.Stats(); got.Taken != 6 || got.Given != 6 || got.Known != 0 || got.Refused != 0 || got.MaxBytes != o.MaxBytes {
		t.Errorf("stats %+v", got)
	}
	info, err := os.Stat(o.Dir)
	check(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("others may see the store: %v", info.Mode())
	}
	// It is all there the next time.
	checkWhole(t, open(t, o), o.Dir)
}

func TestRefusals(t *testing.T) {
	o := plenty(t.TempDir())
	o.MaxFileBytes = 1000
	s := open(t, o)
	out := t.TempDir()
	secret := write(t, t.TempDir(), "secret", []byte("secret"))
	write(t, out, "large", make([]byte, 1001))
	check(t, os.Truncate(write(t, out, "huge", nil), 1<<40)) // more than the store has room for
	check(t, os.Symlink(secret, filepath.Join(out, "link")))
	check(t, os.Mkdir(filepath.Join(out, "folder"), 0o700))
	for name, want := range map[string]struct {
		err   error
		words string
	}{
		"large":  {files.ErrTooLarge, "it is larger than 1000 B"},
		"huge":   {files.ErrTooLarge, "it is larger than 1000 B"},
		"link":   {files.ErrNotRegular, "the plug did not hand over a plain file"},
		"folder": {files.ErrNotRegular, "the plug did not hand over a plain file"},
		"../x":   {files.ErrName, "the plug did not hand over a plain file"},
		"none":   {files.ErrGone, "it is no longer there"},
	} {
		_, err := s.Take(t.Context(), out, name)
		if !errors.Is(err, want.err) || files.Words(err) != want.words {
			t.Errorf("take %q: %v (%q), want %v", name, err, files.Words(err), want.err)
		}
	}
	if _, err := s.Take(t.Context(), filepath.Join(out, "no spool"), "x"); err == nil || files.Words(err) != "it could not be read or stored" {
		t.Errorf("take without a spool: %v", err)
	}
	if _, err := s.Give(t.Context(), files.Hash{}, t.TempDir(), "x"); !errors.Is(err, files.ErrGone) {
		t.Errorf("give what is not there: %v", err)
	}
	if _, _, err := s.Content(files.Hash{}); !errors.Is(err, files.ErrGone) || s.Has(files.Hash{}) {
		t.Errorf("read what is not there: %v", err)
	}
	if left := tree(t, o.Dir); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	if got := s.Stats(); got.Refused != 8 || got.Taken != 0 {
		t.Errorf("stats %+v", got)
	}
	if b := take(t, s, make([]byte, 1000)); b.Size != 1000 {
		t.Errorf("the largest is taken as %d bytes", b.Size)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for what, o := range map[string]files.Options{
		"no directory":  {MaxFileBytes: 1, MaxBytes: 1 << 20},
		"no file bound": {Dir: dir, MaxBytes: 1 << 20},
		"no bound":      {Dir: dir, MaxFileBytes: 1},
		"small bound":   {Dir: dir, MaxFileBytes: 4097, MaxBytes: 8191},
		"negative age":  {Dir: dir, MaxFileBytes: 1, MaxBytes: 1 << 20, Keep: -1},
		"a file":        {Dir: write(t, dir, "file", nil), MaxFileBytes: 1, MaxBytes: 1 << 20},
	} {
		if _, err := files.Open(o); err == nil {
			t.Errorf("%s: opened", what)
		}
	}
}

// The largest numbers there are bound nothing, and break nothing.
func TestNoBounds(t *testing.T) {
	o := plenty(t.TempDir())
	o.MaxFileBytes, o.MaxBytes = math.MaxInt64, math.MaxInt64
	s := open(t, o)
	if b := take(t, s, []byte("some")); b.Size != 4 {
		t.Errorf("took %d bytes", b.Size)
	}
}

func TestParseHash(t *testing.T) {
	if _, err := files.ParseHash(make([]byte, 31)); err == nil {
		t.Error("31 bytes are a hash")
	}
	h, err := files.ParseHash(bytes.Repeat([]byte{0xab}, 32))
	if err != nil || h.String() != strings.Repeat("ab", 32) {
		t.Errorf("%s, %v", h, err)
	}
}

// ends is a context that ends when it has been asked a few times: in the middle
// of a copy.
type ends struct {
	context.Context
	asked int
}

func (e *ends) Err() error {
	if e.asked--; e.asked < 0 {
		return context.Canceled
	}
	return nil
}

func TestContextEndsACopy(t *testing.T) {
	o := plenty(t.TempDir())
	s := open(t, o)
	out, in := t.TempDir(), t.TempDir()
	write(t, out, "x", random(1, 20<<20))
	for asked := range 4 {
		if _, err := s.Take(&ends{t.Context(), asked}, out, "x"); !errors.Is(err, context.Canceled) {
			t.Errorf("take: %v", err)
		}
	}
	if left := tree(t, o.Dir); len(left) > 0 {
		t.Errorf("left in the store are %q", left)
	}
	b, err := s.Take(t.Context(), out, "x")
	check(t, err)
	// Where the file system can share blocks, there is no middle of a copy.
	for asked := 0; ; asked++ {
		name, err := s.Give(&ends{t.Context(), asked}, b.Hash, in, "x")
		if err == nil && asked > 0 {
			s.Forget(in, name)
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("give: %v", err)
		}
		if left := tree(t, in); len(left) > 0 {
			t.Errorf("left in the spool are %q", left)
		}
	}
	if got := s.Stats(); got.Refused != 0 {
		t.Errorf("an ended context counts as refusal: %+v", got)
	}
	checkWhole(t, s, o.Dir)
}

// A file that grows past the bound while it is copied is not taken, however small
// it was when it was opened.
func TestGrowsWhileCopied(t *testing.T) {
	o := plenty(t.TempDir())
	o.MaxFileBytes = 1 << 20
	s := open(t, o)
	out := t.TempDir()
	f, err := os.OpenFile(write(t, out, "x", make([]byte, 1<<19)), os.O_WRONLY|os.O_APPEND, 0)
	check(t, err)
	defer f.Close()
	if _, err := s.Take(&grows{t.Context(), f}, out, "x"); !errors.Is(err, files.ErrTooLarge) {
		t.Errorf("take: %v", err)
	}
	if left := tree(t, o.Dir); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}

// grows is a context at each question of which a file grows.
type grows struct {
	context.Context
	f *os.File
}

func (g *grows) Err() error {
	_, err := g.f.Write(make([]byte, 1<<19))
	return err
}
