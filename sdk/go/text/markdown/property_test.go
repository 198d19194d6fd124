package markdown

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/text"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

var pieces = rapid.OneOf(
	rapid.SampledFrom([]string{
		"*", "**", "***", "_", "__", "~", "~~", "`", "``", "```", "~~~", "[", "](", "](https://a.b)", "!", "![", "<", ">", "<b>", "<https://a.b>",
		"#", "# ", "- ", "+ ", "1. ", "1)", "---", "===", "|", "||", "&amp;", "&#42;", "\\", "\\*", "https://a.b/c_d_(e)", "@everyone",
		" ", "  ", "    ", "\t", "\n", "\n\n", "\u00a0", "\u2028", "a_b", "👨‍👩‍👧", "e\u0301", "שלום", "汉字", "(", ")", ".", "\"", ":",
	}),
	rapid.StringMatching("[a-z]{1,5}"), rapid.String(),
)

func formatted(s *plugv1.Segment, bits int) *plugv1.Segment {
	s.Bold, s.Italic, s.Strike, s.Code, s.Underline = bits&1 > 0, bits&2 > 0, bits&4 > 0, bits&8 > 0, bits&16 > 0
	if bits&32 > 0 {
		s.Link = "https://a.b/(c)_d?e&amp;f"
	}
	if bits&64 > 0 {
		s.Preformatted = &plugv1.Preformatted{Language: "go"}
	}
	return s
}

func drawText() *rapid.Generator[*plugv1.Text] {
	return rapid.Custom(func(t *rapid.T) *plugv1.Text {
		out := &plugv1.Text{}
		for range rapid.IntRange(0, 6).Draw(t, "segments") {
			s := plain(strings.Join(rapid.SliceOfN(pieces, 1, 5).Draw(t, "text"), ""))
			out.Segments = append(out.Segments, formatted(s, rapid.IntRange(0, 127).Draw(t, "format")&rapid.IntRange(0, 127).Draw(t, "mask")))
		}
		return text.Normalise(out)
	})
}

// sayable is the characters of a text that Markdown can say.
func sayable(t *plugv1.Text) string {
	var kept []string
	for _, l := range (Format{}).linesOf(text.Normalise(t)) {
		var b strings.Builder
		for _, r := range l.runs {
			b.WriteString(r.text)
		}
		kept = append(kept, b.String())
	}
	return strings.Join(kept, "\n")
}

func TestPlainTextStaysPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := text.Normalise(text.New(text.Plain(drawText().Draw(t, "text"))))
		written := Format{}.Render(given)
		got := Format{}.Parse(written)
		for _, s := range got.GetSegments() {
			if !text.IsPlain(s) {
				t.Fatalf("%q became %q, which is %v", text.Plain(given), written, got)
			}
		}
		if want := sayable(given); text.Plain(got) != want {
			t.Fatalf("%q is %q, want %q", written, text.Plain(got), want)
		}
		if strings.Contains(discordFormat.Render(given), "@everyone") {
			t.Fatalf("%q notifies", written)
		}
		for _, s := range (Format{Discord: true}).Parse(discordFormat.Render(given)).GetSegments() {
			if !text.IsPlain(s) {
				t.Fatalf("%q became %v", discordFormat.Render(given), s)
			}
		}
	})
}

// character is one character and what stands out about it.
type character struct {
	c      rune
	format [6]bool
}

func characters(t *plugv1.Text) []character {
	var all []character
	for _, s := range t.GetSegments() {
		for _, c := range s.GetText() {
			if !unicode.IsSpace(c) {
				all = append(all, character{c, [6]bool{s.GetBold(), s.GetItalic(), s.GetStrike(), s.GetCode(), s.GetLink() != "", s.GetPreformatted() != nil}})
			}
		}
	}
	return all
}

// Whatever a text is, its characters come back, and none has a formatting that it
// didn't have.
func TestParseOfRenderAddsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := drawText().Draw(t, "text")
		written := Format{}.Render(given)
		got := Format{}.Parse(written)
		if text.Plain(got) != sayable(given) {
			t.Fatalf("%q is %q, want %q", written, text.Plain(got), sayable(given))
		}
		want := characters(given)
		for i, c := range characters(got) {
			for n, set := range c.format {
				if set && !want[i].format[n] {
					t.Fatalf("%q: %q has format %d, given %v, got %v", written, c.c, n, given, got)
				}
			}
		}
		if again := (Format{}).Parse(Format{}.Render(got)); !sameButBlanks(again, got) {
			t.Fatalf("%q became %q: %v, then %v", written, Format{}.Render(got), got, again)
		}
	})
}

