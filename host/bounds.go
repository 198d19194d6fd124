package host

import (
	"context"
	"time"

	"github.com/plughost/plughost/host/internal/journal"
)

const (
	// retainEvery is how often the journal and the files are cleared of what is
	// finished and old.
	retainEvery = 10 * time.Minute
	// roomEvery is how often it is seen whether finished records must give way before
	// that. Where none could, it is tried again after roomPause times what the try took.
	roomEvery = time.Second
	roomPause = 10
)

// retain clears the journal and the files of what is finished and old.
func (h *Host) retain(ctx context.Context) error {
	return each(ctx, func() time.Duration {
		hooks, err := h.progressNames(ctx)
		if err == nil {
			err = h.journal.Retain(ctx, time.Now().Add(-h.o.KeepEvents), hooks)
		}
		if err != nil && ctx.Err() == nil {
			h.log.Error("old records could not be removed; tried again later", "error", err)
		}
		if err := h.files.Retain(ctx, time.Now()); err != nil && ctx.Err() == nil {
			h.log.Error("old files could not be removed; tried again later", "error", err)
		}
		return retainEvery
	})
}

// makeRoom lets finished records give way when the journal is nearly full (D5).
func (h *Host) makeRoom(ctx context.Context) error {
	return each(ctx, func() time.Duration {
		before := h.journal.State()
		if !before.Tight() {
			return roomEvery
		}
		hooks, err := h.progressNames(ctx)
		begun := time.Now()
		if err == nil {
			err = h.journal.MakeRoom(ctx, hooks)
		}
		after := h.journal.State()
		switch {
		case ctx.Err() != nil:
		case err != nil:
			h.log.Error("no room could be made in the journal; tried again", "error", err)
		case after.Bytes < before.Bytes:
			h.log.Warn("finished records gave way before their age", "bytes_before", before.Bytes, "bytes", after.Bytes, "max_bytes", before.MaxBytes)
		}
		if after.Tight() {
			return max(roomEvery, roomPause*time.Since(begun))
		}
		return roomEvery
	})
}

// each does something, again and again after the time that it returns, until ctx ends.
func each(ctx context.Context, do func() time.Duration) error {
	for {
		again := time.NewTimer(do())
		select {
		case <-ctx.Done():
			again.Stop()
			return nil
		case <-again.C:
		}
	}
}

// JournalState is how the journal does, and the disk that it is on.
type JournalState struct {
	// Reason says in words which bound is reached, what gives way and what to do;
	// empty if none is.
	Reason string
	// Bytes of the log, and the most there may be; MaxBytes 0: no bound.
	Bytes, MaxBytes int64
	// Entries of the message map, and the most there may be.
	Entries, MaxEntries int64
	// DiskFree are the bytes that are free on the disk, beside the ballast.
	DiskFree int64
	// FileBytes is what the files which came with messages take, and the most.
	FileBytes, MaxFileBytes int64
}

// JournalState tells how the journal does, as it was within the last second.
func (h *Host) JournalState() (JournalState, error) {
	if _, err := h.run(); err != nil {
		return JournalState{}, err
	}
	s, f := h.journal.State(), h.files.Stats()
	reason := s.Reason
	if f.Full {
		reason = join(reason, "the files that came with messages take all the room they may, and all are in use: no more are taken, and messages say so; see what waits or is parked, or raise files.max_bytes")
	}
	return JournalState{Reason: reason, Bytes: s.Bytes, MaxBytes: s.MaxBytes, Entries: s.Entries, MaxEntries: s.MaxEntries,
		DiskFree: s.Disk.Free, FileBytes: f.Bytes, MaxFileBytes: f.MaxBytes}, nil
}

func join(reason, more string) string {
	if reason == "" {
		return more
	}
	return reason + "; " + more
}

// JournalContents is what a journal holds; see package proto/plughost/host/v1.
type JournalContents = journal.Contents

// JournalContents tells what the journal holds.
func (h *Host) JournalContents(ctx context.Context) (*JournalContents, error) {
	if _, err := h.run(); err != nil {
		return nil, err
	}
	c, err := h.journal.Contents(ctx)
	return c, explain(err)
}
