package disktest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Drive is an ext4 file system of its own whose power can be cut: what was written and
// not synced by then is gone, as far as the kernel had not written it by itself. It
// does not show what a drive loses that lies about having written, or that writes a
// block by halves.
type Drive struct {
	t     testing.TB
	Dir   string
	image string
}

// NewDrive mounts a drive of so many bytes until the test ends. It needs root, a loop
// device and mkfs.ext4: a test that has not got them fails, and says so.
func NewDrive(t testing.TB, bytes int64) *Drive {
	t.Helper()
	dir := t.TempDir()
	d := &Drive{t: t, Dir: filepath.Join(dir, "drive"), image: filepath.Join(dir, "image")}
	if err := os.Mkdir(d.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, bytes); err != nil {
		t.Fatal(err)
	}
	d.run("mkfs.ext4", "-q", d.image)
	d.mount()
	t.Cleanup(func() { d.run("umount", d.Dir) })
	return d
}

// Cut cuts the power: from its return on nothing more is written, and all that uses
// the drive fails. It writes nothing itself.
func (d *Drive) Cut() {
	d.t.Helper()
	f, err := os.Open(d.Dir)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	const shutdown, withoutFlush = 0x8004587D, uint32(2) // EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH
	flags := withoutFlush
	if _, _, failed := unix.Syscall(unix.SYS_IOCTL, f.Fd(), shutdown, uintptr(unsafe.Pointer(&flags))); failed != 0 {
		d.t.Fatalf("cut the power: %v", failed)
	}
}

// Restore gives the power back: the file system is mounted anew, and does what it does
// after a power loss. Nobody has a file open on it by then.
func (d *Drive) Restore() {
	d.t.Helper()
	d.run("umount", d.Dir)
	d.mount()
}

func (d *Drive) mount() {
	d.t.Helper()
	// The kernel writes back later than any test lasts, so that nothing is there but
	// what was synced.
	d.run("mount", "-o", "loop,commit=600", d.image, d.Dir)
}

func (d *Drive) run(name string, args ...string) {
	d.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("this test needs root, a loop device and ext4: %s %v: %v\n%s", name, args, err, out)
	}
}
