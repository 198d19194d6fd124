package markdown

import (
	"strings"
	"testing"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/text"
)

func segments(all ...*plugv1.Segment) *plugv1.Text { return &plugv1.Text{Segments: all} }

func plain(s string) *plugv1.Segment { return &plugv1.Segment{Text: s} }

func strong(s string) *plugv1.Segment { return &plugv1.Segment{Text: s, Bold: true} }

func emphasis(s string) *plugv1.Segment { return &plugv1.Segment{Text: s, Italic: true} }

func both(s string) *plugv1.Segment { return &plugv1.Segment{Text: s, Bold: true, Italic: true} }

func struck(s string) *plugv1.Segment { return &plugv1.Segment{Text: s, Strike: true} }

func under(s string) *plugv1.Segment { return &plugv1.Segment{Text: s, Underline: true} }

func code(s string) *plugv1.Segment { return &plugv1.Segment{Text: s, Code: true} }

func to(s, url string) *plugv1.Segment { return &plugv1.Segment{Text: s, Link: url} }

func pre(s, language string) *plugv1.Segment {
	return &plugv1.Segment{Text: s, Preformatted: &plugv1.Preformatted{Language: language}}
}

func ann(s string) *plugv1.Segment {
	return &plugv1.Segment{Text: s, Mention: &plugv1.Mention{User: &plugv1.User{Id: "7"}}}
}

