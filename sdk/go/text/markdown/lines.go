package markdown

import (
	"strings"
	"unicode"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/text"
)

// style is the formatting of a run, as far as Markdown has it.
type style struct {
	bold, italic, underline, strike, code bool
	link                                  string
}

// run is a stretch of one line with one style.
type run struct {
	text   string
	style  style
	markup string // of a mention that the network's Format renders
}

// line is a line of a text; with block it is a whole preformatted block instead.
type line struct {
	runs  []run
	block *plugv1.Preformatted
}

// linesOf takes a normal text apart into what Markdown can say: see the package's
// comment for what it leaves out.
func (f Format) linesOf(t *plugv1.Text) []line {
	all := []line{{}}
	for _, s := range t.GetSegments() {
		last := &all[len(all)-1]
		if s.GetPreformatted() != nil {
			last.block = s.GetPreformatted()
			last.runs = append(last.runs, run{text: s.GetText()})
			continue
		}
		r := f.runOf(s)
		if r.markup != "" {
			last.runs = append(last.runs, r)
			continue
		}
		for i, part := range strings.Split(r.text, "\n") {
			if i > 0 {
				all = append(all, line{})
			}
			if part != "" {
				last = &all[len(all)-1]
				last.runs = append(last.runs, run{text: part, style: r.style})
			}
		}
	}
	kept := all[:0]
	for _, l := range all {
		if l.block == nil {
			l.runs = merge(moveBlanks(l.runs, false))
			if len(l.runs) == 0 && (len(kept) == 0 || kept[len(kept)-1].isBlank()) {
				continue
			}
		}
		kept = append(kept, l)
	}
	if len(kept) > 0 && kept[len(kept)-1].isBlank() {
		kept = kept[:len(kept)-1]
	}
	return kept
}

func (l line) isBlank() bool { return len(l.runs) == 0 }

func (f Format) runOf(s *plugv1.Segment) run {
	r := run{text: s.GetText(), style: style{
		bold: s.GetBold(), italic: s.GetItalic(), underline: s.GetUnderline() && f.Discord,
		strike: s.GetStrike(), code: s.GetCode(), link: s.GetLink(),
	}}
	if !text.IsMention(s) {
		return r
	}
	if f.Mention != nil {
		if markup, ok := f.Mention(s); ok && markup != "" {
			r.markup, r.style.code = markup, false
			return r
		}
	}
	r.text = text.Inert(r.text, f.Inert...)
	return r
}

// moveBlanks takes the blanks out of the edges of formatted runs, where Markdown would
// not see the formatting, and off the end of the line. Between two runs they have what
// both have, or with bare nothing.
func moveBlanks(runs []run, bare bool) []run {
	var cores []run // without blanks; a run of blanks has a text and nothing else
	for _, r := range runs {
		if r.markup != "" || r.style.code {
			cores = append(cores, r)
			continue
		}
		core := strings.TrimLeftFunc(r.text, unicode.IsSpace)
		if n := len(r.text) - len(core); n > 0 {
			cores = append(cores, run{text: r.text[:n]})
		}
		short := strings.TrimRightFunc(core, unicode.IsSpace)
		if short != "" {
			cores = append(cores, run{text: short, style: r.style})
		}
		if len(short) < len(core) {
			cores = append(cores, run{text: core[len(short):]})
		}
	}
	for len(cores) > 0 {
		last := &cores[len(cores)-1]
		if last.markup != "" || last.style.code {
			break
		}
		if last.text = strings.TrimRight(last.text, " \t"); last.text != "" {
			break
		}
		cores = cores[:len(cores)-1]
	}
	if bare {
		return cores
	}
	after := make([]style, len(cores)) // of the next run that is not blank
	for i := len(cores) - 2; i >= 0; i-- {
		after[i] = cores[i+1].style
		if isBlankRun(cores[i+1]) {
			after[i] = after[i+1]
		}
	}
	before := style{}
	for i, r := range cores {
		if isBlankRun(r) {
			cores[i].style = shared(before, after[i])
		} else {
			before = r.style
		}
	}
	return cores
}

func isBlankRun(r run) bool {
	return r.markup == "" && !r.style.code && strings.TrimSpace(r.text) == ""
}

// shared is what two styles share, but code.
func shared(a, b style) style {
	s := style{
		bold: a.bold && b.bold, italic: a.italic && b.italic,
		underline: a.underline && b.underline, strike: a.strike && b.strike,
	}
	if a.link == b.link {
		s.link = a.link
	}
	return s
}

// merge joins neighbours of one style.
func merge(runs []run) []run {
	var out []run
	for begin := 0; begin < len(runs); {
		end := begin + 1
		r := runs[begin]
		for r.markup == "" && end < len(runs) && runs[end].markup == "" && runs[end].style == r.style {
			end++
		}
		if end > begin+1 {
			var b strings.Builder
			for _, part := range runs[begin:end] {
				b.WriteString(part.text)
			}
			r.text = b.String()
		}
		out = append(out, r)
		begin = end
	}
	return out
}
