package html

import (
	"strings"
	"testing"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/text"
	nethtml "golang.org/x/net/html"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func segments(all ...*plugv1.Segment) *plugv1.Text { return &plugv1.Text{Segments: all} }

func plain(s string) *plugv1.Segment { return &plugv1.Segment{Text: s} }

func bold(s string) *plugv1.Segment { return &plugv1.Segment{Text: s, Bold: true} }

func italic(s string) *plugv1.Segment { return &plugv1.Segment{Text: s, Italic: true} }

func link(s, url string) *plugv1.Segment { return &plugv1.Segment{Text: s, Link: url} }

func pre(s, language string) *plugv1.Segment {
	return &plugv1.Segment{Text: s, Preformatted: &plugv1.Preformatted{Language: language}}
}

func ann(s string) *plugv1.Segment {
	return &plugv1.Segment{Text: s, Mention: &plugv1.Mention{User: &plugv1.User{Id: "@ann:example.org"}}}
}

// matrix is a Format with mentions as Matrix writes them.
var matrix = Format{
	Inert: []string{"@room"},
	Mention: func(s *plugv1.Segment) (string, bool) {
		if s.GetMention() == nil {
			return "", false
		}
		return `<a href="https://matrix.to/#/` + nethtml.EscapeString(s.GetMention().GetUser().GetId()) + `">` +
			nethtml.EscapeString(s.GetText()) + "</a>", true
	},
	User: func(href string) *plugv1.Mention {
		id, ok := strings.CutPrefix(href, "https://matrix.to/#/@")
		if !ok {
			return nil
		}
		return &plugv1.Mention{User: &plugv1.User{Id: "@" + id}}
	},
}

var telegram = Format{LineFeeds: true}

func TestParse(t *testing.T) {
	code := &plugv1.Segment{Text: "x < y", Code: true}
	for name, c := range map[string]struct {
		format Format
		html   string
		want   *plugv1.Text
	}{
		"nothing":      {Format{}, "", segments()},
		"formats":      {Format{}, "<b>a</b><em>b</em><u>c</u><del>d</del><code>x &lt; y</code>", segments(bold("a"), italic("b"), &plugv1.Segment{Text: "c", Underline: true}, &plugv1.Segment{Text: "d", Strike: true}, code)},
		"overlapping":  {Format{}, "<b>a<i>b</b>c</i>d", segments(bold("a"), &plugv1.Segment{Text: "b", Bold: true, Italic: true}, italic("c"), plain("d"))},
		"never closed": {Format{}, "</i>a<b>b", segments(plain("a"), bold("b"))},
		"unknown":      {Format{}, `<foo bar="<b>">a<span data-mx-spoiler>b</span></foo><!-- c -->`, segments(plain("ab"))},
		"script":       {Format{}, "a<script>alert('<b>')</script><style>b{}</style>c<SCRIPT>d", segments(plain("ac"))},
		"mx-reply": {Format{}, "<mx-reply><blockquote>old<mx-reply>er</mx-reply> <b>x</b></blockquote></mx-reply>new <i>text</i>",
			segments(plain("new "), italic("text"))},
		"link":             {Format{}, `<a href="https://a.b/?c=1&amp;d=2">x</a>`, segments(link("x", "https://a.b/?c=1&d=2"))},
		"dangerous link":   {Format{}, `<a href=" JaVaScript:alert(1)">x</a><a href="data:text/html,x">y</a>`, segments(plain("xy"))},
		"white space":      {Format{}, "a\n  <b>b</b>\n<i>c</i>\n", segments(plain("a "), bold("b"), plain(" "), italic("c"))},
		"typed spaces":     {Format{}, "a  b", segments(plain("a  b"))},
		"line breaks":      {Format{}, "a<br>b<br/>\nc<br><br>d", segments(plain("a\nb\nc\n\nd"))},
		"paragraphs":       {Format{}, "<p>a</p>\n<p>b<br>c</p>\n", segments(plain("a\n\nb\nc"))},
		"heading":          {Format{}, "<h1>a</h1>\n<p>b</p>", segments(bold("a"), plain("\n\nb"))},
		"quote":            {Format{}, "<blockquote>\n<p>a<br>b</p>\n</blockquote>\n<p>c</p>", segments(plain("> a\n> b\n\nc"))},
		"lists":            {Format{}, `<ul><li>a<ol start="3"><li>b</li><li>c</li></ol></li><li><b>d</b></li></ul>e`, segments(plain("- a\n  3. b\n  4. c\n- "), bold("d"), plain("\ne"))},
		"table":            {Format{}, "<table><tr><th>a</th><th>b</th></tr><tr><td>c</td><td>d</td></tr></table>", segments(plain("a b\nc d"))},
		"rule and picture": {Format{}, `a<hr>b<img src="mxc://x" alt=":cat:">`, segments(plain("a\n---\nb:cat:"))},
		"block": {Format{}, "see:<pre><code class=\"language-go\">if a {\n  b\n}\n</code></pre>\nend",
			segments(plain("see:\n"), pre("if a {\n  b\n}", "go"), plain("\nend"))},
		"block of spaces": {Format{}, "<pre>\n  a  \n\n</pre>", segments(pre("  a  \n", ""))},
		"mention":         {matrix, `hi <a href="https://matrix.to/#/@ann:example.org"><b>@A</b>nn</a>!`, segments(plain("hi "), ann("Ann"), plain("!"))},
		"mention, open":   {matrix, `<a href="https://matrix.to/#/@ann:example.org">Ann`, segments(ann("Ann"))},
		"no mention":      {matrix, "@ann:example.org @room", segments(plain("@ann:example.org @room"))},
		"telegram":        {telegram, "a\n<b>b</b>\n\n<pre><code class=\"language-go\">c\nd</code></pre>\ne", segments(plain("a\n"), bold("b"), plain("\n\n"), pre("c\nd", "go"), plain("\ne"))},
		"controls":        {Format{}, "a\x00&#1;&#xFFFE;&#13;b\xff", segments(plain("a b\uFFFD"))},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.format.Parse(c.html); !text.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestRender(t *testing.T) {
	everything := &plugv1.Segment{Text: "x", Bold: true, Italic: true, Underline: true, Strike: true, Code: true, Link: "https://a.b"}
	all := &plugv1.Segment{Text: "@room", MassMention: plugv1.MassMention_MASS_MENTION_EVERYONE}
	for name, c := range map[string]struct {
		format Format
		text   *plugv1.Text
		want   string
	}{
		"nil":        {Format{}, nil, ""},
		"escaped":    {Format{}, segments(plain(`<b>&amp;"x"</b>`)), "&lt;b&gt;&amp;amp;&#34;x&#34;&lt;/b&gt;"},
		"everything": {Format{}, segments(everything), `<a href="https://a.b"><b><i><u><del><code>x</code></del></u></i></b></a>`},
		"lines":      {Format{}, segments(bold("a\n\nb")), "<b>a<br><br>b</b>"},
		"telegram":   {telegram, segments(bold("a\n\nb"), pre("c", "")), "<b>a\n\nb</b>\n<pre>c</pre>"},
		"link":       {Format{}, segments(link("x", `https://a.b/"><script>`)), `<a href="https://a.b/%22%3E%3Cscript%3E">x</a>`},
		"bad link":   {Format{}, segments(link("x", "javascript:alert(1)")), "x"},
		"block":      {Format{}, segments(plain("see:\n"), pre("a\n<b>", "go"), plain("\n\nend")), `see:<br><pre><code class="language-go">a` + "\n&lt;b&gt;</code></pre><br>end"},
		"mention":    {matrix, segments(plain("hi "), ann("Ann")), `hi <a href="https://matrix.to/#/@ann:example.org">Ann</a>`},
		"as text":    {Format{}, segments(ann("<Ann>")), "&lt;Ann&gt;"},
		"inert":      {matrix, segments(plain("@"), bold("room "), all), "@\u200B<b>room </b>@\u200Broom"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.format.Render(c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// drawText draws texts with all formatting and characters that could be mark-up.
func drawText() *rapid.Generator[*plugv1.Text] {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{
			"<b>", "</b>", "&amp;", "&lt", "<script>", "<!--", "-->", "</pre>", "<mx-reply>", " ", "  ", "\n", "\n\n", "\t",
			`"`, "'", "]]>", "<br>", "> ", "👨‍👩‍👧", "e\u0301", "@room", "שלום",
		}),
		rapid.StringMatching("[a-z]{1,5}"), rapid.String(),
	)
	return rapid.Custom(func(t *rapid.T) *plugv1.Text {
		out := &plugv1.Text{}
		for range rapid.IntRange(0, 8).Draw(t, "segments") {
			s := plain(strings.Join(rapid.SliceOfN(piece, 1, 5).Draw(t, "text"), ""))
			format := rapid.IntRange(0, 127).Draw(t, "format") & rapid.IntRange(0, 127).Draw(t, "mask")
			s.Bold, s.Italic, s.Underline = format&1 > 0, format&2 > 0, format&4 > 0
			s.Strike, s.Code = format&8 > 0, format&16 > 0
			if format&32 > 0 {
				s.Link = rapid.SampledFrom([]string{"https://a.b/?c&d=\"e\"", "mailto:a@b.c"}).Draw(t, "link")
			}
			if format&64 > 0 {
				s.Preformatted = &plugv1.Preformatted{Language: rapid.SampledFrom([]string{"", "go", "c++"}).Draw(t, "language")}
			}
			out.Segments = append(out.Segments, s)
		}
		return text.Normalise(out)
	})
}

// expressible is a text as HTML can say it: the line feed behind a block has no
// formatting, and at the end of the text it is none.
func expressible(t *plugv1.Text) *plugv1.Text {
	out := &plugv1.Text{}
	all := t.GetSegments()
	for i, s := range all {
		if i > 0 && all[i-1].GetPreformatted() != nil && s.GetPreformatted() == nil {
			rest := strings.TrimPrefix(s.GetText(), "\n")
			if rest != "" || i+1 < len(all) {
				out.Segments = append(out.Segments, plain("\n"))
			}
			s = text.WithText(s, rest)
		}
		out.Segments = append(out.Segments, s)
	}
	return text.Normalise(out)
}

func TestParseOfRender(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := drawText().Draw(t, "text")
		rendered := Format{}.Render(given)
		if got, want := (Format{}).Parse(rendered), expressible(given); !proto.Equal(got, want) {
			t.Fatalf("%q is %v, want %v", rendered, got, want)
		}
		rendered = telegram.Render(given)
		if got := telegram.Parse(rendered); !proto.Equal(got, given) {
			t.Fatalf("%q is %v, want %v", rendered, got, given)
		}
	})
}

// Plain text stays plain text: for a browser's parser too there is nothing in it but
// text and line breaks.
func TestPlainTextHasNoMarkUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := text.Plain(drawText().Draw(t, "text"))
		root, err := nethtml.Parse(strings.NewReader("<!DOCTYPE html><body>" + matrix.Render(text.New(s))))
		if err != nil {
			t.Fatal(err)
		}
		for n := range root.Descendants() {
			if n.Type == nethtml.ElementNode && n.Data != "br" && n.Data != "html" && n.Data != "head" && n.Data != "body" || n.Type == nethtml.CommentNode {
				t.Fatalf("%q became <%s>", s, n.Data)
			}
		}
		if strings.Contains(matrix.Render(text.New(s)), "@room") {
			t.Fatalf("%q notifies", s)
		}
		for _, segment := range matrix.Parse(matrix.Render(text.New(s))).GetSegments() {
			if !text.IsPlain(segment) {
				t.Fatalf("%q became %v", s, segment)
			}
		}
	})
}

