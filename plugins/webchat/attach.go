package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/plughost/plughost/plugins/webchat/internal/clean"
	"github.com/plughost/plughost/plugins/webchat/internal/files"
	"github.com/plughost/plughost/plugins/webchat/internal/room"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// takeFiles copies the files that came with a part out of the spool. What is not to
// be had, or is too large, becomes words; each is told.
func (w *webchat) takeFiles(attachments []*plugv1.Attachment) (taken []room.File, words []string, err error) {
	for _, a := range attachments {
		f := a.GetFile()
		if f == nil {
			continue // places come as words, since we name no such feature
		}
		name := clean.FileName(f.GetName())
		if f.GetSpool() == nil {
			words = append(words, missing(name, f))
			continue
		}
		info, err := w.takeFile(f.GetSpool())
		if reason := notTaken(err); reason != nil {
			words = append(words, fmt.Sprintf("[%s: %v]", name, reason))
			continue
		}
		if err != nil {
			return nil, nil, plug.NotSent(err)
		}
		taken = append(taken, room.File{
			Hash: info.Hash, Name: name, Type: info.Type, Size: info.Size, Width: info.Width, Height: info.Height, Alt: clean.Words(f.GetAltText(), room.MaxWords),
		})
	}
	return taken, words, nil
}

// notTaken is why a file is never taken; nil if it was, or may be later.
func notTaken(err error) error {
	for _, reason := range []error{files.ErrTooLarge, files.ErrFull, files.ErrEmpty} {
		if errors.Is(err, reason) {
			return reason
		}
	}
	return nil
}

func (w *webchat) takeFile(in *plugv1.SpoolFile) (files.Info, error) {
	f, err := w.spool.Open(in)
	if err != nil {
		return files.Info{}, err
	}
	defer f.Close()
	return w.files.Put(f)
}

// Most that an author's picture may have: it is shown small, and beside every message.
const (
	maxPictureBytes = 1 * megabyte
	maxPictureSide  = 2048 // pixels
)

// takePicture copies an author's picture out of the spool and gives its hash; empty if
// there is none, or none that a browser may show: then there are the initials.
func (w *webchat) takePicture(a *plugv1.Avatar) string {
	if a.GetFile() == nil || a.GetFile().GetSize() > maxPictureBytes {
		return ""
	}
	info, err := w.takeFile(a.GetFile())
	if err != nil || !info.Shown || info.Width == 0 || max(info.Width, info.Height) > maxPictureSide {
		return ""
	}
	return info.Hash
}

// missing is what is said in place of a file.
func missing(name string, f *plugv1.File) string {
	switch {
	case f.GetUrl() != "":
		return f.GetUrl()
	case f.GetUnavailable() != "":
		return fmt.Sprintf("[%s: %s]", name, f.GetUnavailable())
	default:
		return "[" + name + "]"
	}
}

// giveFiles are a message's files as the host takes them: copied into the spool,
// unless withheld says why only what they are is told.
func (w *webchat) giveFiles(all []room.File, withheld string) (given []*plugv1.Attachment, err error) {
	for _, f := range all {
		kind := plugv1.FileKind_FILE_KIND_OTHER
		for prefix, k := range map[string]plugv1.FileKind{
			"image/": plugv1.FileKind_FILE_KIND_IMAGE, "video/": plugv1.FileKind_FILE_KIND_VIDEO, "audio/": plugv1.FileKind_FILE_KIND_AUDIO,
		} {
			if strings.HasPrefix(f.Type, prefix) {
				kind = k
			}
		}
		mediaType, _, _ := strings.Cut(f.Type, ";")
		g := &plugv1.File{
			Kind: kind, Name: f.Name, MediaType: mediaType, Size: uint64(f.Size), Width: uint32(f.Width), Height: uint32(f.Height), AltText: f.Alt,
		}
		if g.Unavailable = withheld; withheld == "" {
			g.Spool, err = w.giveFile(f)
		}
		if errors.Is(err, files.ErrNone) {
			g.Unavailable, err = "it is no longer there", nil
		}
		if err != nil {
			return nil, err
		}
		given = append(given, &plugv1.Attachment{Kind: &plugv1.Attachment_File{File: g}})
	}
	return given, nil
}

// giveFile copies a file, since the host takes none that has a second name. It is the
// host's to remove.
func (w *webchat) giveFile(f room.File) (*plugv1.SpoolFile, error) {
	from, _, err := w.files.Open(f.Hash)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	to, err := w.spool.Create(f.Name)
	if err != nil {
		return nil, err
	}
	defer to.Discard()
	if _, err := io.Copy(to, from); err != nil {
		return nil, fmt.Errorf("give a file to the host: %w", err)
	}
	return to.Commit()
}
