package spool

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug/internal/contract"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// What is committed can be named in an event and holds the bytes; what is not can't.
func TestCommit(t *testing.T) {
	dir := t.TempDir()
	s := New(dir)
	f, err := s.Create("cat.PNG")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Discard()
	if _, err := io.WriteString(f, "meow"); err != nil {
		t.Fatal(err)
	}
	if unfinished := names(t, filepath.Join(dir, "out")); len(unfinished) != 1 || contract.SpoolName(unfinished[0]) == nil {
		t.Errorf("an event could name %v", unfinished)
	}
	committed, err := f.Commit()
	if err != nil {
		t.Fatal(err)
	}
	f.Discard()
	path := filepath.Join(dir, "out", committed.GetName())
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o600 || contract.SpoolName(committed.GetName()) != nil || filepath.Ext(path) != ".png" {
		t.Fatalf("%v, %v, %v", committed, info, err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "meow" {
		t.Errorf("got %q, %v", b, err)
	}
	if err := s.Remove(committed); err != nil || len(names(t, filepath.Join(dir, "out"))) > 0 {
		t.Errorf("it was not removed: %v", err)
	}
	if s.Remove(&plugv1.SpoolFile{Name: "../in/x"}) == nil {
		t.Error("removed what is not in the spool")
	}
}

func TestDiscard(t *testing.T) {
	dir := t.TempDir()
	f, err := New(dir).Create("a")
	if err != nil {
		t.Fatal(err)
	}
	f.Discard()
	if left := names(t, filepath.Join(dir, "out")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := f.Commit(); err == nil {
		t.Error("committed what was discarded")
	}
}

// Whatever a stranger calls a file, it lands in the spool under a bare name of its own.
func TestForeignNames(t *testing.T) {
	dir := t.TempDir()
	s := New(dir)
	for _, name := range []string{"", ".", "..", "../../etc/passwd", "a/b.png", ".bashrc", "a.\xff", "x." + strings.Repeat("e", 300), "a.p\x00g", "a.tar.gz", "a.png"} {
		f, err := s.Create(name)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if committed, err := f.Commit(); err != nil || contract.SpoolName(committed.GetName()) != nil {
			t.Errorf("%q became %v, %v", name, committed, err)
		}
	}
	if n := len(names(t, filepath.Join(dir, "out"))); n != 11 {
		t.Errorf("%d files", n)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	s := New(dir)
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "in", "a.png"), []byte("meow"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := s.Open(&plugv1.SpoolFile{Name: "a.png"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != "meow" {
		t.Errorf("got %q, %v", b, err)
	}
	for _, name := range []string{"", "../secret", "b.png", ".", ".."} {
		if f, err := s.Open(&plugv1.SpoolFile{Name: name}); err == nil {
			f.Close()
			t.Errorf("opened %q", name)
		}
	}
}
