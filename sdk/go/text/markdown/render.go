package markdown

import (
	"slices"
	"strings"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/text"
	"github.com/plughost/plughost/sdk/go/text/markdown/internal/read"
)

// maxTrials is for how many runs of a line their formatting is tried singly, where it
// can't be written as a whole.
const maxTrials = 16

// Render writes a text as Markdown, with every character escaped that could be taken
// for mark-up. The text is normalised first. Only what Mention renders may notify
// anyone.
func (f Format) Render(t *plugv1.Text) string {
	t = text.Normalise(text.InertText(t, f.Inert...))
	lines := f.linesOf(t)
	escaped := f.lines(lines, false)
	if !strings.Contains(escaped, "://") {
		return escaped
	}
	// Networks make links of URLs that have no backslashes in them. Whether they need
	// any depends on all lines together.
	bare := f.lines(lines, true)
	if bare == escaped || text.Equal(f.Parse(bare), f.Parse(escaped)) {
		return bare
	}
	return escaped
}

func (f Format) lines(lines []line, urls bool) string {
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		if l.block != nil {
			f.block(&b, l)
			continue
		}
		b.WriteString(f.line(l.runs, urls))
	}
	return b.String()
}

// block writes a fence of more backticks than there are in it in a row (CommonMark 4.5).
func (f Format) block(b *strings.Builder, l line) {
	var all strings.Builder
	for _, r := range l.runs {
		all.WriteString(r.text)
	}
	s, longest := all.String(), longestRow(all.String(), '`')
	if f.Discord && longest > 2 {
		s, longest = strings.ReplaceAll(s, "``", "`\u200B`"), 2
	}
	fence := strings.Repeat("`", max(3, 1+longest))
	b.WriteString(fence + l.block.GetLanguage() + "\n" + s + "\n" + fence)
}

// line writes a line with as much of its formatting as Markdown's rules let be read
// back as it is meant.
func (f Format) line(runs []run, urls bool) string {
	if !slices.ContainsFunc(runs, func(r run) bool { return r.style != style{} }) {
		return f.write(runs, writing{urls: urls})
	}
	bare := merge(moveBlanks(runs, true))
	for _, way := range []writing{{"*", urls}, {"_", urls}} {
		for _, runs := range [][]run{runs, bare} { // where two formattings overlap the bare blanks between them help
			if written := f.write(runs, way); f.readsAs(written, runs) {
				return written
			}
		}
	}
	return f.singly(bare)
}

// singly writes a line with the formatting of those runs that alone can have it.
func (f Format) singly(runs []run) string {
	bare := slices.Clone(runs)
	for i := range bare {
		bare[i].style = style{code: bare[i].style.code} // code can stand anywhere
	}
	written := f.write(merge(bare), writing{})
	formatted := 0
	for i, r := range runs {
		if r.style == (style{code: r.style.code}) {
			continue
		}
		if formatted++; formatted > maxTrials {
			break
		}
		bare[i].style = r.style
		if trial := f.write(merge(bare), writing{italic: "*"}); f.readsAs(trial, merge(bare)) {
			written = trial
		} else {
			bare[i].style = style{code: r.style.code}
		}
	}
	return written
}

// readsAs says whether a written line is read as the runs it was made of.
func (f Format) readsAs(written string, runs []run) bool {
	var read []run
	for _, s := range f.Parse(written).GetSegments() {
		if s.GetPreformatted() != nil || strings.Contains(s.GetText(), "\n") {
			return false
		}
		read = append(read, Format{Discord: f.Discord}.runOf(s))
	}
	meant := make([]run, len(runs))
	for i, r := range runs {
		if r.markup != "" { // as Markdown it is text, whatever the network sees in it
			r.text = text.Plain(f.Parse(r.markup))
			r.markup = ""
		}
		meant[i] = r
	}
	if f.Discord && len(meant) > 0 { // blanks at the begin are sent, but not read
		meant[0].text = strings.TrimLeft(meant[0].text, " \t")
		if meant[0].text == "" {
			meant = meant[1:]
		}
	}
	return slices.Equal(read, merge(meant))
}

// writing is one of the ways to write a line.
type writing struct {
	italic string // its marker
	urls   bool   // as they are
}

// format is one of the formattings that markers begin and end.
type format int

const (
	link format = iota
	strike
	bold
	italic
	underline
	formats
)

func (s style) has(f format) bool {
	switch f {
	case link:
		return s.link != ""
	case strike:
		return s.strike
	case bold:
		return s.bold
	case italic:
		return s.italic
	default:
		return s.underline
	}
}

// write writes the runs of a line, each formatting from where it begins to where it
// ends, the longer ones around the shorter ones.
func (f Format) write(runs []run, way writing) string {
	e := escaper{entities: !f.Discord, urls: way.urls}
	var open []format
	for i, r := range runs {
		for n, o := range open {
			if !r.style.has(o) || o == link && runs[i-1].style.link != r.style.link {
				e.end(open[n:], runs[i-1].style, way)
				open = open[:n]
				break
			}
		}
		var begins []format
		for o := range formats {
			if r.style.has(o) && !slices.Contains(open, o) {
				begins = append(begins, o)
			}
		}
		slices.SortStableFunc(begins, func(a, b format) int { return reach(runs[i:], b) - reach(runs[i:], a) })
		for _, o := range begins {
			e.WriteString(marker(o, way))
			open = append(open, o)
		}
		switch {
		case r.markup != "":
			e.WriteString(r.markup)
		case r.style.code:
			e.code(r.text)
		default:
			e.text(r.text, i == 0)
		}
	}
	if len(runs) > 0 {
		e.end(open, runs[len(runs)-1].style, way)
	}
	return e.String()
}

// reach is how many runs a formatting goes on for.
func reach(runs []run, f format) int {
	n := 1
	for n < len(runs) && runs[n].style.has(f) && (f != link || runs[n].style.link == runs[0].style.link) {
		n++
	}
	return n
}

func (e *escaper) end(open []format, s style, way writing) {
	for _, o := range slices.Backward(open) {
		if o == link {
			e.WriteString("](" + destination(s.link) + ")")
		} else {
			e.WriteString(marker(o, way))
		}
	}
}

func marker(f format, way writing) string {
	switch f {
	case link:
		return "["
	case strike:
		return "~~"
	case bold:
		return "**"
	case italic:
		return way.italic
	default:
		return "__"
	}
}

// destination writes a URL, which has no blanks and no angle brackets.
func destination(url string) string {
	var b strings.Builder
	for i := range len(url) {
		switch c := url[i]; {
		case c == '(' || c == ')' || c == '&' && read.EntityLength([]byte(url[i:min(len(url), i+40)])) > 0:
			b.WriteByte('\\')
			fallthrough
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
