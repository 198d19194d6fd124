package catalog_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/plughost/plughost/host/internal/catalog"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]fs.FileMode{"irc": 0o755, "xmpp": 0o711, "notes.txt": 0o644, ".hidden": 0o755} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/true\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("irc", filepath.Join(dir, "irc2")); err != nil {
		t.Fatal(err)
	}

	for name, want := range map[string]error{
		"irc":       nil,
		"irc2":      nil,
		"notes.txt": catalog.ErrNotExecutable,
		"folder":    catalog.ErrNotExecutable,
		"matrix":    fs.ErrNotExist,
		".hidden":   fs.ErrInvalid,
		"../irc":    fs.ErrInvalid,
		"":          fs.ErrInvalid,
	} {
		path, err := catalog.Find(dir, name)
		if !errors.Is(err, want) {
			t.Errorf("Find(%q): error %v, want %v", name, err, want)
		}
		if want == nil && path != filepath.Join(dir, name) {
			t.Errorf("Find(%q) = %q, want it in %s", name, path, dir)
		}
	}
	if _, err := catalog.Find(filepath.Join(dir, "nowhere"), "irc"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Find in no directory: error %v, want %v", err, fs.ErrNotExist)
	}

	names, err := catalog.List(dir)
	if want := []string{"irc", "irc2", "xmpp"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("List = %q, %v, want %q", names, err, want)
	}
	if _, err := catalog.List(filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("List of no directory: error %v, want %v", err, fs.ErrNotExist)
	}
}

func TestFindIsAbsolute(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("irc", nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if path, err := catalog.Find(".", "irc"); err != nil || !filepath.IsAbs(path) {
		t.Errorf("Find = %q, %v, want an absolute path", path, err)
	}
}
