package world

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/plughost/plughost/host/chaos/internal/plan"
)

// slowDisk keeps the disk of a directory busy for a while: others write there, and have
// each of their writes synced.
func slowDisk(ctx context.Context, dir string, d time.Duration) error {
	const writers, block, blocks = 4, 256 << 10, 16
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var group errgroup.Group
	for i := range writers {
		group.Go(func() error {
			path := filepath.Join(dir, fmt.Sprintf("chaos-busy-%d", i))
			f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			defer os.Remove(path)
			defer f.Close()
			data := make([]byte, block)
			for n := int64(0); ctx.Err() == nil; n++ {
				if _, err := f.WriteAt(data, n%blocks*block); err != nil {
					return err
				}
				if err := f.Sync(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// fullDisk fills the disk of a directory for a while, to the last byte: whatever is freed
// meanwhile is taken too.
func fullDisk(ctx context.Context, dir string, d time.Duration) error {
	path := filepath.Join(dir, "chaos-full")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	defer f.Close()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for size := 1 << 20; ; {
		_, err := f.Write(make([]byte, size))
		switch {
		case err == nil:
			continue
		case !errors.Is(err, syscall.ENOSPC):
			return err
		case size > 1:
			size /= 2
			continue
		}
		select {
		case <-tick.C:
			size = 1 << 20
		case <-ctx.Done():
			return nil
		}
	}
}

// killOnFullDisk kills the host when its disk has been full for half of the step's time,
// and starts it on the full disk.
func (w *World) killOnFullDisk(ctx context.Context, s plan.Step) error {
	var filling errgroup.Group
	filling.Go(func() error { return fullDisk(ctx, w.DataDir, s.For) })
	pause(ctx, s.For/2)
	w.host.kill()
	err := w.host.start()
	return errors.Join(err, filling.Wait(), ctx.Err())
}

// TempDisk mounts a disk of its own at a directory: it runs full without any other
// program being hurt. It gives what unmounts it. os.ErrPermission says that this process
// has no right to mount.
func TempDisk(dir string, bytes int64) (unmount func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", bytes)); err != nil {
		return nil, fmt.Errorf("mount a small disk at %s: %w", dir, err)
	}
	return func() error { return syscall.Unmount(dir, syscall.MNT_DETACH) }, nil
}
