// Package spool hands files over between a plug and its host. Their bytes never
// travel in a gRPC message.
//
//   - Takes bytes that a plug writes into "out/", and names that the host gave in "in/".
//     Gives the SpoolFile that goes into an event, and files to read.
//   - Order: Create, write, Commit, then queue the event that names the file. The host
//     removes it when the event is acknowledged; Discard or Remove what no event will
//     name. What is in "in/" goes when the Put is settled.
//   - Bounds: none of its own; the host refuses files over its cap, and deletes at the
//     plug's start what no event named.
//   - Stops: nothing runs. Any number of goroutines may use one Spool.
package spool

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug/internal/contract"
)

const (
	out = "out"
	in  = "in"
	// unfinished is in front of the name of a file that is being written: no event can
	// name it.
	unfinished = "."
	// maxExtension is the longest extension that is taken over, with its dot.
	maxExtension = 16
)

// Spool is the spool directory of one plug.
type Spool struct{ dir string }

// New gives the spool in a directory, that of StartRequest. It touches nothing.
func New(dir string) *Spool { return &Spool{dir: dir} }

// File is a file that is being written for the host.
type File struct {
	*os.File
	spool *Spool
	name  string
}

// Create makes a new file in "out/". Name is what people call it, and may be
// anything, also what a stranger wrote: only its extension is used. The caller ends
// with Commit or Discard.
func (s *Spool) Create(name string) (*File, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	defer root.Close()
	if err := root.Mkdir(out, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("make the spool: %w", err)
	}
	f := &File{spool: s, name: rand.Text() + extension(name)}
	if f.File, err = root.OpenFile(path.Join(out, unfinished+f.name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("create a file in the spool: %w", err)
	}
	return f, nil
}

// Commit closes the file and gives it the name under which an event may name it. After
// an error the file is gone.
func (f *File) Commit() (*plugv1.SpoolFile, error) {
	dir := filepath.Join(f.spool.dir, out)
	err := f.Close()
	if err == nil {
		err = os.Rename(filepath.Join(dir, unfinished+f.name), filepath.Join(dir, f.name))
	}
	if err != nil {
		f.Discard()
		return nil, fmt.Errorf("commit a file to the spool: %w", err)
	}
	return &plugv1.SpoolFile{Name: f.name}, nil
}

// Discard closes and removes a file that was not committed. After Commit it does
// nothing, so that it may be deferred.
func (f *File) Discard() {
	_ = f.Close()
	_ = os.Remove(filepath.Join(f.spool.dir, out, unfinished+f.name))
}

// Remove removes a committed file that no event has named after all.
func (s *Spool) Remove(f *plugv1.SpoolFile) error {
	if err := contract.SpoolName(f.GetName()); err != nil {
		return fmt.Errorf("remove a file of the spool: %w", err)
	}
	if err := os.Remove(filepath.Join(s.dir, out, f.GetName())); err != nil {
		return fmt.Errorf("remove a file of the spool: %w", err)
	}
	return nil
}

// Open opens a file that the host has put into "in/", for reading. The caller closes
// it.
func (s *Spool) Open(f *plugv1.SpoolFile) (*os.File, error) {
	if err := contract.SpoolName(f.GetName()); err != nil {
		return nil, fmt.Errorf("open a file of the spool: %w", err)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	defer root.Close()
	file, err := root.Open(path.Join(in, f.GetName()))
	if err != nil {
		return nil, fmt.Errorf("open a file of the spool: %w", err)
	}
	return file, nil
}

// extension gives a name's extension, if it is one that no file system minds.
func extension(name string) string {
	ext := strings.ToLower(filepath.Ext(name))
	if len(ext) < 2 || len(ext) > maxExtension || strings.Trim(ext[1:], "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return ""
	}
	return ext
}
