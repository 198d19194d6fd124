package page

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/plughost/plughost/plugins/webchat/internal/clean"
	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

func TestTooManyRows(t *testing.T) {
	hello := frame{Type: "hello", Rows: map[string]int64{}}
	for i := range maxRows + 1 {
		hello.Rows[fmt.Sprint(i)] = 1
	}
	b, err := json.Marshal(hello)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parse(b); err == nil {
		t.Error("a hello with too many rooms was read")
	}
}

// Whatever bytes a page sends, what comes of them is a change that the room, the
// other pages and the host can take.
func FuzzFrame(f *testing.F) {
	for _, seed := range []frame{
		{Type: "hello", Token: "0123456789abcdef", Chat: "c", Rows: map[string]int64{"a": 1}},
		{Type: "say", Room: "a", Name: "n", Text: "x", Client: "12345678", Message: 5, Files: []attached{{Hash: "x", Name: "../x", Alt: "y"}}},
		{Type: "say", Room: "a", Name: "\u202e \x00n", Text: "/me \r\n\ufffe x\x7f", Client: "operation:1"},
		{Type: "edit", Room: "a", Name: "n", Text: "x", Client: "12345678", Message: -1},
		{Type: "delete", Room: "a", Name: "n", Client: "12345678", Message: 7},
		{Type: "react", Room: "a", Name: "n", Client: "12345678", Message: 7, Emoji: "👍🏽"},
		{Type: "unreact", Room: "a", Name: "n", Client: "12345678", Message: 7, Emoji: ":parrot:"},
		{Type: "enter", Room: "a", Name: "n"},
		{Type: "typing", Room: "a", Name: "n", Typing: true},
		{Type: "older", Room: "a", Before: 1 << 62},
	} {
		b, err := json.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"type":"say","room":"a","name":"\ud800","text":"\udfff x","client":"12345678"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parse(data)
		if err != nil || kinds[got.Type] == 0 {
			return
		}
		got.Files = nil // what is there is not the frame's to say
		c, err := got.toRoom("me", Options{Rooms: []string{"a"}})
		if err != nil {
			return
		}
		if c.Room != "a" || c.By.ID != "me" || c.By.Origin != room.Page || c.About < 0 || !strings.HasPrefix(c.Once, "page:me:") || len(c.Once) > 100 || c.Check() != nil {
			t.Errorf("%q became %+v", data, c)
		}
		if utf8.RuneCountInString(c.By.Name) > maxName || utf8.RuneCountInString(c.Text) > room.MaxText || !utf8.ValidString(c.By.Name+c.Text+c.Emoji+c.Once) {
			t.Errorf("%q became %q by %q", data, c.Text, c.By.Name)
		}
		if strings.ContainsFunc(c.By.Name, unicode.IsControl) || strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(c.Text), unicode.IsControl) {
			t.Errorf("%q has controls: %q by %q", data, c.Text, c.By.Name)
		}
		if c.Kind == room.Reacted && !clean.IsEmoji(c.Emoji) {
			t.Errorf("%q reacts with %q", data, c.Emoji)
		}
		if sent := fromChange(c, "me"); sent.Client != got.Client || fromChange(c, "other").Client != "" {
			t.Errorf("the page's own id %q came back as %q", got.Client, sent.Client)
		}
	})
}
