package text

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func TestNewAndPlain(t *testing.T) {
	for _, s := range []string{"", "hello", "two\nlines"} {
		if got := Plain(New(s)); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	if got := Plain(New("a\xffb")); got != "a\uFFFDb" {
		t.Errorf("got %q", got)
	}
	if got := Plain(text(plain("a"), bold("b"))); got != "ab" || Plain(nil) != "" {
		t.Errorf("got %q", got)
	}
}

func TestNormalise(t *testing.T) {
	code := bold("x")
	code.Code, code.Preformatted = true, &plugv1.Preformatted{Language: "not one word"}
	both := ann("Ann")
	both.MassMention = plugv1.MassMention_MASS_MENTION_HERE
	for name, c := range map[string]struct{ text, want *plugv1.Text }{
		"nil":                   {nil, text()},
		"nothing":               {text(plain(""), bold("")), text()},
		"line ends":             {text(plain("a\r\nb\rc\n\rd\r")), text(plain("a\nb\nc\n\nd\n"))},
		"CR LF of two segments": {text(plain("a\r"), bold("\nb")), text(plain("a\n"), bold("b"))},
		"controls":              {text(plain("a\x00\x1b\x7f\u0085\u009f\uFFFE\uFFFFb\tc\n")), text(plain("ab\tc\n"))},
		"wrong bytes":           {text(plain("a\xffb\xed\xa0\x80")), text(plain("a\uFFFDb\uFFFD\uFFFD\uFFFD"))},
		"joined":                {text(plain("a"), plain(""), plain("b"), bold("c"), bold("d"), plain("e")), text(plain("ab"), bold("cd"), plain("e"))},
		"mentions stay two":     {text(ann("Ann"), ann("Ann")), text(ann("Ann"), ann("Ann"))},
		"mention of nobody":     {text(&plugv1.Segment{Text: "x", Mention: &plugv1.Mention{User: &plugv1.User{DisplayName: "X"}}}), text(plain("x"))},
		"mention or mass":       {text(both), text(ann("Ann"))},
		"unknown mass mention":  {text(&plugv1.Segment{Text: "x", MassMention: 9}), text(plain("x"))},
		"link":                  {text(link("x", " https://a.b ")), text(link("x", "https://a.b"))},
		"link with mark-up":     {text(link("x", "https://a.b/<`|>")), text(link("x", "https://a.b/%3C%60%7C%3E"))},
		"bad link":              {text(plain("a"), link("x", "javascript:alert(1)")), text(plain("ax"))},
		"block, not code":       {text(code), text(&plugv1.Segment{Text: "x", Bold: true, Preformatted: &plugv1.Preformatted{}})},
		"block stands apart":    {text(plain("a"), pre("b", ""), plain("c")), text(plain("a\n"), pre("b", ""), plain("\nc"))},
		"block stands already":  {text(plain("a\n"), pre("b", "go"), plain("\nc")), text(plain("a\n"), pre("b", "go"), plain("\nc"))},
		"two blocks":            {text(pre("a", ""), pre("b", "go"), bold("c")), text(pre("a", ""), plain("\n"), pre("b", "go"), plain("\n"), bold("c"))},
		"one block":             {text(pre("a", "go"), pre("b", "go")), text(pre("ab", "go"))},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Normalise(c.text); !proto.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestLink(t *testing.T) {
	for s, want := range map[string]bool{
		"https://example.org/a?b=c#d": true, "HTTP://x": true, "mailto:a@b.c": true, "tel:+123": true,
		"xmpp:a@b.c?join": true, "irc://irc.libera.chat/#go": true, "geo:1,2": true,
		"javascript:alert(1)": false, "JavaScript:alert(1)": false, "java\nscript:alert(1)": false,
		"data:text/html,x": false, "vbscript:x": false, "file:///etc/passwd": false,
		"//example.org": false, "/path": false, "example.org": false, "https:": false, "": false,
		"https://a b": false, "https://a\tb": false, "https://a\u2028b": false, "https://\xff": false, "://": false,
		"https://x/" + strings.Repeat("x", MaxLinkBytes-10): true, "https://x/" + strings.Repeat("x", MaxLinkBytes-9): false,
	} {
		if _, got := Link(s); got != want {
			t.Errorf("%.40q: got %v", s, got)
		}
	}
}

// anyText draws texts that no one has checked.
func anyText() *rapid.Generator[*plugv1.Text] {
	anything := rapid.OneOf(pieces, rapid.SampledFrom([]string{"\r", "\r\n", "\x00", "\xff", "\uFFFF", "\u0085", ""}))
	return rapid.Custom(func(t *rapid.T) *plugv1.Text {
		out := &plugv1.Text{}
		for range rapid.IntRange(0, 8).Draw(t, "segments") {
			s := plain(strings.Join(rapid.SliceOfN(anything, 0, 5).Draw(t, "text"), ""))
			s.Bold, s.Code = rapid.Bool().Draw(t, "bold"), rapid.Bool().Draw(t, "code")
			s.Link = rapid.SampledFrom([]string{"", "", "http://a.b", "javascript:x", "\xff"}).Draw(t, "link")
			if rapid.IntRange(0, 3).Draw(t, "block") == 0 {
				s.Preformatted = &plugv1.Preformatted{Language: rapid.SampledFrom([]string{"", "c++", "a`b", "\xff"}).Draw(t, "language")}
			}
			s.MassMention = plugv1.MassMention(rapid.SampledFrom([]int{0, 0, 0, 1, 9}).Draw(t, "mass"))
			out.Segments = append(out.Segments, s)
		}
		return out
	})
}

func TestNormaliseProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := anyText().Draw(t, "text")
		before := proto.CloneOf(given)
		got := Normalise(given)
		if !proto.Equal(given, before) {
			t.Fatal("the text itself was changed")
		}
		if again := Normalise(got); !proto.Equal(again, got) {
			t.Fatalf("%v becomes %v when normalised again", got, again)
		}
		if _, err := proto.Marshal(got); err != nil {
			t.Fatalf("cannot be sent: %v", err)
		}
		for i, s := range got.GetSegments() {
			if s.GetText() == "" || !utf8.ValidString(s.GetText()) {
				t.Fatalf("segment %v", s)
			}
			for _, c := range s.GetText() {
				if c != '\t' && c != '\n' && unicode.IsControl(c) || c == 0xFFFE || c == 0xFFFF {
					t.Fatalf("%U in %v", c, s)
				}
			}
			if clean, ok := Link(s.GetLink()); s.GetLink() != "" && (!ok || clean != s.GetLink()) {
				t.Fatalf("link %q", s.GetLink())
			}
			if i > 0 && sameFormat(got.GetSegments()[i-1], s) {
				t.Fatalf("neighbours %v and %v", got.GetSegments()[i-1], s)
			}
		}
	})
}

