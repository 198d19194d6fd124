package spooldir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func names(tb testing.TB, dir string) []string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	check(tb, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	secret := write(t, t.TempDir(), "secret", "secret")
	write(t, dir, "x", "plain")
	check(t, os.Symlink(secret, filepath.Join(dir, "link")))
	check(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))

	for _, name := range []string{"x", "x", "link", "never there"} {
		if err := Remove(dir, name); err != nil {
			t.Errorf("remove %q: %v", name, err)
		}
	}
	for _, name := range []string{"folder", "../secret", secret, "", ".", ".."} {
		if err := Remove(dir, name); err == nil {
			t.Errorf("removed %q", name)
		}
	}
	if got := names(t, dir); !slices.Equal(got, []string{"folder"}) {
		t.Errorf("left are %q", got)
	}
	if _, err := os.Stat(secret); err != nil {
		t.Errorf("the link's target: %v", err)
	}
	if err := Remove(filepath.Join(dir, "no spool"), "x"); err != nil {
		t.Errorf("remove from a spool that is not there: %v", err)
	}
}

func TestClean(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	secret := write(t, outside, "secret", "secret")
	for i := range 1000 {
		write(t, dir, strconv.Itoa(i), "orphan")
	}
	write(t, dir, ".hidden", "orphan")
	check(t, os.Symlink(secret, filepath.Join(dir, "link")))
	check(t, os.Symlink(outside, filepath.Join(dir, "link to a folder")))
	check(t, os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700))
	write(t, filepath.Join(dir, "a", "b"), "deep", "orphan")
	check(t, os.Symlink(outside, filepath.Join(dir, "a", "up")))

	check(t, Clean(t.Context(), dir, func(name string) bool { return name == "7" || name == "700" }))
	if got := names(t, dir); !slices.Equal(got, []string{"7", "700"}) {
		t.Errorf("left are %q", got)
	}
	check(t, Clean(t.Context(), dir, nil))
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("left are %q", got)
	}
	if _, err := os.Stat(secret); err != nil {
		t.Errorf("a link's target: %v", err)
	}
	check(t, Clean(t.Context(), filepath.Join(dir, "no spool"), nil))

	write(t, dir, "x", "orphan")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Clean(ended, dir, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("clean without time: %v", err)
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]bool{}
	for range 100 {
		f, err := Create(dir, "Cat picture.png")
		check(t, err)
		check(t, f.Close())
		info, err := os.Stat(filepath.Join(dir, f.Name()))
		check(t, err)
		if info.Mode() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
		if seen[f.Name()] || !strings.HasSuffix(f.Name(), "-Cat_picture.png") {
			t.Errorf("name %q, again: %v", f.Name(), seen[f.Name()])
		}
		seen[f.Name()] = true
	}
	if _, err := Create(filepath.Join(dir, "no spool"), "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("create in a spool that is not there: %v", err)
	}
}

func TestUniqueName(t *testing.T) {
	for suggested, want := range map[string]string{
		"":                              "",
		"cat.png":                       "-cat.png",
		"../../etc/passwd":              "-.._.._etc_passwd",
		".bashrc":                       ".bashrc",
		"кот.jpeg":                      "-кот.jpeg",
		"cat\u202egnp.exe":              "-cat_gnp.exe",
		"a\nb;rm $(x)":                  "-a_b_rm___x_",
		"x." + strings.Repeat("e", 17):  "-x." + strings.Repeat("e", 17),
		strings.Repeat("é", 99) + ".gz": "-" + strings.Repeat("é", 40) + ".gz",
		"x\xff.png":                     "-x_.png",
	} {
		if got := uniqueName(suggested); got[16:] != want {
			t.Errorf("%q: %q, want …%q", suggested, got, want)
		}
	}
}

func FuzzUniqueName(f *testing.F) {
	for _, s := range []string{"", "cat.png", "..", "a/b", "\x00", "\xff\xfe", strings.Repeat("é", 200), "e\u0301.\u202e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, suggested string) {
		name := uniqueName(suggested)
		if !bare(name) || len(name) > 128 || !utf8.ValidString(name) || name[0] == '-' {
			t.Errorf("%q became %q", suggested, name)
		}
		if strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("%q became %q", suggested, name)
		}
	})
}
