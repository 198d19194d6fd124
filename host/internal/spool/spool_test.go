package spool_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/internal/disk/disktest"
	"github.com/plughost/plughost/host/internal/files"
	"github.com/plughost/plughost/host/internal/spool"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// bench is a store and a plug's spool.
type bench struct {
	*testing.T
	store   *files.Store
	out, in string
}

func newBench(t *testing.T) *bench {
	s, err := files.Open(files.Options{Dir: filepath.Join(t.TempDir(), "files"), MaxFileBytes: 1000, MaxBytes: 1 << 20})
	check(t, err)
	return &bench{t, s, t.TempDir(), t.TempDir()}
}

func (b *bench) put(name, content string) {
	b.Helper()
	check(b, os.WriteFile(filepath.Join(b.out, name), []byte(content), 0o600))
}

// hold has the store hold some content.
func (b *bench) hold(content string) *plugv1.SpoolFile {
	b.Helper()
	b.put("held", content)
	blob, err := b.store.Take(b.Context(), b.out, "held")
	check(b, err)
	return &plugv1.SpoolFile{Sha256: blob.Hash[:], Size: uint64(blob.Size)}
}

func (b *bench) given() []string {
	b.Helper()
	entries, err := os.ReadDir(b.in)
	check(b, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func equal(t *testing.T, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", prototext.Format(got), prototext.Format(want))
	}
}

func named(name string) *plugv1.SpoolFile { return &plugv1.SpoolFile{Name: name} }

func stored(content string) *plugv1.SpoolFile {
	sum := sha256.Sum256([]byte(content))
	return &plugv1.SpoolFile{Sha256: sum[:], Size: uint64(len(content))}
}

func attached(f *plugv1.File) *plugv1.Attachment {
	return &plugv1.Attachment{Kind: &plugv1.Attachment_File{File: f}}
}

func user(id string, avatar *plugv1.SpoolFile) *plugv1.User {
	return &plugv1.User{Id: id, Avatar: &plugv1.Avatar{Hash: "h", File: avatar}}
}

func message(m *plugv1.Message) *plugv1.Event {
	return &plugv1.Event{EventId: "1", Kind: &plugv1.Event_Message{Message: m}}
}

// D5: a message that comes with a file while the disk is full is not received without it:
// it stays as it is, and comes with it when there is room. No message waits for a picture.
func TestReceiveOnAFullDisk(t *testing.T) {
	b := newBench(t)
	d := disktest.New(t, 4<<20)
	var err error
	b.store, err = files.Open(files.Options{Dir: filepath.Join(d.Dir, "files"), MaxFileBytes: 1000, MaxBytes: 1 << 20})
	check(t, err)
	b.put("cat", "meow")
	b.put("face", "smile")
	sent := message(&plugv1.Message{Attachments: []*plugv1.Attachment{attached(&plugv1.File{Name: "cat.png", Spool: named("cat")})}})
	e := proto.CloneOf(sent)
	d.Fill(0)
	if err := spool.Receive(t.Context(), b.store, b.out, e); !files.DiskFull(err) {
		t.Errorf("with a file: %v", err)
	}
	equal(t, e, sent)
	pictured := message(&plugv1.Message{ReplyTo: &plugv1.Reply{MessageId: "0", Author: user("ann", named("face"))}})
	check(t, spool.Receive(t.Context(), b.store, b.out, pictured))
	d.Clear()
	check(t, spool.Receive(t.Context(), b.store, b.out, e))
	equal(t, e, message(&plugv1.Message{Attachments: []*plugv1.Attachment{attached(&plugv1.File{Name: "cat.png", Size: 4, Spool: stored("meow")})}}))
}

func TestReceive(t *testing.T) {
	b := newBench(t)
	b.put("cat", "meow")
	b.put("face", "smile")
	b.put("large", string(make([]byte, 1001)))
	check(t, os.Symlink("cat", filepath.Join(b.out, "link")))
	foreign := b.hold("the secret of another plug")
	place := &plugv1.Attachment{Kind: &plugv1.Attachment_Location{Location: &plugv1.Location{Name: "home"}}}

	e := message(&plugv1.Message{
		Text:    &plugv1.Text{Segments: []*plugv1.Segment{{Text: "hello"}}},
		ReplyTo: &plugv1.Reply{MessageId: "0", Author: user("ann", named("face"))},
		Attachments: []*plugv1.Attachment{
			attached(&plugv1.File{Name: "cat.png", Size: 99, Spool: named("cat"), Unavailable: "not yet"}),
			place,
			attached(&plugv1.File{Name: "film", Spool: named("large"), Url: "https://example.org/film"}),
			attached(&plugv1.File{Name: "trick", Spool: named("link")}),
			attached(&plugv1.File{Name: "gone", Spool: named("nothing")}),
			attached(&plugv1.File{Name: "guessed", Spool: proto.CloneOf(foreign)}),
			attached(&plugv1.File{Name: "mixed", Spool: &plugv1.SpoolFile{Name: "cat", Sha256: foreign.Sha256, Size: 7}}),
			attached(&plugv1.File{Name: "early", Unavailable: "the network has deleted it"}),
			attached(&plugv1.File{Name: "linked", Url: "https://example.org/x"}),
			{},
		},
	})
	e.Author, e.Actor = user("ann", named("face")), user("bob", named("nothing"))
	names := spool.Names(e)
	if want := []string{"face", "nothing", "cat", "large", "link"}; !slices.Equal(names, want) {
		t.Errorf("names %q, want %q", names, want)
	}
	before := b.store.Stats().Taken
	check(t, spool.Receive(t.Context(), b.store, b.out, e))

	want := message(&plugv1.Message{
		Text:    &plugv1.Text{Segments: []*plugv1.Segment{{Text: "hello"}}},
		ReplyTo: &plugv1.Reply{MessageId: "0", Author: user("ann", stored("smile"))},
		Attachments: []*plugv1.Attachment{
			attached(&plugv1.File{Name: "cat.png", Size: 4, Spool: stored("meow")}),
			place,
			attached(&plugv1.File{Name: "film", Unavailable: "it is larger than 1000 B", Url: "https://example.org/film"}),
			attached(&plugv1.File{Name: "trick", Unavailable: "the plug did not hand over a plain file"}),
			attached(&plugv1.File{Name: "gone", Unavailable: "it is no longer there"}),
			attached(&plugv1.File{Name: "guessed", Unavailable: "the plug named no file"}),
			attached(&plugv1.File{Name: "mixed", Size: 4, Spool: stored("meow")}),
			attached(&plugv1.File{Name: "early", Unavailable: "the network has deleted it"}),
			attached(&plugv1.File{Name: "linked", Url: "https://example.org/x"}),
			{},
		},
	})
	want.Author, want.Actor = user("ann", stored("smile")), &plugv1.User{Id: "bob"}
	equal(t, e, want)
	if taken := b.store.Stats().Taken - before; taken != 2 {
		t.Errorf("two files were taken %d times", taken)
	}
	// What is in the spool stays for the caller, who journals the event first.
	if _, err := os.Stat(filepath.Join(b.out, "cat")); err != nil {
		t.Error(err)
	}
}

func TestReceiveAvatars(t *testing.T) {
	b := newBench(t)
	b.put("face", "smile")
	address := &plugv1.User{Avatar: &plugv1.Avatar{Hash: "h", Url: "https://example.org/face", File: named("nothing")}}
	e := &plugv1.Event{Kind: &plugv1.Event_MembersJoined{MembersJoined: &plugv1.MembersJoined{Users: []*plugv1.User{
		user("ann", named("face")), user("bob", named("nothing")), user("eve", nil), address, {Id: "joe"}, user("guess", b.hold("x")),
	}}}}
	check(t, spool.Receive(t.Context(), b.store, b.out, e))
	equal(t, e, &plugv1.Event{Kind: &plugv1.Event_MembersJoined{MembersJoined: &plugv1.MembersJoined{Users: []*plugv1.User{
		user("ann", stored("smile")),
		{Id: "bob"},
		user("eve", nil), // came before, says the plug
		{Avatar: &plugv1.Avatar{Hash: "h", Url: "https://example.org/face"}},
		{Id: "joe"},
		{Id: "guess"},
	}}}})
}

func TestReceiveEdit(t *testing.T) {
	b := newBench(t)
	b.put("cat", "meow")
	content := &plugv1.Message{Attachments: []*plugv1.Attachment{attached(&plugv1.File{Spool: named("cat")})}}
	e := &plugv1.Event{Kind: &plugv1.Event_Edit{Edit: &plugv1.Edit{Content: content}}}
	check(t, spool.Receive(t.Context(), b.store, b.out, e))
	equal(t, content.Attachments[0].GetFile(), &plugv1.File{Size: 4, Spool: stored("meow")})
}

// Events that bring no files, whole or not, are left alone.
func TestReceiveNothing(t *testing.T) {
	b := newBench(t)
	for _, e := range []*plugv1.Event{
		{},
		{Kind: &plugv1.Event_Message{}},
		message(nil),
		message(&plugv1.Message{ReplyTo: &plugv1.Reply{}, Attachments: []*plugv1.Attachment{nil, {}}}),
		{Kind: &plugv1.Event_Edit{Edit: &plugv1.Edit{}}},
		{Kind: &plugv1.Event_Delete{Delete: &plugv1.Delete{}}, Author: &plugv1.User{}},
		{Kind: &plugv1.Event_MembersLeft{MembersLeft: &plugv1.MembersLeft{Users: []*plugv1.User{nil, {}}}}},
	} {
		want := proto.CloneOf(e)
		check(t, spool.Receive(t.Context(), b.store, b.out, e))
		equal(t, e, want)
	}
}

// ends is a context that ends when it has been asked a few times.
type ends struct {
	context.Context
	asked int
}

func (e *ends) Err() error {
	if e.asked--; e.asked < 0 {
		return context.Canceled
	}
	return nil
}

// An event that could not be received is as the plug sent it, and can be received
// again.
func TestReceiveEndsWithItsContext(t *testing.T) {
	b := newBench(t)
	b.put("cat", "meow")
	b.put("dog", "woof")
	e := message(&plugv1.Message{Attachments: []*plugv1.Attachment{
		attached(&plugv1.File{Spool: named("cat")}), attached(&plugv1.File{Spool: named("dog")}),
	}})
	sent := proto.CloneOf(e)
	for asked := range 4 {
		if err := spool.Receive(&ends{t.Context(), asked}, b.store, b.out, e); !errors.Is(err, context.Canceled) {
			t.Fatalf("asked %d times: %v", asked, err)
		}
		equal(t, e, sent)
	}
	check(t, spool.Receive(t.Context(), b.store, b.out, e))
	equal(t, e.GetMessage().Attachments[1].GetFile().Spool, stored("woof"))
}

func TestDeliver(t *testing.T) {
	b := newBench(t)
	cat := b.hold("meow")
	a := &plugv1.Action{
		Author: &plugv1.Author{User: user("ann", b.hold("smile")), FormattedName: "Ann"},
		Kind: &plugv1.Action_Message{Message: &plugv1.Message{Attachments: []*plugv1.Attachment{
			attached(&plugv1.File{Name: "cat.png", Spool: proto.CloneOf(cat)}),
			attached(&plugv1.File{Name: "../same", Spool: proto.CloneOf(cat)}),
			attached(&plugv1.File{Name: "old", Spool: stored("never held")}),
			attached(&plugv1.File{Name: "odd", Spool: &plugv1.SpoolFile{Sha256: []byte("short")}}),
			attached(&plugv1.File{Name: "linked", Url: "https://example.org/x"}),
		}}},
	}
	cleanup, err := spool.Deliver(t.Context(), b.store, b.in, a)
	check(t, err)
	var names []string
	for i, want := range []string{"smile", "meow", "meow"} {
		f := a.Author.User.Avatar.File
		if i > 0 {
			f = a.GetMessage().Attachments[i-1].GetFile().Spool
		}
		names = append(names, f.Name)
		if got, err := os.ReadFile(filepath.Join(b.in, f.Name)); err != nil || string(got) != want {
			t.Errorf("%q holds %q, %v, want %q", f.Name, got, err, want)
		}
		equal(t, &plugv1.SpoolFile{Sha256: f.Sha256, Size: f.Size}, stored(want))
	}
	// Two files are two copies, since a plug may do with its own what it likes.
	if slices.Sort(names); !slices.Equal(names, b.given()) || len(slices.Compact(names)) != 3 {
		t.Errorf("names %q, in the spool %q", names, b.given())
	}
	for i, want := range []*plugv1.File{
		{Name: "old", Unavailable: "it is no longer kept"},
		{Name: "odd", Unavailable: "it is no longer kept"},
		{Name: "linked", Url: "https://example.org/x"},
	} {
		equal(t, a.GetMessage().Attachments[i+2].GetFile(), want)
	}

	cleanup()
	if left := b.given(); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	// Again it removes nothing, whatever has come since.
	check(t, os.WriteFile(filepath.Join(b.in, names[0]), nil, 0o600))
	cleanup()
	if left := b.given(); len(left) != 1 {
		t.Errorf("left are %q", left)
	}
}

func TestDeliverDropsAnAvatar(t *testing.T) {
	b := newBench(t)
	a := &plugv1.Action{Author: &plugv1.Author{User: user("ann", stored("never held"))}}
	cleanup, err := spool.Deliver(t.Context(), b.store, b.in, a)
	check(t, err)
	cleanup()
	equal(t, a, &plugv1.Action{Author: &plugv1.Author{User: &plugv1.User{Id: "ann"}}})
}

// A fault leaves nothing behind, and is told; it is not the end of the message.
func TestDeliverFails(t *testing.T) {
	b := newBench(t)
	a := &plugv1.Action{Kind: &plugv1.Action_Edit{Edit: &plugv1.Edit{Content: &plugv1.Message{Attachments: []*plugv1.Attachment{
		attached(&plugv1.File{Spool: b.hold("one")}), attached(&plugv1.File{Spool: b.hold("two")}),
	}}}}}
	try := proto.CloneOf(a)
	cleanup, err := spool.Deliver(t.Context(), b.store, filepath.Join(b.in, "none"), try)
	if err == nil || errors.Is(err, files.ErrGone) {
		t.Errorf("without a spool: %v", err)
	}
	cleanup()
	for asked := 0; ; asked++ {
		try := proto.CloneOf(a)
		cleanup, err := spool.Deliver(&ends{t.Context(), asked}, b.store, b.in, try)
		if err == nil && asked > 1 {
			cleanup()
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("asked %d times: %v", asked, err)
		}
		if left := b.given(); len(left) > 0 {
			t.Errorf("left are %q", left)
		}
		cleanup()
	}
	picture := &plugv1.Action{Author: &plugv1.Author{User: user("ann", b.hold("smile"))}}
	if _, err := spool.Deliver(&ends{Context: t.Context()}, b.store, b.in, picture); !errors.Is(err, context.Canceled) {
		t.Errorf("without time for a picture: %v", err)
	}
	cleanup, err = spool.Deliver(t.Context(), b.store, b.in, a)
	check(t, err)
	if len(b.given()) != 2 {
		t.Errorf("given are %q", b.given())
	}
	cleanup()
}

func TestHashes(t *testing.T) {
	one, two := stored("one"), stored("two")
	a := &plugv1.Action{
		Author: &plugv1.Author{User: user("ann", one)},
		Kind: &plugv1.Action_Message{Message: &plugv1.Message{Attachments: []*plugv1.Attachment{
			attached(&plugv1.File{Spool: two}), attached(&plugv1.File{}), attached(&plugv1.File{Spool: named("x")}),
		}}},
	}
	got := spool.Hashes(a)
	if len(got) != 2 || !bytes.Equal(got[0][:], one.Sha256) || !bytes.Equal(got[1][:], two.Sha256) {
		t.Errorf("hashes %v", got)
	}
}
