package html

import (
	"strings"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/text"
	nethtml "golang.org/x/net/html"
)

// Render writes a text as HTML, with every character escaped that could be taken for
// mark-up. The text is normalised first. Only what Mention renders may notify anyone.
func (f Format) Render(t *plugv1.Text) string {
	segments := text.Normalise(text.InertText(t, f.Inert...)).GetSegments()
	var b strings.Builder
	for i := 0; i < len(segments); i++ {
		s := segments[i]
		if s.GetPreformatted() == nil {
			f.segment(&b, s, f.lines(s.GetText()))
			continue
		}
		end := i + 1
		for end < len(segments) && segments[end].GetPreformatted() != nil { // of the same block
			end++
		}
		f.block(&b, segments[i:end])
		i = end - 1
		if !f.LineFeeds && end < len(segments) { // the end of a block breaks the line
			segments[end] = text.WithText(segments[end], strings.TrimPrefix(segments[end].GetText(), "\n"))
		}
	}
	return b.String()
}

// lines escapes text that is not preformatted.
func (f Format) lines(s string) string {
	s = nethtml.EscapeString(s)
	if f.LineFeeds {
		return s
	}
	return strings.ReplaceAll(s, "\n", "<br>")
}

// segment writes one segment of escaped text.
func (f Format) segment(b *strings.Builder, s *plugv1.Segment, escaped string) {
	if text.IsMention(s) {
		if f.Mention != nil {
			if markup, ok := f.Mention(s); ok {
				b.WriteString(markup)
				return
			}
		}
		escaped = f.lines(text.Inert(s.GetText(), f.Inert...))
	}
	var tags []string
	for _, tag := range []struct {
		name string
		set  bool
	}{{"b", s.GetBold()}, {"i", s.GetItalic()}, {"u", s.GetUnderline()}, {"del", s.GetStrike()}, {"code", s.GetCode()}} {
		if tag.set {
			tags = append(tags, tag.name)
		}
	}
	if s.GetLink() != "" {
		b.WriteString(`<a href="` + nethtml.EscapeString(s.GetLink()) + `">`)
	}
	for _, tag := range tags {
		b.WriteString("<" + tag + ">")
	}
	b.WriteString(escaped)
	for i := len(tags) - 1; i >= 0; i-- {
		b.WriteString("</" + tags[i] + ">")
	}
	if s.GetLink() != "" {
		b.WriteString("</a>")
	}
}

// block writes a preformatted block. HTML takes one line feed away at its begin, and
// Parse one at its end, where networks put one more.
func (f Format) block(b *strings.Builder, segments []*plugv1.Segment) {
	open, end := "<pre>", "</pre>"
	if language := segments[0].GetPreformatted().GetLanguage(); language != "" {
		open, end = `<pre><code class="language-`+nethtml.EscapeString(language)+`">`, "</code></pre>"
	}
	b.WriteString(open)
	if strings.HasPrefix(segments[0].GetText(), "\n") {
		b.WriteByte('\n')
	}
	for _, s := range segments {
		f.segment(b, s, nethtml.EscapeString(s.GetText()))
	}
	if strings.HasSuffix(segments[len(segments)-1].GetText(), "\n") {
		b.WriteByte('\n')
	}
	b.WriteString(end)
}
