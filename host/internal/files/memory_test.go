package files_test

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"

	"github.com/plughost/plughost/host/internal/files"
)

// A large file passes without a trace in memory: neither is more allocated than
// a few buffers, nor does the process grow.
func TestLargeFile(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() {
		size = 64 << 20
	}
	out, in := t.TempDir(), t.TempDir()
	s := open(t, plenty(t.TempDir()))
	want := writePattern(t, filepath.Join(out, "film"), size)

	before := memory(t)
	b, err := s.Take(t.Context(), out, "film")
	check(t, err)
	s.Forget(out, "film")
	name, err := s.Give(t.Context(), b.Hash, in, "film.mkv")
	check(t, err)
	after := memory(t)

	if b != (files.Blob{Hash: want, Size: size}) {
		t.Errorf("took %v of %d bytes", b.Hash, b.Size)
	}
	if grown := after.allocated - before.allocated; grown > 4<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
	if grown := after.peak - before.resident; grown > 16<<20 {
		t.Errorf("the process grew by %d bytes", grown)
	}
	if got := hashFile(t, filepath.Join(in, name)); got != want {
		t.Errorf("gave %v", got)
	}
}

// writePattern writes a file of which each 16th MiB is filled, so that it is soon
// written and yet has no two parts alike that matter.
func writePattern(tb testing.TB, path string, size int64) files.Hash {
	tb.Helper()
	f, err := os.Create(path)
	check(tb, err)
	pattern := random(7, 1<<20)
	for at := int64(0); at < size; at += 16 << 20 {
		pattern[0] = byte(at >> 24)
		_, err := f.WriteAt(pattern, at)
		check(tb, err)
	}
	check(tb, f.Truncate(size))
	check(tb, f.Close())
	return hashFile(tb, path)
}

func hashFile(tb testing.TB, path string) files.Hash {
	tb.Helper()
	f, err := os.Open(path)
	check(tb, err)
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	check(tb, err)
	return files.Hash(sum.Sum(nil))
}

// usage is memory in bytes: all that was ever allocated on the heap, and what the
// process has now and had at the most since the last question.
type usage struct{ allocated, resident, peak int64 }

func memory(tb testing.TB) usage {
	tb.Helper()
	runtime.GC()
	status, err := os.ReadFile("/proc/self/status")
	check(tb, err)
	// proc(5): this sets the peak to what is resident now.
	check(tb, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0))
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{int64(m.TotalAlloc), field(tb, status, "VmRSS"), field(tb, status, "VmHWM")}
}

func field(tb testing.TB, status []byte, name string) int64 {
	tb.Helper()
	found := regexp.MustCompile(name + `:\s*(\d+) kB`).FindSubmatch(status)
	if found == nil {
		tb.Fatalf("no %s in /proc/self/status", name)
	}
	kib, err := strconv.ParseInt(string(found[1]), 10, 64)
	check(tb, err)
	return kib << 10
}
