package plug

import (
	"math"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/rivo/uniseg"
)

const ellipsis = "…"

// split makes the physical parts of a text, each with prefix in front and within
// limits. The same text, prefix and limits give the same parts, so that a part keeps
// its number over all attempts.
//
// A text that fits is one part, as it is. Otherwise a part ends at the last line
// break that fits, else at the last space, else between two graphemes; the break or
// space itself and blank parts are left out, nothing else is. Within a grapheme it
// breaks only one that alone is longer than a part. Of more than limits.parts the
// last one allowed ends with an ellipsis. A prefix takes at most half of a part.
func split(text, prefix string, limits *plugv1.Limits) []string {
	r := ruler{unit: limits.GetTextUnit(), length: math.MaxInt, lines: math.MaxInt}
	if n := limits.GetTextLength(); n > 0 {
		r.length = int(n)
	}
	if n := limits.GetTextLines(); n > 0 {
		r.lines = int(n)
	}
	if r.measure(prefix) > r.length/2 {
		prefix = prefix[:ruler{unit: r.unit, length: r.length / 2, lines: 1}.fit(prefix).end]
	}
	if r.length < math.MaxInt {
		r.length -= r.measure(prefix)
	}
	most := math.MaxInt
	if n := limits.GetParts(); n > 0 {
		most = int(n)
	}
	parts := r.cut(text, most)
	for i := range parts {
		parts[i] = prefix + parts[i]
	}
	return parts
}

// ruler measures text as a network does.
type ruler struct {
	unit          plugv1.LengthUnit
	length, lines int // what a part may have
}

func (r ruler) measure(s string) int {
	switch r.unit {
	case plugv1.LengthUnit_LENGTH_UNIT_BYTES:
		return len(s)
	case plugv1.LengthUnit_LENGTH_UNIT_UTF16:
		n := 0
		for _, c := range s {
			n += utf16.RuneLen(c)
		}
		return n
	default:
		return utf8.RuneCountInString(s)
	}
}

// cut makes the parts without their prefix, 1 to most.
func (r ruler) cut(text string, most int) []string {
	var parts []string
	for rest := text; rest != ""; {
		var pieces []string
		pieces, rest = r.first(rest)
		for _, part := range pieces {
			if strings.TrimSpace(part) == "" {
				continue
			}
			if len(parts) == most {
				parts[most-1] = r.trim(parts[most-1])
				return parts
			}
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 { // nothing but blanks
		return []string{text[:r.fit(text).end]}
	}
	return parts
}

// first cuts the first part off a text, or the several that one grapheme makes.
func (r ruler) first(text string) (pieces []string, rest string) {
	f := r.fit(text)
	switch {
	case f.end == len(text):
		return []string{text}, ""
	case f.line != (gap{}):
		return []string{text[:f.line.from]}, text[f.line.to:]
	case f.space != (gap{}):
		return []string{text[:f.space.from]}, text[f.space.to:]
	case f.end > 0:
		return []string{text[:f.end]}, text[f.end:]
	default:
		return r.cutGrapheme(text[:f.next]), text[f.next:]
	}
}

// cutGrapheme cuts a grapheme between its code points. One code point always fits,
// or there would be no end.
func (r ruler) cutGrapheme(grapheme string) []string {
	var pieces []string
	begin, used := 0, 0
	for i, c := range grapheme {
		n := r.measure(string(c))
		if used+n > r.length && i > begin {
			pieces = append(pieces, grapheme[begin:i])
			begin, used = i, 0
		}
		used += n
	}
	return append(pieces, grapheme[begin:])
}

// gap is where a text may be broken: the characters from..to are left out then.
type gap struct{ from, to int }

// fitting is how much of a text fits into one part.
type fitting struct {
	end         int // of the graphemes that fit, in bytes
	next        int // end of the one behind them
	line, space gap // last chance to break at or before end; zero: none
}

// fit walks a text's graphemes as far as they fit. A break right behind the last
// that fits is a chance too.
func (r ruler) fit(text string) fitting {
	var f fitting
	used, lines, state := 0, 1, -1
	for rest := text; rest != ""; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		f.next = f.end + len(cluster)
		switch cluster {
		case "\n", "\r\n":
			f.line = gap{f.end, f.next}
			lines++
		case " ", "\t":
			f.space = gap{f.end, f.next}
		}
		used += r.measure(cluster)
		if used > r.length || lines > r.lines {
			return f
		}
		f.end = f.next
	}
	return f
}

// trim shortens a part so that it ends with an ellipsis, if there is room for one.
func (r ruler) trim(part string) string {
	short := r
	short.length -= r.measure(ellipsis)
	if short.length < 1 {
		return part
	}
	return part[:short.fit(part).end] + ellipsis
}
