package host

import (
	"context"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/files"
	"github.com/plughost/plughost/host/internal/journal"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// knownAvatars is how many pictures are known without a look into the message map.
const knownAvatars = 10_000

// avatars remembers which file a plug gave for the hash of a picture, since it need give
// it once only. What fails is only a picture, so it is not tried again.
type avatars struct {
	journal *journal.Journal
	files   *files.Store
	log     hclog.Logger

	mu    sync.Mutex
	known map[avatarKey]*plugv1.SpoolFile // emptied when it is full
}

type avatarKey struct {
	network id.NetworkID
	hash    string
}

// complete notes the file of an avatar that has one, and gives one that has none the file
// that was given before, if it is still kept.
func (a *avatars) complete(ctx context.Context, n id.NetworkID, avatar *plugv1.Avatar) {
	if n == "" || avatar.Hash == "" {
		return
	}
	key := avatarKey{n, avatar.Hash}
	a.mu.Lock()
	known := a.known[key]
	a.mu.Unlock()
	if avatar.File != nil {
		if string(known.GetSha256()) == string(avatar.File.Sha256) {
			return
		}
		if err := a.journal.SaveAvatar(ctx, n, avatar.Hash, avatar.File); err != nil {
			a.log.Warn("a picture was not remembered", "error", err)
			return
		}
		a.note(key, avatar.File)
		return
	}
	if known == nil {
		found, err := a.journal.Avatar(ctx, n, avatar.Hash)
		if err != nil {
			return // never given, or forgotten: it is shown without
		}
		known = found
		a.note(key, known)
	}
	if hash, err := files.ParseHash(known.Sha256); err == nil && a.files.Has(hash) {
		avatar.File = &plugv1.SpoolFile{Sha256: known.Sha256, Size: known.Size}
	}
}

func (a *avatars) note(key avatarKey, f *plugv1.SpoolFile) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil || len(a.known) >= knownAvatars {
		a.known = map[avatarKey]*plugv1.SpoolFile{}
	}
	a.known[key] = &plugv1.SpoolFile{Sha256: f.Sha256, Size: f.Size}
}
