package text

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func text(segments ...*plugv1.Segment) *plugv1.Text { return &plugv1.Text{Segments: segments} }

func plain(s string) *plugv1.Segment { return &plugv1.Segment{Text: s} }

func bold(s string) *plugv1.Segment { return &plugv1.Segment{Text: s, Bold: true} }

func link(s, url string) *plugv1.Segment { return &plugv1.Segment{Text: s, Link: url} }

func pre(s, language string) *plugv1.Segment {
	return &plugv1.Segment{Text: s, Preformatted: &plugv1.Preformatted{Language: language}}
}

func ann(s string) *plugv1.Segment {
	return &plugv1.Segment{Text: s, Mention: &plugv1.Mention{User: &plugv1.User{Id: "7", Username: "ann"}}}
}

func equalTexts(a, b []*plugv1.Text) bool {
	return slices.EqualFunc(a, b, func(a, b *plugv1.Text) bool { return proto.Equal(a, b) })
}

// pieces are what texts are drawn from: words, breaks, and characters that go wrong.
var pieces = rapid.OneOf(
	rapid.SampledFrom([]string{
		" ", "  ", "\n", "\t", "\n\n", "e\u0301", "👨‍👩‍👧", "🇩🇪", "🇩🇪🇫🇷", "한국", "เก้า", "नि", " \u0301", "…", "a\u200db",
		"שלום", "مرحبا", "@everyone", "\u202eevil", "```", "*", "<b>",
	}),
	rapid.StringMatching(`[a-zé]{1,12}`),
	rapid.String(),
)

// richText draws a normal text.
func richText() *rapid.Generator[*plugv1.Text] {
	segment := rapid.Custom(func(t *rapid.T) *plugv1.Segment {
		s := plain(strings.Join(rapid.SliceOfN(pieces, 0, 6).Draw(t, "pieces"), ""))
		switch rapid.IntRange(0, 8).Draw(t, "kind") {
		case 0:
			s.Bold = true
		case 1:
			s.Italic, s.Strike = true, true
		case 2:
			s.Underline, s.Link = true, "https://example.org/"+strings.Repeat("x", rapid.IntRange(0, 60).Draw(t, "link"))
		case 3:
			s.Code = true
		case 4:
			s.Preformatted = &plugv1.Preformatted{Language: rapid.SampledFrom([]string{"", "go"}).Draw(t, "language")}
		case 5:
			s.Mention = ann("").Mention
		case 6:
			s.MassMention = plugv1.MassMention_MASS_MENTION_HERE
		}
		return s
	})
	return rapid.Custom(func(t *rapid.T) *plugv1.Text {
		return Normalise(text(rapid.SliceOfN(segment, 0, 8).Draw(t, "segments")...))
	})
}

func drawLimits(t *rapid.T, shortest int) *plugv1.Limits {
	return &plugv1.Limits{
		TextLength: uint32(rapid.IntRange(shortest, shortest+50).Draw(t, "length")),
		TextUnit:   plugv1.LengthUnit(rapid.IntRange(0, 3).Draw(t, "unit")),
		TextLines:  uint32(rapid.IntRange(0, 4).Draw(t, "lines")),
		Parts:      uint32(rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(t, "parts")),
	}
}

