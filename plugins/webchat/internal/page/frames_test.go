package page

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

func TestCleaning(t *testing.T) {
	for name, want := range map[string]string{
		" Ann \t\n Lee ":          "Ann Lee",
		"\u202eevil\u202c":        "evil",
		"مريم":                    "مريم",
		"👩‍👩‍👧 Family":            "👩‍👩‍👧 Family",
		"a\x00\x1b[31mb\u0085c":   "a [31mb c",
		"x\ufffe\U0010ffff\ufffd": "x\ufffd",
	} {
		if got := cleanName(name); got != want {
			t.Errorf("name %q became %q, want %q", name, got, want)
		}
	}
	for text, want := range map[string]string{
		"  a\r\nb\rc\td \n\n":  "  a\nb\nc\td",
		"a\x00\x1b[31mb\u0085": "a[31mb",
		"x\ufffe\U0010ffffy":   "xy",
	} {
		if got := cleanText(text); got != want {
			t.Errorf("text %q became %q, want %q", text, got, want)
		}
	}
}

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

// Whatever bytes a page sends, what comes of them is a message that the room, the
// other pages and the host can take.
func FuzzFrame(f *testing.F) {
	for _, seed := range []frame{
		{Type: "hello", Token: "0123456789abcdef", Chat: "c", Rows: map[string]int64{"a": 1}},
		{Type: "say", Room: "a", Name: "n", Text: "x", Client: "12345678"},
		{Type: "say", Room: "a", Name: "\u202e \x00n", Text: "\r\n\ufffe x\x7f", Client: "operation:1"},
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
		if err != nil {
			return
		}
		m, err := got.toRoom("me", []string{"a"})
		if err != nil {
			return
		}
		if m.Room != "a" || m.AuthorID != "me" || m.Bridged || !strings.HasPrefix(m.Once, "page:me:") || len(m.Once) > 100 || m.Check() != nil {
			t.Errorf("%q became %+v", data, m)
		}
		if utf8.RuneCountInString(m.Author) > maxName || utf8.RuneCountInString(m.Text) > room.MaxText || !utf8.ValidString(m.Author+m.Text+m.Once) {
			t.Errorf("%q became %q by %q", data, m.Text, m.Author)
		}
		if strings.ContainsFunc(m.Author, unicode.IsControl) || strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(m.Text), unicode.IsControl) {
			t.Errorf("%q has controls: %q by %q", data, m.Text, m.Author)
		}
		if sent := fromRoom(m, "me"); sent.Client != got.Client || fromRoom(m, "other").Client != "" {
			t.Errorf("the page's own id %q came back as %q", got.Client, sent.Client)
		}
	})
}
