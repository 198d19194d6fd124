package history

import (
	"path/filepath"
	"testing"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

// An author's picture is there as long as a message of theirs names it; one that isn't
// there is no reason to refuse what was said.
func TestPictures(t *testing.T) {
	files := shelf{"p": true}
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "chat.sqlite"), files)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	with := func(text, picture string) room.Change {
		c := said(ann, text)
		c.Avatar = picture
		return c
	}
	one, two := do(t, s, with("one", "p")), do(t, s, with("two", "p"))
	if none := do(t, s, with("three", "q")); none.Avatar != "" {
		t.Errorf("the picture that isn't there is %q", none.Avatar)
	}
	do(t, s, room.Change{Kind: room.Edited, By: ann, About: one.Row, Content: room.Content{Text: "uno"}})
	if m, err := s.Message(t.Context(), "r", one.Row); err != nil || m.Text != "uno" || m.Avatar != "p" {
		t.Errorf("after an edit: %+v, %v", m, err)
	}
	do(t, s, room.Change{Kind: room.Deleted, By: ann, About: one.Row})
	if used, err := s.FileUsed(t.Context(), "p"); err != nil || !used || !files["p"] {
		t.Errorf("the picture is in use: %v, %v", used, err)
	}
	do(t, s, room.Change{Kind: room.Deleted, By: ann, About: two.Row})
	if len(files) != 0 {
		t.Errorf("there is still %v", files)
	}
}
