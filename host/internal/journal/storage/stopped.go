package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// OpenStopped opens the store of a host that does not run, to look at it: nothing is
// made where there is none, and the bounds of the host's config stay as they are. ctx bounds the
// opening only.
func OpenStopped(ctx context.Context, dir string) (Store, error) {
	_, err := os.Stat(filepath.Join(dir, "jetstream"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no journal in %s: no host has run there; name its data directory with --data-dir", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return OpenJetStream(ctx, Options{Dir: dir, asIs: true})
}
