package spool

import (
	"context"
	"errors"
	"fmt"

	"github.com/plughost/plughost/host/internal/files"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// gone says that a file is older than the store keeps them.
const gone = "it is no longer kept"

// Deliver gives an action's files to the plug that it goes to: each SpoolFile with
// a hash gets a copy in the plug's spool "in/", and its name. It comes before each
// attempt of the Put, on a copy of the action that is only for that attempt.
//
// cleanup removes the copies. It is called once the operation is settled, parked or
// given up, or before the next attempt, never while the Put may still run; calling
// it again does nothing. It is never nil, and not safe for concurrent use.
//
// A file that the store no longer has loses its SpoolFile, and its unavailable says
// so; an avatar that can't be given is dropped, unless it has an address. Any other
// fault of the store or the spool is an error: nothing is left in "in/", the action is not to be
// put, and the fault may pass (NOT_SENT). files.ErrFull and the context's error can
// be told from it.
func Deliver(ctx context.Context, store *files.Store, in string, a *plugv1.Action) (cleanup func(), err error) {
	d := &deliverer{ctx: ctx, store: store, in: in}
	if err := (visitor{file: d.file, user: d.user}).action(a); err != nil {
		d.cleanup()
		return d.cleanup, fmt.Errorf("give the plug its files: %w", err)
	}
	return d.cleanup, nil
}

// Hashes gives the hashes of the files of an action, for files.Options.InUse.
func Hashes(a *plugv1.Action) []files.Hash {
	var hashes []files.Hash
	note := func(f *plugv1.SpoolFile) error {
		if h, err := files.ParseHash(f.GetSha256()); err == nil {
			hashes = append(hashes, h)
		}
		return nil
	}
	// It has no error of its own.
	_ = visitor{
		file: func(f *plugv1.File) error { return note(f.Spool) },
		user: func(u *plugv1.User) error { return note(u.Avatar.File) },
	}.action(a)
	return hashes
}

// deliverer gives the files of one action. Files with the same bytes get a copy
// each, since the plug may move and change its own.
type deliverer struct {
	ctx   context.Context
	store *files.Store
	in    string
	names []string
}

func (d *deliverer) cleanup() {
	for _, name := range d.names {
		d.store.Forget(d.in, name)
	}
	d.names = nil
}

// give returns nil without an error where there is no such file any more.
func (d *deliverer) give(f *plugv1.SpoolFile, suggested string) (*plugv1.SpoolFile, error) {
	h, err := files.ParseHash(f.Sha256)
	if err != nil {
		return nil, nil
	}
	name, err := d.store.Give(d.ctx, h, d.in, suggested)
	if errors.Is(err, files.ErrGone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d.names = append(d.names, name)
	return &plugv1.SpoolFile{Name: name, Sha256: f.Sha256, Size: f.Size}, nil
}

func (d *deliverer) file(f *plugv1.File) (err error) {
	if f.Spool == nil {
		return nil
	}
	if f.Spool, err = d.give(f.Spool, f.Name); f.Spool == nil {
		f.Unavailable = gone
	}
	return err
}

func (d *deliverer) user(u *plugv1.User) error {
	if u.Avatar.File == nil {
		return nil
	}
	// No message waits for a picture: whatever the fault, it is dropped.
	u.Avatar.File, _ = d.give(u.Avatar.File, "avatar")
	drop(u)
	return d.ctx.Err()
}
