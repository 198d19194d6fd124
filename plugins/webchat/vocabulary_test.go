package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// operation names the n-th one.
func operation(n int) string { return fmt.Sprintf("%020d", n) }

func target(receipts ...*plugv1.Receipt) *plugv1.Target { return &plugv1.Target{Receipts: receipts} }

// act asks for an action by Bo of the Garden in the lobby.
func (h *host) act(n int, action *plugv1.Action) *plugv1.PutResponse {
	h.t.Helper()
	r := putRequest(operation(n), "")
	action.Author = r.GetAction().GetAuthor()
	r.Action = action
	return h.put(r)
}

func (h *host) mustAct(n int, action *plugv1.Action) *plugv1.PutResponse {
	h.t.Helper()
	resp := h.act(n, action)
	if resp.GetFailure() != nil {
		h.t.Fatalf("%v: %v", action, resp)
	}
	return resp
}

func editOf(text string, receipts ...*plugv1.Receipt) *plugv1.Action {
	return &plugv1.Action{Kind: &plugv1.Action_Edit{Edit: &plugv1.Edit{Content: &plugv1.Message{Text: plug.NewText(text)}, Target: target(receipts...)}}}
}

func deleteOf(receipts ...*plugv1.Receipt) *plugv1.Action {
	return &plugv1.Action{Kind: &plugv1.Action_Delete{Delete: &plugv1.Delete{Target: target(receipts...)}}}
}

func addOf(emoji string, receipts ...*plugv1.Receipt) *plugv1.Action {
	return &plugv1.Action{Kind: &plugv1.Action_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{Reaction: plug.Emoji(emoji), Target: target(receipts...)}}}
}

// kind names what an event tells.
func kind(e *plugv1.Event) string {
	name := string(e.ProtoReflect().WhichOneof(e.ProtoReflect().Descriptor().Oneofs().ByName("kind")).Name())
	return name + ":" + e.GetMessageId()
}

func kinds(events []*plugv1.Event) string {
	var all []string
	for _, e := range events {
		if e.GetTyping() == nil {
			all = append(all, kind(e))
		}
	}
	return strings.Join(all, " ")
}

// All that the host asks for shows on the page, comes back as an echo that names its
// operation, and is done once however often it is asked for (D3).
func TestActions(t *testing.T) {
	dir := t.TempDir()
	h, _ := start(t, dir)
	s := h.open(nil)
	s.untilCaughtUp()
	m := h.mustPut(operation(1), "frist")
	actions := []*plugv1.Action{
		2: editOf("first", m),
		3: addOf("👍", m),
		4: {Kind: &plugv1.Action_Message{Message: &plugv1.Message{Text: plug.NewText("answer"), ReplyTo: &plugv1.Reply{Target: target(m)}, Emote: true}}},
		5: {Kind: &plugv1.Action_ReactionRemoved{ReactionRemoved: &plugv1.ReactionRemoved{Reaction: plug.Emoji("👍"), Target: target(m)}}},
		6: deleteOf(m),
	}
	var first []*plugv1.PutResponse
	for n := 2; n <= 6; n++ {
		first = append(first, h.mustAct(n, actions[n]))
	}
	if edited := first[0].GetReceipts(); len(edited) != 1 || edited[0].GetId() != m.GetId() || edited[0].GetRevision() == "" {
		t.Errorf("after the edit it is %v", edited)
	}
	events := slices.Clone(s.untilEvents(6))
	want := fmt.Sprintf("message:%[1]s edit:%[1]s reaction_added:%[1]s message:%[2]s reaction_removed:%[1]s delete:%[1]s", m.GetId(), first[2].GetReceipts()[0].GetId())
	if got := kinds(events); got != want {
		t.Errorf("the echoes are %s, want %s", got, want)
	}
	for i, e := range events {
		if e.GetOperationId() != operation(i+1) || e.GetOwn() != plugv1.Own_OWN_YES || e.GetEventId() == "" {
			t.Errorf("echo %d is %v", i, e)
		}
	}
	if e := events[1].GetEdit(); plug.PlainText(e.GetContent().GetText()) != "first" || e.GetRevision() != first[0].GetReceipts()[0].GetRevision() {
		t.Errorf("the edit is %v", e)
	}
	if m2 := events[3].GetMessage(); m2.GetReplyTo().GetMessageId() != m.GetId() || !m2.GetEmote() {
		t.Errorf("the answer is %v", m2)
	}
	h.stop()

	h, _ = start(t, dir)
	for n := 2; n <= 6; n++ {
		again := h.act(n, actions[n])
		if again.GetFailure() != nil && again.GetFailure().GetVerdict() != plugv1.Verdict_VERDICT_ALREADY {
			t.Errorf("%d again: %v", n, again)
		}
	}
	s = h.open(map[string]string{"lobby": "0"})
	s.untilCaughtUp()
	var ids []string
	for i, e := range s.events {
		ids = append(ids, e.GetEventId())
		if e.GetEventId() != events[i].GetEventId() {
			t.Errorf("replayed, event %d has the id %s, had %s", i, e.GetEventId(), events[i].GetEventId())
		}
	}
	if slices.Sort(ids); len(slices.Compact(ids)) != 6 || kinds(s.events) != want {
		t.Errorf("replayed: %s, ids %v", kinds(s.events), ids)
	}
	if text := plug.PlainText(s.events[0].GetMessage().GetText()); text != "" {
		t.Errorf("the deleted message says %q", text)
	}
}

