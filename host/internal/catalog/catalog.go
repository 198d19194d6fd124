package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrNotExecutable is of a file that is there and cannot be run.
var ErrNotExecutable = errors.New("not an executable file")

// Find returns the absolute path of the binary that a plug's name stands for: the
// file of that name in dir. The error is fs.ErrNotExist if there is no such file
// or no such directory, and ErrNotExecutable if it is no regular file or nobody
// may execute it.
func Find(dir, name string) (path string, err error) {
	// A name is never a path: what runs is what the operator put into dir.
	if name == "" || strings.HasPrefix(name, ".") || strings.ContainsRune(name, filepath.Separator) {
		return "", fmt.Errorf("find plug %q: a name, not a path: %w", name, fs.ErrInvalid)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", fmt.Errorf("find plug %q: %w", name, err)
	}
	path = filepath.Join(dir, name)
	if err := runnable(path); err != nil {
		return "", fmt.Errorf("find plug %q: %w", name, err)
	}
	return path, nil
}

// List returns the names that Find finds in dir, sorted. The error is
// fs.ErrNotExist if there is no such directory.
func List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list plugs: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && runnable(filepath.Join(dir, e.Name())) == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func runnable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("%s: %w", path, ErrNotExecutable)
	}
	return nil
}