func TestSplitKeepsFormatting(t *testing.T) {
	runes := func(n uint32) *plugv1.Limits { return &plugv1.Limits{TextLength: n} }
	for name, c := range map[string]struct {
		text   *plugv1.Text
		prefix string
		limits *plugv1.Limits
		want   []*plugv1.Text
	}{
		"fits": {text(plain("a "), bold("b")), "x: ", nil, []*plugv1.Text{text(plain("x: "), plain("a "), bold("b"))}},
		"carried over": {text(plain("one "), bold("two three"), plain(" four")), "", runes(8), []*plugv1.Text{
			text(plain("one "), bold("two")), text(bold("three")), text(plain("four")),
		}},
		"block": {text(plain("see:\n"), pre("a b\nc d", "go"), plain("\nend")), "x ", &plugv1.Limits{TextLines: 2}, []*plugv1.Text{
			text(plain("x "), plain("see:\n"), pre("a b", "go")), text(plain("x "), pre("c d", "go"), plain("\nend")),
		}},
		"link in each": {text(link("one two", "http://a.b")), "", runes(4), []*plugv1.Text{
			text(link("one", "http://a.b")), text(link("two", "http://a.b")),
		}},
		"mention is whole": {text(plain("hi "), ann("Ann Lee"), plain("!")), "", runes(8), []*plugv1.Text{
			text(plain("hi")), text(ann("Ann Lee"), plain("!")),
		}},
		"mention over the part": {text(ann("Annabella")), "", runes(4), []*plugv1.Text{
			text(ann("Anna")), text(plain("bell")), text(plain("a")),
		}},
		"mark of a mention's end": {text(plain("abc "), ann("e"), plain("\u0301f")), "", runes(5), []*plugv1.Text{
			text(plain("abc")), text(ann("e"), plain("\u0301f")),
		}},
		"grapheme of two segments": {text(plain("abce"), bold("\u0301f")), "", runes(4), []*plugv1.Text{
			text(plain("abc")), text(plain("e"), bold("\u0301f")),
		}},
		"ellipsis is formatted": {text(bold("one two three")), "", &plugv1.Limits{TextLength: 8, Parts: 1}, []*plugv1.Text{text(bold("one two…"))}},
		"ellipsis of a mention": {text(ann("Ann"), plain(" and others")), "", &plugv1.Limits{TextLength: 4, Parts: 1}, []*plugv1.Text{
			text(ann("Ann"), plain("…")),
		}},
		"nil": {nil, "", nil, []*plugv1.Text{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Split(c.text, c.prefix, c.limits); !equalTexts(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// A split text has the parts that its plain text has, but for mentions, and each
// character its formatting.
func TestSplitRichProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rich := richText().Draw(t, "text")
		limits := drawLimits(t, 12)
		prefix := rapid.SampledFrom([]string{"", "x: ", "<é> "}).Draw(t, "prefix")
		parts := Split(rich, prefix, limits)
		if !slices.ContainsFunc(rich.GetSegments(), IsMention) {
			if want := simpleSplit(Plain(rich), prefix, limits); !slices.Equal(plains(parts), want) {
				t.Fatalf("got %q, want %q", plains(parts), want)
			}
		}
		if same := SplitRendered(rich, prefix, limits, Plain); !equalTexts(parts, same) {
			t.Fatalf("got %v, but rendered as plain text %v", parts, same)
		}
		checkParts(t, rich, parts, prefix, limits, Plain)
		checkFormats(t, rich, parts, prefix)
	})
}

// checkParts holds for any render: nothing is too long, nothing but breaks is lost.
func checkParts(t *rapid.T, rich *plugv1.Text, parts []*plugv1.Text, prefix string, limits *plugv1.Limits, render func(*plugv1.Text) string) {
	r := newRuler(limits)
	rest := Plain(rich)
	for i, p := range parts {
		if sent := render(p); !r.fits(sent) {
			t.Fatalf("part %q is %d long, of %v", sent, r.measure(sent), limits)
		}
		if prefix != "" && (len(p.GetSegments()) == 0 || !proto.Equal(p.GetSegments()[0], plain(prefix))) {
			t.Fatalf("part %v has no prefix", p)
		}
		own := strings.TrimPrefix(Plain(p), prefix)
		if i+1 == int(limits.GetParts()) {
			own = strings.TrimSuffix(own, ellipsis)
		}
		at := strings.Index(rest, own)
		if at < 0 || strings.TrimSpace(rest[:at]) != "" {
			t.Fatalf("%q is lost before %q in %v", rest, own, parts)
		}
		rest = rest[at+len(own):]
	}
	if most := int(limits.GetParts()); most > 0 && len(parts) > most {
		t.Fatalf("%d parts, %d are allowed", len(parts), most)
	} else if most == 0 && strings.TrimSpace(rest) != "" {
		t.Fatalf("%q is lost behind %v", rest, parts)
	}
}

// checkFormats compares the formatting of each character that is not blank.
func checkFormats(t *rapid.T, rich *plugv1.Text, parts []*plugv1.Text, prefix string) {
	type character struct{ c, format string }
	characters := func(segments []*plugv1.Segment) (all []character) {
		for _, s := range segments {
			format := fmt.Sprint(s.GetBold(), s.GetItalic(), s.GetUnderline(), s.GetStrike(), s.GetCode(), s.GetLink(), s.GetPreformatted())
			for _, c := range s.GetText() {
				if c != '…' && strings.TrimSpace(string(c)) != "" {
					all = append(all, character{string(c), format})
				}
			}
		}
		return all
	}
	want := characters(rich.GetSegments())
	mentions := 0
	for _, p := range parts {
		segments := p.GetSegments()
		if prefix != "" {
			segments = segments[1:]
		}
		for _, s := range segments {
			if IsMention(s) {
				mentions++
			}
		}
		got := characters(segments)
		if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
			t.Fatalf("part has %v, want %v", got, want)
		}
		want = want[len(got):]
	}
	for _, s := range rich.GetSegments() {
		if IsMention(s) {
			mentions--
		}
	}
	if mentions > 0 {
		t.Fatalf("%d mentions more than in %v", mentions, rich)
	}
}

// markUp renders as networks do whose mark-up counts.
func markUp(t *plugv1.Text) string {
	var b strings.Builder
	for _, s := range t.GetSegments() {
		s, text := s, strings.ReplaceAll(s.GetText(), "*", `\*`)
		switch {
		case s.GetPreformatted() != nil:
			text = "```" + s.GetPreformatted().GetLanguage() + "\n" + text + "\n```"
		case s.GetLink() != "":
			text = "[" + text + "](" + s.GetLink() + ")"
		case IsMention(s):
			text = "<@1234567>"
		case !IsPlain(s):
			text = "**" + text + "**"
		}
		b.WriteString(text)
	}
	return b.String()
}

func TestSplitRenderedProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rich := richText().Draw(t, "text")
		limits := drawLimits(t, 24)
		prefix := rapid.SampledFrom([]string{"", "x: ", "**é "}).Draw(t, "prefix")
		parts := SplitRendered(rich, prefix, limits, markUp)
		checkParts(t, rich, parts, prefix, limits, markUp)
	})
}

