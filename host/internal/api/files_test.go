package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/api"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// fileHost is a host that only takes files, up to 3 MiB, and actions.
type fileHost struct {
	api.Host
	held  map[string]int64
	sent  *plugv1.Action
	whole bool // it was read to its end
}

func (h *fileHost) AddFile(_ context.Context, r io.Reader) (host.StoredFile, error) {
	content, err := io.ReadAll(io.LimitReader(r, 3<<20+1))
	if err != nil {
		return host.StoredFile{}, err
	}
	if len(content) > 3<<20 {
		return host.StoredFile{}, &hook.Error{Code: codes.InvalidArgument, Text: "the file is too large"}
	}
	sum := sha256.Sum256(content)
	h.held[string(sum[:])], h.whole = int64(len(content)), true
	return host.StoredFile{SHA256: sum[:], Size: int64(len(content))}, nil
}

func (h *fileHost) File(sum []byte) (host.StoredFile, error) {
	size, ok := h.held[string(sum)]
	if !ok {
		return host.StoredFile{}, &hook.Error{Code: codes.FailedPrecondition, Text: "the host has no such file"}
	}
	return host.StoredFile{SHA256: sum, Size: size}, nil
}

func (h *fileHost) Client(string) (hook.Host, error) { return sender{host: h}, nil }

// sender notes what it is given to send.
type sender struct {
	hook.Host
	host *fileHost
}

func (s sender) Send(_ context.Context, r hook.Request) (id.OperationID, error) {
	s.host.sent = r.Action
	return "", nil
}

func serveFiles(t *testing.T) (h *fileHost, client *api.Client, stop func()) {
	t.Helper()
	dir := t.TempDir()
	h = &fileHost{held: map[string]int64{}}
	_, stop = serve(t, dir, h)
	client = api.NewClient(dir)
	t.Cleanup(client.Close)
	return h, client, stop
}

// A file goes over in pieces, and the message has of it what the host says.
func TestSendFile(t *testing.T) {
	h, client, _ := serveFiles(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	content := bytes.Repeat([]byte("0123456789"), 200_000)
	taken, err := client.Upload(ctx, iotest.HalfReader(bytes.NewReader(content)))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(content); !bytes.Equal(taken.Sha256, sum[:]) || taken.Size != uint64(len(content)) {
		t.Errorf("taken as %x, %d bytes", taken.Sha256, taken.Size)
	}
	if empty, err := client.Upload(ctx, strings.NewReader("")); err != nil || empty.Size != 0 {
		t.Errorf("an empty file: %v, %v", empty, err)
	}
	named := []*hostv1.SendFile{{Sha256: taken.Sha256, Name: "digits.png", MediaType: "image/png", AltText: "digits"}}
	if _, err := client.Send(ctx, &hostv1.SendRequest{Channel: "a/x", Text: "see", Files: named}); err != nil {
		t.Fatal(err)
	}
	file := func() *plugv1.Attachment {
		return &plugv1.Attachment{Kind: &plugv1.Attachment_File{File: &plugv1.File{
			Kind: plugv1.FileKind_FILE_KIND_IMAGE, Name: "digits.png", MediaType: "image/png", AltText: "digits", Size: 2_000_000,
			Spool: &plugv1.SpoolFile{Sha256: taken.Sha256, Size: 2_000_000},
		}}}
	}
	want := api.PlainText("see")
	want.GetMessage().Attachments = []*plugv1.Attachment{file()}
	if !proto.Equal(h.sent, want) {
		t.Errorf("sent %v, want %v", h.sent, want)
	}
	if _, err := client.Send(ctx, &hostv1.SendRequest{Channel: "a/x", Files: named}); err != nil {
		t.Fatal(err)
	}
	if m := h.sent.GetMessage(); m == nil || m.Text != nil || len(m.Attachments) != 1 {
		t.Errorf("without a text: %v", h.sent)
	}
}

// What is not the host's own word on its files is refused.
func TestSendFileRefusals(t *testing.T) {
	h, client, _ := serveFiles(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	taken, err := client.Upload(ctx, strings.NewReader("bytes"))
	if err != nil {
		t.Fatal(err)
	}
	spool := &plugv1.SpoolFile{Sha256: taken.Sha256, Size: 5}
	withSpool := api.PlainText("x")
	withSpool.GetMessage().Attachments = []*plugv1.Attachment{{Kind: &plugv1.Attachment_File{File: &plugv1.File{Spool: spool}}}}
	edit := &plugv1.Action{Kind: &plugv1.Action_Edit{Edit: &plugv1.Edit{Content: withSpool.GetMessage()}}}
	avatar := api.PlainText("x")
	avatar.Author = &plugv1.Author{User: &plugv1.User{Avatar: &plugv1.Avatar{File: spool}}}
	del := &plugv1.Action{Kind: &plugv1.Action_Delete{Delete: &plugv1.Delete{}}}
	one := []*hostv1.SendFile{{Sha256: taken.Sha256}}
	many := make([]*hostv1.SendFile, 33)
	for i := range many {
		many[i] = one[0]
	}
	for name, c := range map[string]struct {
		request *hostv1.SendRequest
		want    string
	}{
		"a file of the store":  {&hostv1.SendRequest{Action: withSpool}, "upload it"},
		"one in an edit":       {&hostv1.SendRequest{Action: edit}, "upload it"},
		"one as an avatar":     {&hostv1.SendRequest{Action: avatar}, "upload it"},
		"a file with a delete": {&hostv1.SendRequest{Action: del, Files: one}, "only a message has files"},
		"too many":             {&hostv1.SendRequest{Text: "x", Files: many}, "33 files"},
		"one that is not here": {&hostv1.SendRequest{Text: "x", Files: []*hostv1.SendFile{{Sha256: make([]byte, 32)}}}, "no such file"},
	} {
		c.request.Channel = "a/x"
		if _, err := client.Send(ctx, c.request); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if h.sent != nil {
		t.Errorf("sent %v", h.sent)
	}
}

// The host's refusal comes while a file is still on its way; one that is cut short is
// not taken.
func TestUploadEnds(t *testing.T) {
	h, client, stop := serveFiles(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := client.Upload(ctx, endless{}); !errors.Is(err, api.ErrRequest) || !strings.Contains(err.Error(), "too large") {
		t.Errorf("endless: %v", err)
	}
	cut := errors.New("the disk failed")
	if _, err := client.Upload(ctx, io.MultiReader(strings.NewReader("half of it"), iotest.ErrReader(cut))); !errors.Is(err, cut) {
		t.Errorf("cut: %v", err)
	}
	stop() // waits for both
	if h.whole {
		t.Error("half a file was taken for a whole one")
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
