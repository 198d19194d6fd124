package html

import (
	"strings"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/text"
)

// maxLevels is how many levels of quotes and lists are shown: each costs characters on
// every line, so that a small document could become a huge text.
const maxLevels = 8

// writer lays text out in lines.
type writer struct {
	segments []*plugv1.Segment
	want     int             // line feeds that must be before the next text
	trailing int             // line feeds at the end of what is written
	space    *plugv1.Segment // due if the line goes on; or nil
	marker   string          // due at the begin of the next line
	quotes   int
	language string // of the block
	held     *plugv1.Segment
	begun    bool // something of the block was written
}

// wantLines sees to it that n line feeds are before the next text, if there is text
// before.
func (w *writer) wantLines(n int) {
	if n > 0 {
		w.want, w.space = max(w.want, n), nil
	}
}

// newLine writes a line feed that is in the text.
func (w *writer) newLine(format *plugv1.Segment) {
	w.lines()
	w.space = nil
	w.append(text.WithText(format, "\n"))
	w.trailing++
}

// lines writes the line feeds that are due.
func (w *writer) lines() {
	if len(w.segments) > 0 {
		for ; w.trailing < w.want; w.trailing++ {
			w.append(&plugv1.Segment{Text: "\n"})
		}
	}
	w.want = 0
}

func (w *writer) append(s *plugv1.Segment) { w.segments = append(w.segments, s) }

// write writes text of one line, with what is due before it.
func (w *writer) write(s *plugv1.Segment) {
	if s.GetText() == "" {
		return
	}
	w.lines()
	if len(w.segments) == 0 || w.trailing > 0 {
		w.space = nil
		if w.quotes > 0 {
			w.append(&plugv1.Segment{Text: strings.Repeat("> ", min(w.quotes, maxLevels))})
		}
	}
	if w.marker != "" {
		w.append(&plugv1.Segment{Text: w.marker})
		w.marker, w.space = "", nil
	}
	if w.space != nil {
		w.append(w.space)
		w.space = nil
	}
	w.append(s)
	w.trailing = 0
}

// literal writes text whose line feeds are in the text.
func (w *writer) literal(format *plugv1.Segment, s string) {
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			w.newLine(format)
		}
		w.write(text.WithText(format, line))
	}
}

// flow writes text whose line feeds are white space, as HTML has it: together with the
// spaces around one that goes on a line is one space. Other spaces stay, several too,
// because people have typed them.
func (w *writer) flow(format *plugv1.Segment, s string) {
	for s != "" {
		word := strings.IndexFunc(s, isBreak)
		if word < 0 {
			w.write(text.WithText(format, s))
			return
		}
		w.write(text.WithText(format, strings.TrimRight(s[:word], " \t")))
		s = strings.TrimLeft(s[word:], " \t\n\r\f")
		w.space = text.WithText(format, " ")
	}
}

func isBreak(c rune) bool { return c == '\n' || c == '\r' || c == '\f' }

func (w *writer) beginBlock() { w.language, w.held, w.begun = "", nil, false }

// preformatted writes text of a block as it is, without the line feed at its begin. One
// at its end is held back, and so is not written if it is the last.
func (w *writer) preformatted(s *plugv1.Segment) {
	if !w.begun {
		s.Text = strings.TrimPrefix(s.GetText(), "\n")
		w.begun = true
	}
	if s.GetText() == "" {
		return
	}
	w.lines()
	if w.held != nil {
		w.append(w.held)
		w.held = nil
	}
	if rest, ok := strings.CutSuffix(s.GetText(), "\n"); ok {
		w.held = text.WithText(s, "\n")
		s.Text = rest
	}
	w.append(s)
	w.trailing, w.space, w.marker = 0, nil, ""
}
