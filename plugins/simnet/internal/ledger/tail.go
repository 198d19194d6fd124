package ledger

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
)

// Tail reads a ledger's file while it is written, again and again, and each line once:
// those who wait for something to happen look often. Safe for concurrent use.
type Tail struct {
	path string

	mu      sync.Mutex
	entries []Entry
	size    int64 // of their lines
}

// NewTail returns a Tail of the ledger at path.
func NewTail(path string) *Tail { return &Tail{path: path} }

// Entries returns all that are in the file. They are shared: read them only.
func (t *Tail) Entries() ([]Entry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, err := os.Open(t.path)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	defer f.Close()
	if _, err := f.Seek(t.size, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	entries, size, err := read(f, t.entries)
	if err != nil {
		return nil, err
	}
	t.entries, t.size = entries, t.size+size
	return slices.Clip(entries), nil
}