func TestSplitRenderedStripsWhatCannotFit(t *testing.T) {
	long := "https://example.org/" + strings.Repeat("x", 500)
	rich := text(bold("see "), link("here and there", long), bold(" please"))
	parts := SplitRendered(rich, "", &plugv1.Limits{TextLength: 30}, markUp)
	want := []*plugv1.Text{text(bold("see")), text(plain("here and there"), bold(" please"))}
	if !equalTexts(parts, want) {
		t.Errorf("got %v, want %v", parts, want)
	}
	parts = SplitRendered(text(pre("a\nb", "")), "", &plugv1.Limits{TextLines: 1}, markUp)
	if want := []*plugv1.Text{text(plain("a")), text(plain("b"))}; !equalTexts(parts, want) {
		t.Errorf("got %v, want %v", parts, want)
	}
	if rich.GetSegments()[1].GetLink() != long {
		t.Error("the text itself was changed")
	}
}

func TestSplitLong(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		limits *plugv1.Limits
		parts  int
	}{
		"3,000 lines":         {strings.Repeat("line\n", 3000), &plugv1.Limits{TextLines: 10}, 300},
		"3,000 characters":    {strings.Repeat("a", 3000), &plugv1.Limits{TextLength: 400, TextUnit: plugv1.LengthUnit_LENGTH_UNIT_BYTES}, 8},
		"3,000 emoji":         {strings.Repeat("👨‍👩‍👧", 3000), &plugv1.Limits{TextLength: 8, TextUnit: plugv1.LengthUnit_LENGTH_UNIT_UTF16}, 3000},
		"right to left":       {strings.Repeat("שלום עולם ", 300), &plugv1.Limits{TextLength: 9}, 300},
		"one grapheme of all": {"a" + strings.Repeat("\u0301", 3000), &plugv1.Limits{TextLength: 1000}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			parts := Split(New(c.text), "", c.limits)
			if len(parts) != c.parts {
				t.Errorf("%d parts, want %d", len(parts), c.parts)
			}
			if got := strings.Join(plains(parts), ""); strings.Join(strings.Fields(got), "") != strings.Join(strings.Fields(c.text), "") {
				t.Error("characters are lost")
			}
		})
	}
}

func TestSplitOfWhatFitsAllocatesNothingMuch(t *testing.T) {
	whole := New("hello, this is what most messages look like")
	limits := &plugv1.Limits{TextLength: 400, TextLines: 3, TextUnit: plugv1.LengthUnit_LENGTH_UNIT_BYTES}
	if n := testing.AllocsPerRun(100, func() { Split(whole, "", limits) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { Split(whole, "ann: ", limits) }); n > 4 {
		t.Errorf("%v allocations with a prefix", n)
	}
	if got := Split(whole, "", limits); got[0] != whole {
		t.Error("a text that fits was copied")
	}
}

func FuzzSplitRich(f *testing.F) {
	f.Add("one two three\nfour", "👨‍👩‍👧 e", "\u0301 tail", uint32(12), int32(1), uint32(1), uint32(0))
	f.Fuzz(func(t *testing.T, a, b, c string, length uint32, unit int32, lines, parts uint32) {
		rich := Normalise(text(plain(a), bold(b), ann(c), pre(a, "go"), link(b, "http://a.b/c")))
		limits := &plugv1.Limits{TextLength: length, TextUnit: plugv1.LengthUnit(unit), TextLines: lines, Parts: parts}
		for _, render := range []func(*plugv1.Text) string{nil, markUp} {
			got := SplitRendered(rich, "x: ", limits, render)
			if len(got) == 0 {
				t.Fatal("no part")
			}
			for _, p := range got {
				if !utf8.ValidString(Plain(p)) {
					t.Fatalf("part %q", Plain(p))
				}
			}
		}
	})
}
