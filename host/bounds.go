package host

import (
	"context"
	"time"
)

const (
	// retainEvery is how often the journal and the files are cleared of what is
	// finished and old.
	retainEvery = 10 * time.Minute
	// roomEvery is how often it is seen whether finished records must give way before
	// that, and roomAgain the time before another try when none could.
	roomEvery = time.Second
	roomAgain = 10 * time.Second
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
		room := false
		if err == nil {
			room, err = h.journal.MakeRoom(ctx, hooks)
		}
		switch {
		case ctx.Err() != nil:
		case err != nil:
			h.log.Error("no room could be made in the journal; tried again", "error", err)
		default:
			h.log.Warn("finished records gave way before their age", "bytes_before", before.Bytes, "bytes", h.journal.State().Bytes, "max_bytes", before.MaxBytes)
		}
		if !room {
			return roomAgain
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
	// Bytes of the log, and the most there may be; MaxBytes 0: no bound.
	Bytes, MaxBytes int64
	// Copies that the message map knows, and the most it may know.
	Copies, MaxCopies int64
	// DiskFree are the bytes that are free on the disk.
	DiskFree int64
	// Reason says in words which bound is reached, what gives way and what to do;
	// empty if none is.
	Reason string
}

// JournalState tells how the journal does, as it was within the last second.
func (h *Host) JournalState() (JournalState, error) {
	if _, err := h.run(); err != nil {
		return JournalState{}, err
	}
	s := h.journal.State()
	return JournalState{Bytes: s.Bytes, MaxBytes: s.MaxBytes, Copies: s.Entries, MaxCopies: s.MaxEntries,
		DiskFree: s.Disk.Free, Reason: s.Reason}, nil
}