func TestNormaliseIsLinear(t *testing.T) {
	many := &plugv1.Text{}
	for range 200_000 {
		many.Segments = append(many.Segments, bold("x"))
	}
	if got := Normalise(many); len(got.GetSegments()) != 1 || len(Plain(got)) != 200_000 {
		t.Errorf("%d segments of %d bytes", len(got.GetSegments()), len(Plain(got)))
	}
}

func TestTrimAndJoin(t *testing.T) {
	for name, c := range map[string]struct{ got, want *plugv1.Text }{
		"both ends":       {Trim(text(plain(" \n"), bold(" a "), plain("b\u00a0"), plain("\t"))), text(bold("a "), plain("b"))},
		"block":           {Trim(text(plain("\n"), pre("\n  a\n", ""), plain("\n "))), text(pre("  a", ""))},
		"blank":           {Trim(text(plain(" "), bold("\n"))), text()},
		"nothing to trim": {Trim(text(bold("a"))), text(bold("a"))},
		"nil":             {Trim(nil), text()},
		"join":            {Join(", ", text(bold("a")), nil, text(plain("b"))), text(bold("a"), plain(", "), plain(", "), plain("b"))},
		"join nothing":    {Join(", "), text()},
		"append":          {Join("", text(bold("a")), New("b")), text(bold("a"), plain("b"))},
	} {
		if !proto.Equal(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
}

func TestQuote(t *testing.T) {
	long := strings.Repeat("👨‍👩‍👧", 81)
	for _, c := range []struct {
		author string
		text   *plugv1.Text
		want   string
	}{
		{"Ann", New("hello"), "> Ann: hello\n"},
		{"Ann", New("\n hello \nthere"), "> Ann: hello…\n"},
		{"An\nn\x1b", text(bold("hel"), plain("lo")), "> An n: hello\n"},
		{"", New("hello"), "> hello\n"},
		{"Ann", nil, "> Ann: …\n"},
		{"", New(" "), ""},
		{"Ann", New(long), "> Ann: " + long[:len(long)/81*80] + "…\n"},
		{"Ann", text(ann("Bob"), plain(" hi")), "> Ann: Bob hi\n"},
	} {
		got := Quote(c.author, c.text)
		if Plain(got) != c.want {
			t.Errorf("got %q, want %q", Plain(got), c.want)
		}
		if slices.ContainsFunc(got.GetSegments(), func(s *plugv1.Segment) bool { return !IsPlain(s) }) {
			t.Errorf("%v is not plain", got)
		}
	}
}

func TestInert(t *testing.T) {
	for _, c := range []struct {
		s        string
		patterns []string
		want     string
	}{
		{"hi @everyone!", []string{"@everyone"}, "hi @\u200Beveryone!"},
		{"hi @Everyone", []string{"@everyone", "@here"}, "hi @\u200BEveryone"},
		{"@@here", []string{"@here"}, "@@\u200Bhere"},
		{"<!channel> <@U1>", []string{"<!", "<@"}, "<\u200B!channel> <\u200B@U1>"},
		{"a@b.c @ann", []string{"@"}, "a@\u200Bb.c @\u200Bann"},
		{"ann: channel ANN joanna joann ann", []string{"ann"}, "a\u200Bnn: channel A\u200BNN joanna joann a\u200Bnn"},
		{"e\u0301va", []string{"e\u0301va"}, "e\u0301\u200Bva"},
		{"@everyone", []string{"@everyone", "everyone"}, "@\u200Be\u200Bveryone"},
		{"nothing", []string{"@", ""}, "nothing"},
		{"", []string{"@"}, ""},
	} {
		if got := Inert(c.s, c.patterns...); got != c.want {
			t.Errorf("%q: got %q, want %q", c.s, got, c.want)
		}
	}
}

// However a text is cut into segments, what looks like a mention in it is inert, and
// nothing else is changed.
func TestInertProperties(t *testing.T) {
	patterns := []string{"@everyone", "@here", "<!channel>", "@room", "Ann"}
	piece := rapid.OneOf(rapid.SampledFrom([]string{"@", "every", "one", "@here", "<", "!channel>", "@ROOM", "ann", "a", " ", "\u200B", "\u0301"}), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		given := &plugv1.Text{}
		for range rapid.IntRange(0, 12).Draw(t, "segments") {
			s := plain(piece.Draw(t, "text"))
			s.Bold = rapid.Bool().Draw(t, "bold")
			given.Segments = append(given.Segments, s)
		}
		got := Plain(InertText(given, patterns...))
		if got != Inert(Plain(given), patterns...) {
			t.Fatalf("text and string differ: %q", got)
		}
		for _, p := range patterns[:4] {
			if strings.Contains(strings.ToLower(got), p) {
				t.Fatalf("%q still has %q", got, p)
			}
		}
		if slices.Contains(strings.FieldsFunc(strings.ToLower(got), func(c rune) bool { return !isWord(c) }), "ann") {
			t.Fatalf("%q still has the nick", got)
		}
		if without := strings.ReplaceAll(got, "\u200B", ""); without != strings.ReplaceAll(Plain(given), "\u200B", "") {
			t.Fatalf("%q became %q", Plain(given), got)
		}
		if again := Inert(got, patterns...); again != got {
			t.Fatalf("%q became %q when made inert again", got, again)
		}
	})
}

func TestInertTextLeavesMentions(t *testing.T) {
	all := &plugv1.Segment{Text: "@here", MassMention: plugv1.MassMention_MASS_MENTION_HERE}
	got := InertText(text(plain("@"), bold("here "), all, plain(" @here")), "@here")
	want := text(plain("@\u200B"), bold("here "), all, plain(" @\u200Bhere"))
	if !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	same := text(ann("Ann"))
	if InertText(same, "ann") != same || !proto.Equal(InertText(nil, "x"), text()) {
		t.Error("a text without mentions was copied")
	}
}
