package spooldir

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func write(tb testing.TB, dir, name, content string) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	check(tb, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// openers are both ways to open: as this kernel can, and as an old one.
var openers = map[string]func(int, string) (int, error){
	"beneath":     openBeneath,
	"old kernel":  func(int, string) (int, error) { return -1, unix.ENOSYS },
	"old sandbox": func(int, string) (int, error) { return -1, unix.EPERM },
}

func TestOpen(t *testing.T) {
	for kernel, opener := range openers {
		dir := t.TempDir()
		for _, name := range []string{"a", strings.Repeat("n", 255), "-rf", "два слова.png", "a\nb", "x."} {
			write(t, dir, name, "content")
			f, size, err := open(dir, name, opener)
			if err != nil {
				t.Errorf("%s: open %q: %v", kernel, name, err)
				continue
			}
			content, err := io.ReadAll(f)
			check(t, err)
			check(t, f.Close())
			if string(content) != "content" || size != 7 {
				t.Errorf("%s: %q holds %q, size %d", kernel, name, content, size)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	outside := write(t, t.TempDir(), "secret", "secret")
	cases := map[string]struct {
		make func(t *testing.T, dir, name string)
		name string // "x" if empty
		want error
	}{
		"nothing": {want: ErrGone, make: func(*testing.T, string, string) {}},
		"link": {want: ErrNotRegular, make: func(t *testing.T, dir, name string) {
			check(t, os.Symlink(outside, filepath.Join(dir, name)))
		}},
		"link inside": {want: ErrNotRegular, make: func(t *testing.T, dir, name string) {
			write(t, dir, "y", "plain")
			check(t, os.Symlink("y", filepath.Join(dir, name)))
		}},
		"link to nothing": {want: ErrNotRegular, make: func(t *testing.T, dir, name string) {
			check(t, os.Symlink("nowhere", filepath.Join(dir, name)))
		}},
		"hard link": {want: ErrNotRegular, make: func(t *testing.T, dir, name string) {
			check(t, os.Link(write(t, dir, "y", "plain"), filepath.Join(dir, name)))
		}},
		"pipe without a writer": {want: ErrNotRegular, make: func(t *testing.T, dir, name string) {
			check(t, unix.Mkfifo(filepath.Join(dir, name), 0o600))
		}},
		"socket": {want: ErrNotRegular, make: func(t *testing.T, dir, name string) {
			t.Chdir(dir) // else its path is too long
			l, err := net.Listen("unix", name)
			check(t, err)
			t.Cleanup(func() { check(t, l.Close()) })
		}},
		"folder": {want: ErrNotRegular, make: func(t *testing.T, dir, name string) {
			check(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		}},
		"nameless": {want: ErrName, name: "/"},
		"slash": {want: ErrName, name: "d/x", make: func(t *testing.T, dir, name string) {
			check(t, os.Mkdir(filepath.Join(dir, "d"), 0o700))
			write(t, dir, name, "plain")
		}},
		"absolute": {want: ErrName, name: outside},
		"above":    {want: ErrName, name: "../x"},
		"parent":   {want: ErrName, name: ".."},
		"itself":   {want: ErrName, name: "."},
		"hidden":   {want: ErrName, name: ".x", make: func(t *testing.T, dir, name string) { write(t, dir, name, "plain") }},
		"nul":      {want: ErrName, name: "x\x00y"},
		"too long": {want: ErrName, name: strings.Repeat("n", 256)},
		"no UTF-8": {want: ErrName, name: "x\xff", make: func(t *testing.T, dir, name string) { write(t, dir, name, "plain") }},
	}
	for what, c := range cases {
		for kernel, opener := range openers {
			t.Run(what+"/"+kernel, func(t *testing.T) {
				dir := t.TempDir()
				name := c.name
				if name == "" {
					name = "x"
				}
				if c.make != nil {
					c.make(t, dir, name)
				}
				if f, _, err := open(dir, name, opener); !errors.Is(err, c.want) {
					t.Errorf("open %q: %v, %v, want %v", name, f, err, c.want)
				}
			})
		}
	}
	if _, _, err := Open(t.TempDir(), ""); !errors.Is(err, ErrName) {
		t.Errorf("open without a name: %v", err)
	}
}

// A device is there for everyone, and root can make one.
func TestOpenRefusesDevices(t *testing.T) {
	for kernel, opener := range openers {
		if f, _, err := open("/dev", "null", opener); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: open a device: %v, %v", kernel, f, err)
		}
		dir := t.TempDir()
		err := unix.Mknod(filepath.Join(dir, "x"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) // endless zeros
		if errors.Is(err, unix.EPERM) {
			continue // not root: no plug can make one either
		}
		check(t, err)
		if f, _, err := open(dir, "x", opener); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: open a device of the plug's: %v, %v", kernel, f, err)
		}
	}
}

// What is mounted may answer for itself, or never.
func TestOpensNoMount(t *testing.T) {
	root, err := openDir("/")
	check(t, err)
	defer root.Close()
	if fd, err := openBeneath(int(root.Fd()), "proc"); !errors.Is(err, unix.EXDEV) {
		t.Errorf("opened a mount as %d, %v", fd, err)
	}
}

// The spool itself is not followed if the plug has put a link in its place.
func TestDirectoryIsNoLink(t *testing.T) {
	real := t.TempDir()
	path := write(t, real, "x", "secret")
	link := filepath.Join(t.TempDir(), "out")
	check(t, os.Symlink(real, link))

	if f, _, err := Open(link, "x"); err == nil {
		t.Errorf("opened %s through a link", f.Name())
	}
	if f, err := Create(link, "y"); err == nil {
		t.Errorf("made %s through a link", f.Name())
	}
	if err := Remove(link, "x"); err == nil {
		t.Error("removed through a link")
	}
	if err := Clean(t.Context(), link, nil); err == nil {
		t.Error("cleaned through a link")
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// A plug that swaps a file for a link, again and again, never gets the host to
// read what the link leads to.
func TestSwappedForALink(t *testing.T) {
	secret := write(t, t.TempDir(), "secret", "secret")
	dir, made := t.TempDir(), t.TempDir()
	stop := make(chan struct{})
	var swapping sync.WaitGroup
	swapping.Go(func() {
		x, y := filepath.Join(dir, "x"), filepath.Join(made, "y")
		for {
			select {
			case <-stop:
				return
			default:
			}
			// Renamed over it, so that there is always one or the other.
			if os.WriteFile(y, []byte("plain"), 0o600) != nil || os.Rename(y, x) != nil ||
				os.Symlink(secret, y) != nil || os.Rename(y, x) != nil {
				t.Error("could not swap")
				return
			}
		}
	})
	for kernel, opener := range openers {
		plain, refused := 0, 0
		for range 200_000 {
			f, _, err := open(dir, "x", opener)
			switch {
			case err == nil:
				plain++
				content, err := io.ReadAll(f)
				check(t, err)
				check(t, f.Close())
				if bytes.Contains(content, []byte("secret")) {
					t.Fatal("what the link leads to was read")
				}
			case errors.Is(err, ErrNotRegular):
				refused++
			case !errors.Is(err, ErrGone):
				t.Fatal(err)
			}
			if plain > 500 && refused > 500 {
				break
			}
		}
		if plain == 0 || refused == 0 {
			t.Errorf("%s: read %d files, refused %d links: nothing was swapped", kernel, plain, refused)
		}
	}
	close(stop)
	swapping.Wait()
}

func FuzzOpen(f *testing.F) {
	for _, name := range []string{"x", "", ".", "..", "../secret", "/etc/passwd", "x/..", "x\x00", "\xff"} {
		f.Add(name)
	}
	dir := f.TempDir()
	out := filepath.Join(dir, "out")
	check(f, os.Mkdir(out, 0o700))
	write(f, dir, "secret", "secret")
	write(f, out, "x", "plain")
	f.Fuzz(func(t *testing.T, name string) {
		file, _, err := Open(out, name)
		if err != nil {
			return
		}
		defer file.Close()
		if name != "x" {
			t.Errorf("%q opened a file", name)
		}
	})
}
