package api

import (
	"context"
	"errors"
	"io"
	"strings"

	"connectrpc.com/connect"

	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	"github.com/plughost/plughost/proto/plughost/host/v1/hostv1connect"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const (
	// maxUploads is how many uploads run at once.
	maxUploads = 8
	// maxChunk is the largest piece of a file, in bytes; sendChunk is what our own
	// client sends.
	maxChunk  = 1 << 20
	sendChunk = 256 << 10
	// maxFiles is the most files of one message.
	maxFiles = 32
)

// uploads implements FileService.
type uploads struct {
	server *Server
	host   Host
	slots  chan struct{} // one for each upload
}

var _ hostv1connect.FileServiceHandler = (*uploads)(nil)

// UploadFile implements hostv1connect.FileServiceHandler.
func (u *uploads) UploadFile(ctx context.Context, stream *connect.ClientStream[hostv1.UploadFileRequest]) (*hostv1.UploadFileResponse, error) {
	ctx, release := u.server.untilStop(ctx)
	defer release()
	select {
	case u.slots <- struct{}{}:
		defer func() { <-u.slots }()
	case <-ctx.Done():
		return nil, u.server.failure(ctx, ctx.Err())
	}
	f, err := u.host.AddFile(ctx, &chunks{stream: stream})
	if err != nil {
		return nil, u.server.failure(ctx, err)
	}
	return &hostv1.UploadFileResponse{Sha256: f.SHA256, Size: uint64(f.Size)}, nil
}

// chunks are the pieces of a file, one after another. One is held at a time.
type chunks struct {
	stream *connect.ClientStream[hostv1.UploadFileRequest]
	rest   []byte
}

func (c *chunks) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		if !c.stream.Receive() {
			if err := c.stream.Err(); err != nil {
				return 0, err
			}
			return 0, io.EOF
		}
		if c.rest = c.stream.Msg().Chunk; len(c.rest) > maxChunk {
			return 0, invalid("a piece of the file has %d bytes, allowed are %d", len(c.rest), maxChunk)
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// attach adds the files of a request to its message. Only the host says what a message
// has of its store: it knows that it is there, and how large it is.
func attach(h Host, a *plugv1.Action, files []*hostv1.SendFile) error {
	if spools(a) {
		return invalid("the action names a file of the host's store; upload it, and name it in files")
	}
	switch {
	case len(files) == 0:
		return nil
	case a.GetMessage() == nil:
		return invalid("only a message has files; leave them out")
	case len(files) > maxFiles:
		return invalid("the message has %d files, allowed are %d", len(files), maxFiles)
	}
	for _, f := range files {
		stored, err := h.File(f.Sha256)
		if err != nil {
			return failure(err)
		}
		a.GetMessage().Attachments = append(a.GetMessage().Attachments, &plugv1.Attachment{Kind: &plugv1.Attachment_File{File: &plugv1.File{
			Kind: fileKind(f.MediaType), Name: f.Name, MediaType: f.MediaType, AltText: f.AltText, Size: uint64(stored.Size),
			Spool: &plugv1.SpoolFile{Sha256: stored.SHA256, Size: uint64(stored.Size)},
		}}})
	}
	return nil
}

// spools tells whether an action names a file of the store.
func spools(a *plugv1.Action) bool {
	if a.GetAuthor().GetUser().GetAvatar().GetFile() != nil {
		return true
	}
	message := a.GetMessage()
	if message == nil {
		message = a.GetEdit().GetContent()
	}
	for _, attachment := range message.GetAttachments() {
		if attachment.GetFile().GetSpool() != nil {
			return true
		}
	}
	return false
}

func fileKind(mediaType string) plugv1.FileKind {
	switch kind, _, _ := strings.Cut(mediaType, "/"); kind {
	case "image":
		return plugv1.FileKind_FILE_KIND_IMAGE
	case "video":
		return plugv1.FileKind_FILE_KIND_VIDEO
	case "audio":
		return plugv1.FileKind_FILE_KIND_AUDIO
	}
	return plugv1.FileKind_FILE_KIND_OTHER
}

// Upload gives the host a file, up to the end of r, and returns what it is called.
// One piece is held at a time.
func (c *Client) Upload(ctx context.Context, r io.Reader) (*hostv1.UploadFileResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream where r fails
	stream, err := c.files.UploadFile(ctx)
	if err != nil {
		return nil, plain(err)
	}
	for buffer := make([]byte, sendChunk); ; {
		n, err := io.ReadFull(r, buffer)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, err
		}
		if n > 0 {
			// io.EOF says that the host has answered already.
			if sent := stream.Send(&hostv1.UploadFileRequest{Chunk: buffer[:n]}); sent != nil && !errors.Is(sent, io.EOF) {
				return nil, plain(sent)
			} else if sent != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	response, err := stream.CloseAndReceive()
	if err != nil {
		return nil, plain(err)
	}
	return response, nil
}