// What can't be done is told as what is certain of it.
func TestActionVerdicts(t *testing.T) {
	h, _ := start(t, t.TempDir())
	s := h.open(nil)
	s.untilCaughtUp()
	h.visit().say("lobby", "Ann's own")
	theirs := &plugv1.Receipt{Id: s.untilEvents(1)[0].GetMessageId()}
	gone, mine := h.mustPut(operation(1), "gone"), h.mustPut(operation(2), "mine")
	h.mustAct(3, deleteOf(gone))
	h.mustAct(4, addOf("👍", mine))
	custom := addOf("", mine)
	custom.GetReactionAdded().Reaction = plug.CustomEmoji("x:1", "")
	for name, c := range map[string]struct {
		action *plugv1.Action
		want   plugv1.Verdict
	}{
		"edit what is gone":      {editOf("x", gone), plugv1.Verdict_VERDICT_TARGET_GONE},
		"edit what never was":    {editOf("x", &plugv1.Receipt{Id: "9999"}), plugv1.Verdict_VERDICT_TARGET_GONE},
		"edit nonsense":          {editOf("x", &plugv1.Receipt{Id: "x"}), plugv1.Verdict_VERDICT_TARGET_GONE},
		"edit Ann's":             {editOf("x", theirs), plugv1.Verdict_VERDICT_REFUSED},
		"delete Ann's":           {deleteOf(theirs), plugv1.Verdict_VERDICT_REFUSED},
		"edit to nothing":        {editOf(" ", mine), plugv1.Verdict_VERDICT_REFUSED},
		"react to what is gone":  {addOf("👍", gone), plugv1.Verdict_VERDICT_TARGET_GONE},
		"react as before":        {addOf("👍", mine), plugv1.Verdict_VERDICT_ALREADY},
		"react with a picture":   {custom, plugv1.Verdict_VERDICT_UNSUPPORTED},
		"react to Ann's message": {addOf("👍", theirs), plugv1.Verdict_VERDICT_UNSPECIFIED},
	} {
		if got := h.act(len(name)+100, c.action).GetFailure(); got.GetVerdict() != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if s.untilEvents(6); len(s.events) != 6 { // what was done, and nothing of what was not
		t.Errorf("told %s", kinds(s.events))
	}
}

// A reaction is taken back from whom it was given by, also when somebody else is the
// last who wants it gone.
func TestReactionOfAnother(t *testing.T) {
	h, _ := start(t, t.TempDir())
	m := h.mustPut(operation(1), "x")
	added := h.mustAct(2, addOf("👍", m)).GetReceipts()
	r := putRequest(operation(3), "")
	r.Action = &plugv1.Action{
		Author: &plugv1.Author{User: &plugv1.User{Id: "cy"}, FormattedName: "Cy"},
		Kind: &plugv1.Action_ReactionRemoved{ReactionRemoved: &plugv1.ReactionRemoved{
			Reaction: plug.Emoji("👍"), Target: target(m), Added: added,
		}},
	}
	if resp := h.put(r); resp.GetFailure() != nil {
		t.Errorf("taken back: %v", resp)
	}
	if resp := h.act(4, addOf("👍", m)); resp.GetFailure() != nil {
		t.Errorf("it was not taken back: %v", resp)
	}
}

// What people do on the page reaches the host in the order in which they did it, with
// who did it, and formatted.
func TestPageActs(t *testing.T) {
	h, _ := start(t, t.TempDir())
	s := h.open(nil)
	s.untilCaughtUp()
	ann := h.visit()
	ann.say("lobby", "so **bold** it is")
	id := s.untilEvents(1)[0].GetMessageId()
	var row int
	fmt.Sscan(id, &row)
	want := func(frame map[string]any) {
		frame["room"], frame["name"], frame["client"], frame["message"] = "lobby", "Ann", fmt.Sprint("client-", frame["type"]), row
		ann.send(frame)
	}
	want(map[string]any{"type": "edit", "text": "/me is *quiet*"})
	want(map[string]any{"type": "react", "emoji": "🎉"})
	want(map[string]any{"type": "unreact", "emoji": "🎉"})
	want(map[string]any{"type": "delete"})
	ann.send(map[string]any{"type": "enter", "room": "lobby", "name": "Ann"})
	s.untilEvents(6)
	if got := kinds(s.events); got != fmt.Sprintf("message:%[1]s edit:%[1]s reaction_added:%[1]s reaction_removed:%[1]s delete:%[1]s members_joined:", id) {
		t.Errorf("told %s", got)
	}
	for i, e := range s.events {
		if e.GetOwn() != plugv1.Own_OWN_NO || e.GetOperationId() != "" {
			t.Errorf("event %d is %v", i, e)
		}
	}
	if segments := s.events[0].GetMessage().GetText().GetSegments(); len(segments) != 3 || segments[1].GetText() != "bold" || !segments[1].GetBold() {
		t.Errorf("the message is %v", segments)
	}
	edit := s.events[1].GetEdit().GetContent()
	if segments := edit.GetText().GetSegments(); len(segments) != 2 || !segments[1].GetItalic() || !edit.GetEmote() || s.events[1].GetAuthor().GetId() != s.events[0].GetAuthor().GetId() {
		t.Errorf("the edit is %v", edit)
	}
	if r := s.events[2]; r.GetReactionAdded().GetReaction().GetEmoji() != "🎉" || r.GetActor().GetDisplayName() != "Ann" || r.GetAuthor() != nil {
		t.Errorf("the reaction is %v", r)
	}
	if users := s.events[5].GetMembersJoined().GetUsers(); len(users) != 1 || users[0].GetDisplayName() != "Ann" {
		t.Errorf("there came %v", users)
	}
}

// Typing goes both ways, and never comes back.
func TestTypingBothWays(t *testing.T) {
	h, _ := start(t, t.TempDir())
	s := h.open(nil)
	s.untilCaughtUp()
	ann := h.visit()
	h.mustAct(1, &plugv1.Action{Kind: &plugv1.Action_Typing{Typing: &plugv1.Typing{Typing: true}}})
	ann.is("typing", "Bo [Garden]")
	ann.send(map[string]any{"type": "typing", "room": "lobby", "name": "Ann", "typing": true})
	s.untilEvents(1)
	ann.send(map[string]any{"type": "typing", "room": "lobby", "name": "Ann", "typing": false})
	s.untilEvents(2)
	for i, typing := range []bool{true, false} {
		if e := s.events[i]; e.GetTyping().GetTyping() != typing || e.GetActor().GetDisplayName() != "Ann" || e.GetTyping() == nil {
			t.Errorf("event %d is %v", i, e)
		}
	}
}

// is waits until the page is told of somebody, by an answer of a type.
func (p *person) is(kind, name string) {
	p.t.Helper()
	for {
		_, data, err := p.conn.Read(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		var a struct {
			Type   string
			People []struct{ Name string }
		}
		if err := json.Unmarshal(data, &a); err != nil {
			p.t.Fatal(err)
		}
		if a.Type == kind && len(a.People) == 1 && a.People[0].Name == name {
			return
		}
	}
}

// Authors of other networks are shown with their picture, if a browser may show it and
// it isn't too large; what they say is shown in any case.
func TestPictures(t *testing.T) {
	h := launch(t)
	spool := t.TempDir()
	resp, err := h.client.Start(h.ctx, &plugv1.StartRequest{Instance: "test", ConfigJson: `{}`, Sources: []string{"lobby"}, StateDir: t.TempDir(), SpoolDir: spool})
	if err != nil || resp.GetFailure() != nil {
		t.Fatal(resp, err)
	}
	if !slices.Contains(resp.GetAbilities().GetFeatures(), plugv1.Feature_FEATURE_AVATAR) {
		t.Error("it names no such feature")
	}
	if err := os.MkdirAll(filepath.Join(spool, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	gif := func(width, height uint16) string {
		return string(binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16([]byte("GIF89a"), width), height)) + "\x00\x00\x00"
	}
	ann := h.visit()
	for i, c := range []struct {
		what, content string
		size          uint64
		shown         bool
	}{
		{"a picture", gif(64, 64), 0, true},
		{"the largest", gif(maxPictureSide, maxPictureSide), maxPictureBytes, true},
		{"too many bytes", gif(64, 65), maxPictureBytes + 1, false},
		{"too wide", gif(maxPictureSide+1, 1), 0, false},
		{"too high", gif(1, maxPictureSide+1), 0, false},
		{"what could run", `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, 0, false},
		{"no picture at all", "text", 0, false},
		{"nothing", "", 0, false},
	} {
		name := fmt.Sprint("avatar", i)
		if err := os.WriteFile(filepath.Join(spool, "in", name), []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		r := putRequest(operation(i), c.what)
		r.Action.Author.User.Avatar = &plugv1.Avatar{Hash: name, File: &plugv1.SpoolFile{Name: name, Size: c.size}}
		if resp := h.put(r); resp.GetFailure() != nil {
			t.Fatalf("%s: %v", c.what, resp)
		}
		want := ""
		if sum := sha256.Sum256([]byte(c.content)); c.shown {
			want = hex.EncodeToString(sum[:])
		}
		if got := ann.sees(c.what); got.Avatar != want {
			t.Errorf("%s: the picture is %q, want %q", c.what, got.Avatar, want)
		}
	}
	r := putRequest(operation(99), "of far away")
	r.Action.Author.User.Avatar = &plugv1.Avatar{Hash: "x", Url: "https://tracker.example/x.png"}
	if h.put(r); ann.sees("of far away").Avatar != "" {
		t.Error("the page would load from elsewhere")
	}
}

// Files go both ways through the spool, never back to where they came from.
func TestFilesBothWays(t *testing.T) {
	h := launch(t)
	spool := t.TempDir()
	resp, err := h.client.Start(h.ctx, &plugv1.StartRequest{Instance: "test", ConfigJson: `{"max_file_mb":1}`, Sources: []string{"lobby", "den"}, StateDir: t.TempDir(), SpoolDir: spool})
	if err != nil || resp.GetFailure() != nil {
		t.Fatal(resp, err)
	}
	if n := resp.GetAbilities().GetLimits().GetFileBytes(); n != megabyte {
		t.Errorf("files may have %d bytes", n)
	}
	s := h.open(nil)
	s.untilCaughtUp()
	gif := "GIF89a\x05\x00\x04\x00\x00\x00\x00"
	for name, content := range map[string]string{"a": gif, "b": strings.Repeat("x", megabyte+1)} {
		if err := os.MkdirAll(filepath.Join(spool, "in"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(spool, "in", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	attach := func(f *plugv1.File) *plugv1.Attachment {
		return &plugv1.Attachment{Kind: &plugv1.Attachment_File{File: f}}
	}
	h.mustAct(1, &plugv1.Action{Kind: &plugv1.Action_Message{Message: &plugv1.Message{Text: plug.NewText("look"), Attachments: []*plugv1.Attachment{
		attach(&plugv1.File{Name: "cat.gif", AltText: "A cat", Spool: &plugv1.SpoolFile{Name: "a"}}),
		attach(&plugv1.File{Name: "film.mp4", Spool: &plugv1.SpoolFile{Name: "b"}}),
		attach(&plugv1.File{Name: "far.png", Url: "https://example.org/far.png"}),
	}}}})
	e := s.untilEvents(1)[0].GetMessage()
	if text := plug.PlainText(e.GetText()); text != "look\n[film.mp4: the file is too large]\nhttps://example.org/far.png" {
		t.Errorf("said %q", text)
	}
	if f := e.GetAttachments()[0].GetFile(); len(e.GetAttachments()) != 1 || f.GetSpool() != nil || f.GetUnavailable() == "" || f.GetName() != "cat.gif" || f.GetAltText() != "A cat" {
		t.Errorf("the echo has %v", e.GetAttachments())
	}

	ann := h.visit()
	up, err := http.Post(h.plug.page.URL()+"files/", "text/plain", bytes.NewReader([]byte(gif)))
	if err != nil {
		t.Fatal(err)
	}
	var uploaded struct{ Hash string }
	b, _ := io.ReadAll(up.Body)
	up.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if err := json.Unmarshal(b, &uploaded); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	ann.send(map[string]any{"type": "say", "room": "lobby", "name": "Ann", "client": "client-1", "text": "", "files": []any{map[string]any{"hash": uploaded.Hash, "name": "dog.gif"}}})
	s.untilEvents(2)
	f := s.events[1].GetMessage().GetAttachments()[0].GetFile()
	if f.GetKind() != plugv1.FileKind_FILE_KIND_IMAGE || f.GetMediaType() != "image/gif" || f.GetName() != "dog.gif" || f.GetWidth() != 5 || f.GetSize() != uint64(len(gif)) {
		t.Errorf("the file is %v", f)
	}
	if b, err := os.ReadFile(filepath.Join(spool, "out", f.GetSpool().GetName())); err != nil || string(b) != gif {
		t.Errorf("in the spool is %q, %v", b, err)
	}
}

// Formatting reaches the page and comes back as it was.
func TestFormatting(t *testing.T) {
	h, _ := start(t, t.TempDir())
	s := h.open(nil)
	s.untilCaughtUp()
	text := &plugv1.Text{Segments: []*plugv1.Segment{
		{Text: "a "}, {Text: "b", Bold: true}, {Text: "c", Italic: true, Strike: true}, {Text: "d", Link: "https://example.org/"},
		{Text: "\n"}, {Text: "e", Preformatted: &plugv1.Preformatted{Language: "go"}},
	}}
	h.mustAct(1, &plugv1.Action{Kind: &plugv1.Action_Message{Message: &plugv1.Message{Text: text}}})
	if got := s.untilEvents(1)[0].GetMessage().GetText(); !proto.Equal(got, text) {
		t.Errorf("came back as %v", got)
	}
}

// The history is told as it stands now.
func TestLookup(t *testing.T) {
	h, _ := start(t, t.TempDir())
	a, b, c := h.mustPut(operation(1), "a"), h.mustPut(operation(2), "b"), h.mustPut(operation(3), "c")
	h.mustAct(4, editOf("A", a))
	h.mustAct(5, deleteOf(b))
	events, err := h.plug.ListMessages(t.Context(), "lobby", c, 10)
	if err != nil || len(events) != 1 || plug.PlainText(events[0].GetMessage().GetText()) != "A" || events[0].GetMessageId() != a.GetId() {
		t.Errorf("before c: %v, %v", events, err)
	}
	if events, err := h.plug.ListMessages(t.Context(), "lobby", nil, 1); err != nil || len(events) != 1 || events[0].GetMessageId() != c.GetId() {
		t.Errorf("the newest: %v, %v", events, err)
	}
	if e, err := h.plug.GetMessage(t.Context(), "lobby", a); err != nil || plug.PlainText(e.GetMessage().GetText()) != "A" {
		t.Errorf("a is %v, %v", e, err)
	}
	if _, err := h.plug.GetMessage(t.Context(), "lobby", b); err == nil {
		t.Error("b is there")
	}
	if _, err := h.plug.ListMembers(t.Context(), "cellar"); err == nil {
		t.Error("there is a cellar")
	}
}
