package spool

import (
	"context"
	"slices"

	"github.com/plughost/plughost/host/internal/files"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Names gives the names that an event has in the plug's spool "out/", each once.
// It is asked before Receive, which takes them out of the event, also for an event
// that is a repeat and is not received. Once the event is in the journal, and
// before it is acknowledged, the caller removes them (files.Store.Forget): from the
// acknowledgement on the plug may use a name again.
func Names(e *plugv1.Event) []string {
	var names []string
	note := func(f *plugv1.SpoolFile) error {
		if name := f.GetName(); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
		return nil
	}
	// It has no error of its own.
	_ = visitor{
		file: func(f *plugv1.File) error { return note(f.Spool) },
		user: func(u *plugv1.User) error { return note(u.Avatar.File) },
	}.event(e)
	return names
}

// Receive takes every file that an event of a plug names out of the plug's spool
// "out/" into the store, and changes the event: each SpoolFile has the hash and the
// size of what the store holds, and no name. It comes before the event is
// journaled, and not for a repeat, whose files may be gone.
//
// A file of a message that can't be taken loses its SpoolFile, and its unavailable
// says why, for a person. An avatar that can't be taken is dropped, unless it has
// an address. What the plug says of hashes is never believed: it could name the
// files of another.
//
// The only errors are the context's and, for a file of a message, that the disk is full
// (files.DiskFull). Then some files may have been taken, and the event must not be
// journaled; it is as the plug sent it, and can be received again.
func Receive(ctx context.Context, store *files.Store, out string, e *plugv1.Event) error {
	r := receiver{ctx: ctx, store: store, out: out, taken: map[string]result{}}
	if err := r.take(e); err != nil {
		return err
	}
	return visitor{file: r.file, user: r.user}.event(e)
}

// Avatars gives the avatars of an event.
func Avatars(e *plugv1.Event) (all []*plugv1.Avatar) {
	// It has no error of its own.
	_ = visitor{
		file: func(*plugv1.File) error { return nil },
		user: func(u *plugv1.User) error {
			all = append(all, u.Avatar)
			return nil
		},
	}.event(e)
	return all
}

// receiver takes the files of one event, each once: author and actor are often the
// same.
type receiver struct {
	ctx   context.Context
	store *files.Store
	out   string
	taken map[string]result
}

type result struct {
	blob files.Blob
	err  error
}

// take takes all files before the event is changed, so that it stays whole if the
// context ends or the disk is full.
func (r *receiver) take(e *plugv1.Event) error {
	for _, name := range Names(e) {
		b, err := r.store.Take(r.ctx, r.out, name)
		if ended := r.ctx.Err(); err != nil && ended != nil {
			return ended
		}
		r.taken[name] = result{b, err}
	}
	return visitor{file: r.room, user: func(*plugv1.User) error { return nil }}.event(e)
}

// room returns an error for a file that only a full disk keeps out. No message waits for
// a picture.
func (r *receiver) room(f *plugv1.File) error {
	if err := r.taken[f.GetSpool().GetName()].err; files.DiskFull(err) {
		return err
	}
	return nil
}

// stored is what an event says after it has been received; nil with words where
// there is nothing.
func (r *receiver) stored(f *plugv1.SpoolFile) (*plugv1.SpoolFile, string) {
	taken, named := r.taken[f.GetName()]
	switch {
	case !named:
		return nil, "the plug named no file"
	case taken.err != nil:
		return nil, files.Words(taken.err)
	}
	return &plugv1.SpoolFile{Sha256: taken.blob.Hash[:], Size: uint64(taken.blob.Size)}, ""
}

func (r *receiver) file(f *plugv1.File) error {
	if f.Spool == nil {
		return nil
	}
	f.Spool, f.Unavailable = r.stored(f.Spool)
	if f.Spool != nil {
		f.Size = f.Spool.Size
	}
	return nil
}

func (r *receiver) user(u *plugv1.User) error {
	if u.Avatar.File == nil {
		return nil
	}
	u.Avatar.File, _ = r.stored(u.Avatar.File)
	drop(u)
	return nil
}

// drop drops an avatar of which nothing is to be had. One without a file but with
// a hash would say that the file has come before.
func drop(u *plugv1.User) {
	if u.Avatar.File == nil && u.Avatar.Url == "" {
		u.Avatar = nil
	}
}
