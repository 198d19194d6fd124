package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/internal/disk"
	"github.com/plughost/plughost/host/internal/drain"
	"github.com/plughost/plughost/host/internal/journal/storage"
)

// openAgain is how often the disk is looked at that had no room for the start.
const openAgain = time.Second

// open opens the store and builds the stages over it. Where the disk has no byte for
// what must be written before anything starts (how far a crash left the message map, a
// new epoch, a directory), it waits until there is room, or ctx ends: whoever runs the
// host could do nothing else than start it again and again.
func (h *Host) open(ctx context.Context, run *running) (storage.Store, []*drain.Drain, error) {
	for {
		store, drains, err := h.tryOpen(ctx, run)
		if !errors.Is(err, storage.ErrNoRoom) || ctx.Err() != nil {
			if h.waits.Swap(nil) != nil && err == nil {
				h.log.Info("there is room on the disk: the host starts")
			}
			return store, drains, err
		}
		h.waitsFor(err)
		if err := h.waitForRoom(ctx); err != nil {
			return nil, nil, err
		}
	}
}

// waitsFor tells who asks, and the log once, why nothing has started yet.
func (h *Host) waitsFor(err error) {
	why := fmt.Sprintf("the host waits to start: the disk of %s is full to the last byte; free %s there, and it goes on by itself",
		h.o.DataDir, humanize.IBytes(storage.MinFree))
	if free, unknown := h.freeBytes(); unknown == nil && free >= storage.MinFree {
		why = "the host waits to start: its journal could not be written; it is tried again by itself"
	}
	before := h.waits.Swap(&hook.Error{Code: codes.Unavailable, Text: why})
	if before == nil || before.Text != why {
		h.log.Error(why, "error", err)
	}
}

// waitForRoom returns when it is worth another try.
func (h *Host) waitForRoom(ctx context.Context) error {
	tick := time.NewTicker(openAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		switch free, err := h.freeBytes(); {
		case err != nil:
			return err
		case free >= storage.MinFree:
			return nil
		}
	}
}

func (h *Host) freeBytes() (int64, error) {
	dir := h.o.DataDir
	if _, err := os.Stat(dir); err != nil {
		dir = filepath.Dir(dir) // it could not even be made
	}
	return disk.Free(dir)
}

// tryOpen opens the store and the stages once. ErrNoRoom says that the disk was full.
func (h *Host) tryOpen(ctx context.Context, run *running) (storage.Store, []*drain.Drain, error) {
	store, err := h.openStore(ctx)
	if err != nil {
		return nil, nil, noRoom(err, false)
	}
	drains, err := h.openStages(ctx, store, run)
	if err != nil {
		err = noRoom(err, store.State().Broken)
		return nil, nil, errors.Join(err, store.Close())
	}
	return store, drains, nil
}

// noRoom makes an error ErrNoRoom that is there because the disk is full, or because the
// store could not be written.
func noRoom(err error, broken bool) error {
	if broken || errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("%w: %w", storage.ErrNoRoom, err)
	}
	return err
}

// openStore makes the directories and opens the journal's store, which locks
// them.
func (h *Host) openStore(ctx context.Context) (storage.Store, error) {
	dir, err := filepath.Abs(h.o.DataDir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	h.o.DataDir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	return storage.OpenJetStream(ctx, storage.Options{
		Dir:      filepath.Join(dir, "journal"),
		Sync:     h.o.JournalSync,
		MaxBytes: h.o.JournalMaxBytes,
		Ballast:  h.o.JournalBallast,
		MapAge:   h.o.KeepCopies,
		MapMax:   h.o.MaxCopies,
		Logger:   h.log.Named("journal"),
	})
}