// discordFormat is a Format with mentions as Discord writes them.
var discordFormat = Format{
	Discord: true,
	Inert:   []string{"@everyone", "@here", "<@"},
	Mention: func(s *plugv1.Segment) (string, bool) {
		return "<@" + s.GetMention().GetUser().GetId() + ">", s.GetMention() != nil
	},
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		format   Format
		markdown string
		want     *plugv1.Text
	}{
		"nothing":        {Format{}, "", segments()},
		"formats":        {Format{}, "**a** *b* __c__ _d_ ~~e~~ `f*`", segments(strong("a"), plain(" "), emphasis("b"), plain(" "), strong("c"), plain(" "), emphasis("d"), plain(" "), struck("e"), plain(" "), code("f*"))},
		"nested":         {Format{}, "**a *b* c**", segments(strong("a "), both("b"), strong(" c"))},
		"discord":        {Format{Discord: true}, "__a__ _b_ **c** ***d***", segments(under("a"), plain(" "), emphasis("b"), plain(" "), strong("c"), plain(" "), both("d"))},
		"escapes":        {Format{}, `\*a\* &amp; \&amp; &#42; &nosuch; C:\dir`, segments(plain(`*a* & &amp; * &nosuch; C:\dir`))},
		"words":          {Format{}, "snake_case_name 2 * 3 * 4", segments(plain("snake_case_name 2 * 3 * 4"))},
		"link":           {Format{}, `[a **b**](https://a.b/\(c\) "title")`, segments(to("a ", "https://a.b/(c)"), &plugv1.Segment{Text: "b", Bold: true, Link: "https://a.b/(c)"})},
		"leads nowhere":  {Format{}, "a[i](x) [y](javascript:z)", segments(plain("a[i](x) [y](javascript:z)"))},
		"autolinks":      {Format{}, "<https://a.b> <a@b.c> <std:vector>", segments(to("https://a.b", "https://a.b"), plain(" "), to("a@b.c", "mailto:a@b.c"), plain(" <std:vector>"))},
		"picture":        {Format{}, "![cat](https://a.b/c.png)", segments(to("cat", "https://a.b/c.png"))},
		"no references":  {Format{}, "[a]: https://a.b\n\n[a]", segments(plain("[a]: https://a.b\n\n[a]"))},
		"raw HTML":       {Format{}, "<b>a</b>\n\n<script>b</script>", segments(plain("<b>a</b>\n\n<script>b</script>"))},
		"lines":          {Format{}, "a\nb  \nc\\\nd\n\n\n\ne", segments(plain("a\nb\nc\nd\n\ne"))},
		"heading":        {Format{}, "# a *b*\nc", segments(strong("a "), both("b"), plain("\nc"))},
		"block":          {Format{}, "see:\n```go\nif a {\n  b\n}\n```\nend", segments(plain("see:\n"), pre("if a {\n  b\n}", "go"), plain("\nend"))},
		"never closed":   {Format{}, "```\na", segments(pre("a", ""))},
		"indented":       {Format{}, "    a\n      b", segments(pre("a\n  b", ""))},
		"quote":          {Format{}, "> a\n> b\n>> c\n\nd", segments(plain("> a\n> b\n> > c\n\nd"))},
		"lists":          {Format{}, "- a\n  b\n  1. c\n  2. d\n- e", segments(plain("- a\n  b\n  1. c\n  2. d\n- e"))},
		"rule":           {Format{}, "a\n\n***\nb", segments(plain("a\n\n---\nb"))},
		"only a sign":    {Format{}, "-", segments(plain("-"))},
		"only a number":  {Format{}, "1.", segments(plain("1."))},
		"only a hash":    {Format{}, "#", segments(strong("#"))},
		"only a quote":   {Format{}, ">", segments(plain(">"))},
		"only a fence":   {Format{}, "```", segments(plain("```"))},
		"no mention":     {Format{}, "@ann <@7> @everyone", segments(plain("@ann <@7> @everyone"))},
		"controls":       {Format{}, "a\x00\r\nb\xff", segments(plain("a\nb\uFFFD"))},
		"longer than is": {Format{}, "**a**" + strings.Repeat("x", MaxBytes), segments(plain("**a**" + strings.Repeat("x", MaxBytes)))},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.format.Parse(c.markdown); !text.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestRender(t *testing.T) {
	for name, c := range map[string]struct {
		format Format
		text   *plugv1.Text
		want   string
	}{
		"nil":              {Format{}, nil, ""},
		"words":            {Format{}, segments(plain("hello, snake_case (x) a-b 1.5 #go C# <3 a&b!")), "hello, snake_case (x) a-b 1.5 #go C# <3 a&b\\!"},
		"escapes":          {Format{}, segments(plain("*a* _b_ ~~c~~ `d` [e](f) <g> ||h|| &amp; \\")), "\\*a\\* \\_b\\_ \\~\\~c\\~\\~ \\`d\\` \\[e\\](f) \\<g> \\|\\|h\\|\\| \\&amp; \\\\"},
		"line starts":      {Format{}, segments(plain("# a\n> b\n- c\n+ d\n1. e\n2) f\n---\n===\n-5\n1.5")), "\\# a\n\\> b\n\\- c\n\\+ d\n1\\. e\n2\\) f\n\\---\n\\===\n-5\n1\\.5"},
		"begin of a line":  {Format{}, segments(plain("    a\n\tb")), "&#32;   a\n&#9;b"},
		"end of a line":    {Format{}, segments(plain("a  \nb \n\n\n\nc\n")), "a\nb\n\nc"},
		"formats":          {Format{}, segments(strong("a"), plain(" "), emphasis("b"), plain(" "), struck("c"), plain(" "), code("d"), plain(" "), under("e")), "**a** *b* ~~c~~ `d` e"},
		"nested":           {Format{}, segments(strong("a "), both("b"), strong(" c")), "**a *b* c**"},
		"one ends earlier": {Format{}, segments(both("a"), strong(" b")), "***a* b**"},
		"blanks":           {Format{}, segments(plain("a"), strong(" b "), plain("c")), "a **b** c"},
		"over lines":       {Format{}, segments(strong("a\n\nb")), "**a**\n\n**b**"},
		"within a word":    {Format{}, segments(plain("un"), strong("believ"), plain("able")), "un**believ**able"},
		"no spaces":        {Format{}, segments(plain("这是"), strong("粗体"), plain("文字")), "这是**粗体**文字"},
		"impossible":       {Format{}, segments(plain("a"), strong("(b)"), plain("c")), "a(b)c"},
		"only one is":      {Format{}, segments(plain("a"), strong("(b)"), plain("c "), strong("d")), "a(b)c **d**"},
		"code":             {Format{}, segments(code("a`b``c"), plain(" "), code("`"), plain(" "), code(" d ")), "```a`b``c``` `` ` `` `  d  `"},
		"link":             {Format{}, segments(plain("see! "), to("a]b", "https://a.b/(c)_d"), plain("!")), "see! [a\\]b](https://a.b/\\(c\\)_d)\\!"},
		"not a picture":    {Format{}, segments(plain("see!"), to("a", "https://a.b")), "see\\![a](https://a.b)"},
		"bare URL":         {Format{}, segments(plain("https://a.b/c_(d)?e_~f *g*")), "https://a.b/c_(d)?e_~f \\*g\\*"},
		"URL as mark-up":   {Format{}, segments(plain("https://a.b/_c_(d)")), "https://a.b/\\_c\\_(d)"},
		"block":            {Format{}, segments(plain("see:\n"), pre("a\n```\n*b*", "go"), plain("\nend")), "see:\n````go\na\n```\n*b*\n````\nend"},
		"discord":          {discordFormat, segments(under("a"), plain(" "), strong("b"), plain("\n  c "), ann("Ann"), plain(" @everyone <@7>")), "__a__ **b**\n  c <@7> @\u200Beveryone \\<\u200B@7>"},
		"discord block":    {discordFormat, segments(pre("a```b", "")), "```\na`\u200B``b\n```"},
		"mention as text":  {Format{}, segments(ann("A_nn_")), "A_nn\\_"},
		"bold mention":     {discordFormat, segments(&plugv1.Segment{Text: "Ann", Bold: true, Mention: ann("").Mention}), "**<@7>**"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.format.Render(c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
