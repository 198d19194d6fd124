package files_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/plughost/plughost/host/internal/files"
)

// fileBytes is the size of the files that are measured.
const fileBytes = 100 << 20

// BenchmarkCopy compares what the store does with a plain cp of the same file. A
// Take also hashes, and syncs to the disk, which cp does not.
func BenchmarkCopy(b *testing.B) {
	out := b.TempDir()
	writeFilled(b, filepath.Join(out, "film"))
	b.Run("cp", func(b *testing.B) {
		dst := filepath.Join(b.TempDir(), "copy")
		b.SetBytes(fileBytes)
		for b.Loop() {
			check(b, exec.Command("cp", "--reflink=never", filepath.Join(out, "film"), dst).Run())
			remove(b, dst)
		}
	})
	b.Run("cp and sync", func(b *testing.B) {
		dst := filepath.Join(b.TempDir(), "copy")
		b.SetBytes(fileBytes)
		for b.Loop() {
			check(b, exec.Command("cp", "--reflink=never", filepath.Join(out, "film"), dst).Run())
			check(b, exec.Command("sync", dst).Run())
			remove(b, dst)
		}
	})
	b.Run("take", func(b *testing.B) {
		o := plenty(b.TempDir())
		b.SetBytes(fileBytes)
		for b.Loop() {
			_, err := open(b, o).Take(b.Context(), out, "film")
			check(b, err)
			remove(b, o.Dir)
		}
	})
	b.Run("take known", func(b *testing.B) {
		s := open(b, plenty(b.TempDir()))
		b.SetBytes(fileBytes)
		for b.Loop() {
			_, err := s.Take(b.Context(), out, "film")
			check(b, err)
		}
	})
	b.Run("give", func(b *testing.B) {
		s := open(b, plenty(b.TempDir()))
		blob, err := s.Take(b.Context(), out, "film")
		check(b, err)
		in := b.TempDir()
		b.SetBytes(fileBytes)
		for b.Loop() {
			name, err := s.Give(b.Context(), blob.Hash, in, "film.mkv")
			check(b, err)
			s.Forget(in, name)
		}
	})
}

// remove is not measured.
func remove(b *testing.B, path string) {
	b.StopTimer()
	check(b, os.RemoveAll(path))
	b.StartTimer()
}

func writeFilled(b *testing.B, path string) {
	f, err := os.Create(path)
	check(b, err)
	pattern := random(1, 1<<20)
	for i := range fileBytes >> 20 {
		pattern[0] = byte(i)
		_, err := f.Write(pattern)
		check(b, err)
	}
	check(b, f.Close())
}

// BenchmarkSmall is an avatar: what a Take costs apart from its bytes, which is
// mostly the disk's sync.
func BenchmarkSmall(b *testing.B) {
	s := open(b, plenty(b.TempDir()))
	out, in := b.TempDir(), b.TempDir()
	b.Run("take", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			write(b, out, "x", []byte("avatar"+strconv.Itoa(i)+b.Name()+strconv.Itoa(b.N)))
			_, err := s.Take(b.Context(), out, "x")
			check(b, err)
		}
	})
	blob := files.Blob{}
	b.Run("take known", func(b *testing.B) {
		write(b, out, "x", []byte("avatar"))
		for b.Loop() {
			var err error
			blob, err = s.Take(b.Context(), out, "x")
			check(b, err)
		}
	})
	b.Run("give", func(b *testing.B) {
		for b.Loop() {
			name, err := s.Give(b.Context(), blob.Hash, in, "avatar")
			check(b, err)
			s.Forget(in, name)
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			r, _, err := s.Content(blob.Hash)
			check(b, err)
			_, err = io.Copy(io.Discard, r)
			check(b, err)
			check(b, r.Close())
		}
	})
}