func TestHostileDocuments(t *testing.T) {
	const n = 100_000
	for name, s := range map[string]string{
		"open tags":   strings.Repeat("<b>", n) + "x" + strings.Repeat("</i>", n),
		"quotes":      strings.Repeat("<blockquote>", n) + strings.Repeat("x<br>", n),
		"lists":       strings.Repeat("<ul><li>", n) + strings.Repeat("x<li>", n),
		"blocks":      strings.Repeat("<pre>x", n),
		"links":       strings.Repeat(`<a href="https://a.b">x`, n),
		"paragraphs":  strings.Repeat("<p>", n) + "x",
		"attributes":  "<a " + strings.Repeat("b=c ", n) + ">x",
		"less than":   strings.Repeat("<", n),
		"mx-reply":    strings.Repeat("<mx-reply>", n) + "x",
		"entities":    strings.Repeat("&amp", n),
		"open quotes": strings.Repeat(`<a href="`, n),
	} {
		begin := time.Now()
		got := matrix.Parse(s)
		if size := proto.Size(got); size > 60*n+len(s) {
			t.Errorf("%s: %d bytes became %d", name, len(s), size)
		}
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("%s: took %v", name, d)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("<p>a<b>b</b></p><pre><code class=\"language-go\">c\n</code></pre><ul><li>d</ul><mx-reply>x</mx-reply>")
	f.Add(`<a href="https://matrix.to/#/@ann:b">x</a><script>y</script>&#0;`)
	f.Fuzz(func(t *testing.T, s string) {
		for _, format := range []Format{{}, matrix, telegram} {
			got := format.Parse(s)
			if normal := text.Normalise(got); !proto.Equal(got, normal) {
				t.Fatalf("%v is not normal", got)
			}
			format.Mention, format.User = nil, nil
			again := format.Parse(format.Render(got))
			for _, segment := range again.GetSegments() {
				if text.IsMention(segment) {
					t.Fatalf("%v has a mention", again)
				}
			}
			if third := format.Parse(format.Render(again)); !proto.Equal(third, again) {
				t.Fatalf("%v became %v", again, third)
			}
		}
	})
}