// Words between blanks can have any formatting.
func TestParseOfRenderIsTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := &plugv1.Text{}
		for i := range rapid.IntRange(1, 8).Draw(t, "words") {
			if i > 0 {
				given.Segments = append(given.Segments, plain(rapid.SampledFrom([]string{" ", "  ", "\n", "\n\n", " ("}).Draw(t, "blank")))
			}
			word := rapid.StringMatching("[a-z](['*_.`~<-]?[a-z0-9é汉]){0,5}").Draw(t, "word")
			s := formatted(plain(word), rapid.IntRange(0, 127).Draw(t, "format")&rapid.IntRange(0, 127).Draw(t, "mask"))
			s.Underline = false
			if s.GetPreformatted() != nil {
				s = pre(word, "go")
			}
			given.Segments = append(given.Segments, s)
		}
		given = text.Normalise(given)
		written := Format{}.Render(given)
		if got := (Format{}).Parse(written); !sameButBlanks(got, given) {
			t.Fatalf("%q is %v, want %v", written, got, given)
		}
	})
}

// sameButBlanks compares formatting and characters, but for the formatting of blanks.
func sameButBlanks(a, b *plugv1.Text) bool {
	return sayable(a) == sayable(b) && fmt.Sprint(characters(a)) == fmt.Sprint(characters(b))
}

func TestSplitRendered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := drawText().Draw(t, "text")
		limits := &plugv1.Limits{TextLength: uint32(rapid.IntRange(60, 120).Draw(t, "length")), TextUnit: plugv1.LengthUnit_LENGTH_UNIT_UTF16}
		var joined strings.Builder
		for _, part := range text.SplitRendered(given, "*ann*: ", limits, discordFormat.Render) {
			if n := text.Len(discordFormat.Render(part), limits.GetTextUnit()); n > int(limits.GetTextLength()) {
				t.Fatalf("%q is %d long", discordFormat.Render(part), n)
			}
			joined.WriteString(strings.TrimPrefix(text.Plain(part), "*ann*: "))
		}
		if got, want := strings.Join(strings.Fields(joined.String()), ""), strings.Join(strings.Fields(text.Plain(given)), ""); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestHostileMarkdown(t *testing.T) {
	const n = 50_000
	for name, s := range map[string]string{
		"stars":     strings.Repeat("*", n),
		"openers":   strings.Repeat("*a ", n),
		"pairs":     strings.Repeat("**a*b", n),
		"tildes":    strings.Repeat("~a ", n),
		"few links": strings.Repeat("[a](", 500) + strings.Repeat("a", n),
		"lazy":      strings.Repeat(">", 100) + strings.Repeat("a\n", n),
		"nested":    strings.Repeat(strings.Repeat("> ", 99)+"a\n", n/200),
		"indented":  strings.Join(slices.Collect(steps(240)), ""),
		"brackets":  strings.Repeat("[", n),
		"links":     strings.Repeat("[a](", n),
		"closers":   strings.Repeat("[a]", n),
		"ticks":     strings.Repeat("` `` ", n),
		"quotes":    strings.Repeat(">", n) + strings.Repeat("a\n", n),
		"lists":     strings.Repeat("- ", n) + "a",
		"items":     strings.Repeat("- a\n", n),
		"less than": strings.Repeat("<a", n),
		"entities":  strings.Repeat("&amp", n),
		"lines":     strings.Repeat("a\n", n),
		"escapes":   strings.Repeat("\\", n),
	} {
		t.Run(name, func(t *testing.T) {
			s := s[:min(len(s), MaxBytes)]
			begin := time.Now()
			got := Format{}.Parse(s)
			if size := proto.Size(got); size > 40*len(s) {
				t.Errorf("%d bytes became %d", len(s), size)
			}
			Format{}.Render(got)
			if d := time.Since(begin); d > 20*time.Second { // some 0.2 s; with the square of n, minutes
				t.Errorf("took %v", d)
			}
		})
	}
}

// steps are ever deeper items.
func steps(n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range n {
			if !yield(strings.Repeat("  ", i) + "- a\n") {
				return
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("# a\n**b *c*** ~~d~~ `e` [f](https://a.b) <https://g.h>\n> i\n- j\n  1. k\n```go\nl\n```\n\\*m\\* &amp; __n__")
	f.Fuzz(func(t *testing.T, s string) {
		for _, format := range []Format{{}, {Discord: true}} {
			got := format.Parse(s)
			if !proto.Equal(got, text.Normalise(got)) {
				t.Fatalf("%v is not normal", got)
			}
			for _, segment := range got.GetSegments() {
				if text.IsMention(segment) {
					t.Fatalf("%v mentions", got)
				}
			}
			again := format.Parse(format.Render(got))
			if !format.Discord && text.Plain(again) != sayable(got) {
				t.Fatalf("%q became %q", sayable(got), text.Plain(again))
			}
		}
	})
}
