package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/files"
	"github.com/plughost/plughost/host/internal/spool"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Defaults of Files.
const (
	MaxFileBytes = 1 << 30 // of Files.MaxFileBytes, in bytes

	maxFilesKept = 20 << 30
	keepFiles    = 30 * 24 * time.Hour
)

// Files bound what is kept of the files that come with messages; zero means the
// default.
type Files struct {
	// MaxFileBytes is the largest file that is taken: 1 GiB. A larger one is told in
	// words.
	MaxFileBytes int64
	// MaxBytes is the most that all files together take: 20 GiB. What was not used for
	// the longest gives way, never what still waits to be sent.
	MaxBytes int64
	// Keep is how long a file stays after its last use: 30 days.
	Keep time.Duration
}

func (f Files) withDefaults() Files {
	if f.MaxFileBytes == 0 {
		f.MaxFileBytes = MaxFileBytes
	}
	if f.MaxBytes == 0 {
		f.MaxBytes = max(maxFilesKept, 2*f.MaxFileBytes)
	}
	if f.Keep == 0 {
		f.Keep = keepFiles
	}
	return f
}

// openFiles opens the store of the files.
func (h *Host) openFiles() (err error) {
	f := h.o.Files.withDefaults()
	h.files, err = files.Open(files.Options{
		Dir: filepath.Join(h.o.DataDir, "files"), MaxFileBytes: f.MaxFileBytes, MaxBytes: f.MaxBytes, Keep: f.Keep,
		InUse: h.filesInUse, Logger: h.log.Named("files"),
	})
	h.avatars.journal, h.avatars.files, h.avatars.log = h.journal, h.files, h.log.Named("avatars")
	return err
}

// filesInUse tells which files somebody still waits for.
func (h *Host) filesInUse(ctx context.Context) (func(files.Hash) bool, error) {
	used := map[files.Hash]bool{}
	note := func(a *plugv1.Action) {
		for _, hash := range spool.Hashes(a) {
			used[hash] = true
		}
	}
	err := h.journal.Unfinished(ctx, h.hookNames(), func(e *plugv1.Event) {
		switch k := e.Kind.(type) {
		case *plugv1.Event_Message:
			note(&plugv1.Action{Author: &plugv1.Author{User: e.Author}, Kind: &plugv1.Action_Message{Message: k.Message}})
		case *plugv1.Event_Edit:
			note(&plugv1.Action{Author: &plugv1.Author{User: e.Author}, Kind: &plugv1.Action_Edit{Edit: k.Edit}})
		}
	}, func(op *journalv1.Operation) {
		note(op.Action)
		note(op.Fallback)
	})
	return func(hash files.Hash) bool { return used[hash] }, err
}

// StoredFile is a file that the host holds.
type StoredFile struct {
	// SHA256 of its bytes, by which it is named.
	SHA256 []byte
	// Size in bytes.
	Size int64
}

// AddFile takes what r gives up to its end into the store of files, and returns when it
// is on disk. It stays as Files says, a minute at least. The error is a *hook.Error,
// the context's or, wrapped, that of r; after one nothing is kept.
func (h *Host) AddFile(ctx context.Context, r io.Reader) (StoredFile, error) {
	if _, err := h.run(); err != nil {
		return StoredFile{}, err
	}
	b, err := h.files.Add(ctx, r)
	switch {
	case errors.Is(err, files.ErrTooLarge):
		return StoredFile{}, invalid("the file can't be taken: %s", files.Words(err))
	case errors.Is(err, files.ErrFull):
		return StoredFile{}, &hook.Error{Code: codes.ResourceExhausted, Text: "the file can't be taken: " + files.Words(err)}
	case err != nil:
		return StoredFile{}, err
	}
	return StoredFile{b.Hash[:], b.Size}, nil
}

// File finds a file of the store. Its error says that there is none.
func (h *Host) File(sha256 []byte) (StoredFile, error) {
	if _, err := h.run(); err != nil {
		return StoredFile{}, err
	}
	hash, err := files.ParseHash(sha256)
	if err != nil {
		return StoredFile{}, invalid("a file is named by the SHA-256 of its bytes: %v", err)
	}
	f, size, err := h.files.Content(hash)
	switch {
	case errors.Is(err, files.ErrGone):
		return StoredFile{}, &hook.Error{Code: codes.FailedPrecondition, Text: fmt.Sprintf("the host has no file %s, or no longer; upload it again", hash)}
	case err != nil:
		return StoredFile{}, explain(err)
	}
	return StoredFile{sha256, size}, f.Close()
}

// spoolOf is the spool of one plug instance, over the host's files.
type spoolOf struct {
	host    *Host
	name    id.InstanceName
	store   *files.Store
	avatars *avatars
	in, out string
}

func (h *Host) spool(name id.InstanceName) *spoolOf {
	dir := h.spoolDir(name)
	return &spoolOf{h, name, h.files, &h.avatars, filepath.Join(dir, "in"), filepath.Join(dir, "out")}
}

func (h *Host) spoolDir(name id.InstanceName) string {
	return filepath.Join(h.o.DataDir, "plugs", string(name), "spool")
}

// Names implements intake.Files.
func (s *spoolOf) Names(e *plugv1.Event) []string { return spool.Names(e) }

// diskAgain is how often a file is tried again that a full disk had no room for.
const diskAgain = time.Second

// Receive implements intake.Files. On a full disk the plug waits with what it has to say,
// as it does when the journal refuses: else the message would go on without its file (D5).
func (s *spoolOf) Receive(ctx context.Context, e *plugv1.Event) error {
	tick := time.NewTicker(diskAgain)
	defer tick.Stop()
	for told := false; ; told = true {
		err := spool.Receive(ctx, s.store, s.out, e)
		if err == nil {
			break
		}
		if !files.DiskFull(err) {
			return err
		}
		if !told {
			s.host.log.Error("the disk is full: the plug waits with a file until there is room", "plug", string(s.name), "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, a := range spool.Avatars(e) {
		s.avatars.complete(ctx, s.host.directory.network(s.name), a)
	}
	return nil
}

// Forget implements intake.Files.
func (s *spoolOf) Forget(names []string) {
	for _, name := range names {
		s.store.Forget(s.out, name)
	}
}

// Deliver implements put.Files.
func (s *spoolOf) Deliver(ctx context.Context, a *plugv1.Action) (cleanup func(), err error) {
	return spool.Deliver(ctx, s.store, s.in, a)
}
