package spooldir

import (
	"crypto/rand"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Create makes an empty file in a spool directory, for the plug's own user (0600),
// under a name that is made of the suggested one and of something unique. The
// file's Name is that bare name.
func Create(dir, suggested string) (*os.File, error) {
	d, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	name := uniqueName(suggested)
	fd, err := uninterrupted(func() (int, error) {
		return unix.Openat(int(d.Fd()), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Bytes of a name, well below the 255 that it may have.
const (
	stemBytes      = 80
	extensionBytes = 16
)

// uniqueName makes a bare name that people can still tell, that no other file of
// the directory has, and that is harmless in a terminal and on a command line.
func uniqueName(suggested string) string {
	suggested = strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || unicode.In(r, unicode.L, unicode.M, unicode.N) {
			return r
		}
		return '_'
	}, strings.ToValidUTF8(suggested, "_"))
	extension := path.Ext(suggested)
	if len(extension) > extensionBytes {
		extension = ""
	}
	stem := cut(strings.TrimSuffix(suggested, extension), stemBytes)
	unique := strings.ToLower(rand.Text()[:16])
	if stem == "" {
		return unique + extension
	}
	return unique + "-" + stem + extension
}

// cut shortens a text to at most n bytes, between two characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
