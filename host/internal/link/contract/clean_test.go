package contract

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

func cleanText(s string) string { return new(textCleaner).clean(s) }

func TestCleanText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"plain text stays":           {"Grüße, 世界 👋🏽\tok\n", "Grüße, 世界 👋🏽\tok\n"},
		"empty":                      {"", ""},
		"CR LF is one line break":    {"a\r\nb", "a\nb"},
		"CR is a line break":         {"a\rb\r", "a\nb\n"},
		"CR CR LF is two":            {"a\r\r\nb", "a\n\nb"},
		"NEL is a line break":        {"a\u0085b", "a\nb"},
		"C0 controls go":             {"a\x00b\x07c\x1bd\x7fe", "abcde"},
		"C1 controls go":             {"a\u0080b\u009fc", "abc"},
		"non-characters of XML go":   {"a\uFFFEb\uFFFFc", "abc"},
		"invalid bytes are replaced": {"a\xff\xc3b", "a\uFFFD\uFFFDb"},
		"a lone surrogate too":       {"a\xed\xa0\x80b", "a\uFFFD\uFFFD\uFFFDb"},
		"bidi text stays":            {"\u202Eabc\u202C", "\u202Eabc\u202C"},
	} {
		if got := cleanText(c.in); got != c.want {
			t.Errorf("%s: clean(%q) = %q, want %q", name, c.in, got, c.want)
		}
	}
}

func TestCleanName(t *testing.T) {
	t.Parallel()
	zalgo := "a" + strings.Repeat("\u0301", 1000)
	family := "👨‍👩‍👧‍👦"
	for name, c := range map[string]struct{ in, want string }{
		"a formatted name keeps its ending": {"<alice> ", "<alice> "},
		"line breaks are spaces":            {"a\nb\tc\u2028d", "a b c d"},
		"controls go":                       {"al\x00ice\u009b", "alice"},
		"bold, italic and the like go":      {"\x02a\x1db\x1fc\x1ed\x11e\x16f\x0f", "abcdef"},
		"a colour goes with its numbers":    {"\x0304,12red\x03 \x035x", "red x"},
		"a third digit is text":             {"\x031234", "34"},
		"a hex colour too":                  {"\x04FF0000,00ff00red\x04", "red"},
		"bidi overrides go":                 {"\u202Eevil\u202C \u2066x\u2069", "evil x"},
		"bidi marks stay":                   {"\u200Fשלום\u200E", "\u200Fשלום\u200E"},
		"invalid bytes are replaced":        {"a\xffb", "a\uFFFDb"},
		"64 graphemes stay":                 {strings.Repeat(family, 64), strings.Repeat(family, 64)},
		"65 are cut in the middle":          {strings.Repeat("ä", 63) + "> ", strings.Repeat("ä", 47) + "…" + strings.Repeat("ä", 14) + "> "},
		"piled-up marks are taken off":      {"x" + zalgo + "y", "xay"},
	} {
		if got := cleanName(c.in); got != c.want {
			t.Errorf("%s: cleanName(%q) = %q, want %q", name, c.in, got, c.want)
		}
	}
}

func TestCleanLine(t *testing.T) {
	t.Parallel()
	if got, want := CleanLine("no\r\n\x1b[31mway\u202E"), "no  [31mway"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, in := range []string{strings.Repeat("x", 1<<20), strings.Repeat("ä", 1<<12), strings.Repeat("\xff", 1<<12)} {
		got := CleanLine(in)
		if len(got) > lineBytes || len(got) < lineBytes-4 || !utf8.ValidString(got) {
			t.Errorf("%d bytes of %q became %d, valid: %v", len(in), in[:2], len(got), utf8.ValidString(got))
		}
	}
}

// A CR that ends one segment and a LF that begins the next are one line break.
func TestCleanActionOverSegments(t *testing.T) {
	t.Parallel()
	a := &plugv1.Action{
		Author: &plugv1.Author{
			FormattedName: "al\r\nice: ",
			User:          &plugv1.User{Id: "u\n1", Username: "al\x02ice", DisplayName: "A\u202Elice"},
		},
		Kind: &plugv1.Action_Message{Message: &plugv1.Message{Text: &plugv1.Text{
			Segments: []*plugv1.Segment{{Text: "a\r"}, {Text: "\nb\x00"}, {Text: "\n"}},
		}}},
	}
	CleanAction(a)
	var text string
	for _, s := range a.GetMessage().Text.Segments {
		text += s.Text
	}
	if want := "a\nb\n"; text != want {
		t.Errorf("text %q, want %q", text, want)
	}
	u := a.Author.User
	if a.Author.FormattedName != "al  ice: " || u.Username != "alice" || u.DisplayName != "Alice" {
		t.Errorf("names %q, %q, %q", a.Author.FormattedName, u.Username, u.DisplayName)
	}
	if u.Id != "u\n1" {
		t.Errorf("the id was changed to %q; ids are opaque", u.Id)
	}
	CleanAction(&plugv1.Action{}) // an action without author and kind is no trouble
	CleanAction(nil)
}

func FuzzCleanText(f *testing.F) {
	for _, s := range []string{"", "a\r\nb", "\r", "\xff\xfe", "a\uFFFFb\u0085", "👨‍👩‍👧‍👦\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := cleanText(s)
		if !utf8.ValidString(got) {
			t.Fatalf("%q: not valid UTF-8: %q", s, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) && r != '\t' && r != '\n' || r == '\uFFFE' || r == '\uFFFF' {
				t.Fatalf("%q: holds %U", s, r)
			}
		}
		if again := cleanText(got); again != got {
			t.Fatalf("%q: cleaned twice it is %q, once %q", s, again, got)
		}
		// Nothing that a person wrote is lost: what is printable comes through.
		printable := func(s string) string {
			return strings.Map(func(r rune) rune {
				if unicode.IsGraphic(r) && r != utf8.RuneError {
					return r
				}
				return -1
			}, s)
		}
		if a, b := printable(s), printable(got); a != b {
			t.Fatalf("%q: lost text: %q, want %q", s, b, a)
		}
	})
}

func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"", "<alice> ", "\x0304,12red", "a\u202Eb", "\xff", strings.Repeat("é", 70), strings.Repeat("\u0301", 100), strings.Repeat("🇩🇪", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := cleanName(s)
		if !utf8.ValidString(got) {
			t.Fatalf("%q: not valid UTF-8: %q", s, got)
		}
		for _, r := range got {
			bidi := '\u202A' <= r && r <= '\u202E' || '\u2066' <= r && r <= '\u2069'
			if unicode.IsControl(r) || bidi || r == '\u2028' || r == '\u2029' || r == '\uFFFE' || r == '\uFFFF' {
				t.Fatalf("%q: holds %U", s, r)
			}
		}
		if n := uniseg.GraphemeClusterCount(got); n > nameGraphemes {
			t.Fatalf("%q: %d graphemes", s, n)
		}
		if limit := nameGraphemes * graphemeBytes; len(got) > limit {
			t.Fatalf("%q: %d bytes", s, len(got))
		}
	})
}
