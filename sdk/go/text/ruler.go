package text

import (
	"math"
	"strings"
	"unicode/utf8"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/rivo/uniseg"
)

// ruler measures text as a network does.
type ruler struct {
	unit          plugv1.LengthUnit
	length, lines int // what a part may have
}

func newRuler(limits *plugv1.Limits) ruler {
	r := ruler{unit: limits.GetTextUnit(), length: math.MaxInt, lines: math.MaxInt}
	if n := limits.GetTextLength(); n > 0 {
		r.length = int(n)
	}
	if n := limits.GetTextLines(); n > 0 {
		r.lines = int(n)
	}
	return r
}

func (r ruler) measure(s string) int { return Len(s, r.unit) }

// fits says whether all of a string fits, without looking for graphemes. No unit
// counts more than the bytes.
func (r ruler) fits(s string) bool {
	return (len(s) <= r.length || r.measure(s) <= r.length) &&
		(r.lines == math.MaxInt || strings.Count(s, "\n") < r.lines)
}

// gap is a stretch of a text, in bytes.
type gap struct{ from, to int }

// fitting is how much of a text fits into one part; all positions are in bytes of the
// whole text.
type fitting struct {
	end         int // of the graphemes that fit
	next        int // end of the one behind them
	line, space gap // last chance to break at or before end, left out there; zero: none
}

// fit walks a text's graphemes from a position on as far as they fit. A break right
// behind the last that fits is a chance too. What overlaps with an atom is one grapheme
// here, except where that alone is too long. The atoms are in order.
func (r ruler) fit(text string, from int, atoms []gap) fitting {
	f := fitting{end: from, next: from}
	used, lines, broken := 0, 1, 0
	for f.end < len(text) {
		f.next = f.end + firstGrapheme(text[f.end:])
		whole := f.next
		if f.end >= broken {
			whole, atoms = throughAtoms(text, f.next, atoms)
		}
		if whole > f.next && f.end == from && !r.fits(text[from:whole]) {
			broken, whole = whole, f.next
		}
		cluster := text[f.end:whole]
		switch {
		case whole > f.next:
			lines += strings.Count(cluster, "\n")
		case cluster == "\n" || cluster == "\r\n":
			f.line = gap{f.end, whole}
			lines++
		case cluster == " " || cluster == "\t":
			f.space = gap{f.end, whole}
		}
		used += r.measure(cluster)
		f.next = whole
		if used > r.length || lines > r.lines {
			return f
		}
		f.end = whole
	}
	return f
}

// throughAtoms gives the end of the graphemes that reach to the end of every atom that
// begins before end, and the atoms behind.
func throughAtoms(text string, end int, atoms []gap) (int, []gap) {
	for ; len(atoms) > 0 && atoms[0].from < end; atoms = atoms[1:] {
		for end < atoms[0].to && end < len(text) {
			end += firstGrapheme(text[end:])
		}
	}
	return end, atoms
}

// firstGrapheme is the length of the first grapheme of a string that is not empty.
// Between two characters of ASCII there is always a boundary, but in CR LF (UAX 29,
// GB3-GB5).
func firstGrapheme(s string) int {
	if s[0] < utf8.RuneSelf && (len(s) == 1 || s[1] < utf8.RuneSelf && s[0] != '\r') {
		return 1
	}
	cluster, _, _, _ := uniseg.FirstGraphemeClusterInString(s, -1)
	return len(cluster)
}

// codePoints is how much of a grapheme that is too long fits. One code point always
// does, or there would be no end.
func (r ruler) codePoints(grapheme string) int {
	used := 0
	for i, c := range grapheme {
		n := r.measure(string(c))
		if used+n > r.length && i > 0 {
			return i
		}
		used += n
	}
	return len(grapheme)
}
