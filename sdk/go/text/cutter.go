package text

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// cutter makes the parts of one text.
type cutter struct {
	ruler    // without the prefix, if there is no render
	render   func(*plugv1.Text) string
	prefix   string
	text     string
	segments []*plugv1.Segment
	begins   []int // of the segments in the text
	atoms    []gap // the mentions
	owned    bool  // the list of segments is ours to change
}

// piece is what one part takes of the text.
type piece struct {
	gap
	next   int // where the part behind it begins
	inside int // end of the grapheme that had to be cut, if next is within it
}

// size is by how much a part is too large.
type size struct{ length, lines int }

// cutPrefix shortens a prefix to half of a part.
func (c *cutter) cutPrefix(prefix string) string {
	half := ruler{unit: c.unit, length: c.length / 2, lines: 1}
	for c.length < math.MaxInt && prefix != "" {
		sent := prefix
		if c.render != nil {
			sent = c.render(&plugv1.Text{Segments: []*plugv1.Segment{{Text: prefix}}})
		}
		if c.measure(sent) <= c.length/2 {
			break
		}
		half.length = min(half.length, c.measure(prefix)-1)
		prefix = prefix[:half.fit(prefix, 0, nil).end]
	}
	return prefix
}

// index notes where the segments begin and which are mentions.
func (c *cutter) index() {
	c.begins = make([]int, len(c.segments))
	end := 0
	for i, s := range c.segments {
		c.begins[i] = end
		end += len(s.GetText())
		if IsMention(s) && end > c.begins[i] {
			c.atoms = append(c.atoms, gap{c.begins[i], end})
		}
	}
}

// atomsFrom gives the mentions that begin at a position or behind it.
func (c *cutter) atomsFrom(at int) []gap {
	i, _ := slices.BinarySearchFunc(c.atoms, at, func(a gap, at int) int { return a.from - at })
	return c.atoms[i:]
}

// parts makes them, 1 to most.
func (c *cutter) parts(most int) []*plugv1.Text {
	var parts []*plugv1.Text
	var last, p piece
	for p.next < len(c.text) {
		var part *plugv1.Text
		part, p = c.first(p.next, p.inside)
		if part == nil {
			continue
		}
		if len(parts) == most {
			parts[most-1] = c.trim(parts[most-1], last.gap)
			return parts
		}
		parts = append(parts, part)
		last = p
	}
	if len(parts) == 0 { // nothing but blanks
		part := c.part(c.slice(gap{0, c.fit(c.text, 0, nil).end}))
		if c.excess(part) != (size{}) {
			part = c.part(nil)
		}
		return []*plugv1.Text{part}
	}
	return parts
}

// first makes the part that begins at a position; nil if it is blank.
func (c *cutter) first(at, inside int) (*plugv1.Text, piece) {
	s := search{ruler: c.ruler}
	for {
		p := c.cut(s.ruler, at, inside)
		text := c.text[p.from:p.to]
		var part *plugv1.Text
		var over size
		if strings.TrimSpace(text) != "" {
			part = c.part(c.slice(p.gap))
			over = c.excess(part)
		}
		length := c.measure(text)
		switch {
		case over == size{}:
			if s.fits(part, p) {
				return s.part, s.piece
			}
		case s.found:
			if s.tooLong(length) {
				return s.part, s.piece
			}
		case over.length == 0 && s.lines > 1:
			s.lines = max(1, min(s.lines, 1+strings.Count(text, "\n"))-over.lines)
		case over.length > 0 && length > c.least(p, inside):
			s.high = length
			s.length = max(c.least(p, inside), c.shorter(length, over.length))
		case c.excess(c.part([]*plugv1.Segment{{Text: text}})) == size{} && c.strip(p.gap):
			s = search{ruler: c.ruler}
		case over.length > 0 && utf8.RuneCountInString(text) > 1:
			s.length = length - 1
		case c.strip(p.gap):
			s = search{ruler: c.ruler}
		default: // there is no less
			return part, p
		}
	}
}

// search looks for the longest piece that fits when rendered. Where mark-up is dear
// or cheap it takes no more than a few steps, and may leave out a few characters then.
type search struct {
	ruler      // what to try next
	high  int  // a length that is too long; 0: none is known
	found bool // part and piece are the longest that is known to fit, with length low
	low   int
	part  *plugv1.Text
	piece piece
}

// fits notes that what was tried fits, and says whether it is the one.
func (s *search) fits(part *plugv1.Text, p piece) bool {
	first := !s.found
	s.found, s.low, s.part, s.piece = true, s.length, part, p
	if s.high == 0 || s.high-s.low <= 1 {
		return true
	}
	if first { // if each character costs the same, the estimate was exact
		s.length++
		return false
	}
	return s.halve()
}

// tooLong notes that what was tried is too long, and says whether the one found before
// is the one.
func (s *search) tooLong(length int) bool {
	s.high = length
	return s.halve()
}

func (s *search) halve() bool {
	s.length = (s.low + s.high) / 2
	return s.high-s.low <= 1+s.high/32
}

// cut says how much fits from a position on, which may be inside a grapheme that ends
// at inside.
func (c *cutter) cut(r ruler, at, inside int) piece {
	if at < inside {
		end := at + r.codePoints(c.text[at:inside])
		return piece{gap{at, end}, end, inside}
	}
	f := r.fit(c.text, at, c.atomsFrom(at))
	switch {
	case f.end == len(c.text):
		return piece{gap: gap{at, f.end}, next: f.end}
	case f.line != gap{}:
		return piece{gap: gap{at, f.line.from}, next: f.line.to}
	case f.space != gap{}:
		return piece{gap: gap{at, f.space.from}, next: f.space.to}
	case f.end > at:
		return piece{gap: gap{at, f.end}, next: f.end}
	default:
		end := at + r.codePoints(c.text[at:f.next])
		return piece{gap{at, end}, end, f.next}
	}
}

// least is the length of the grapheme or mention that a piece begins with; where a
// grapheme is being cut, of the code point.
func (c *cutter) least(p piece, inside int) int {
	if p.from < inside {
		_, n := utf8.DecodeRuneInString(c.text[p.from:])
		return c.measure(c.text[p.from : p.from+n])
	}
	grapheme := p.from + firstGrapheme(c.text[p.from:])
	whole, _ := throughAtoms(c.text, grapheme, c.atomsFrom(p.from))
	if whole > p.to {
		whole = min(grapheme, p.to)
	}
	return c.measure(c.text[p.from:whole])
}

// shorter estimates the length of a text that is to be over less when rendered: the
// larger of what it is if each character costs the same and if each costs one.
func (c *cutter) shorter(length, over int) int {
	return max(length-over, int(float64(length)*float64(c.length)/float64(c.length+over))-1)
}

// part puts the prefix in front.
func (c *cutter) part(segments []*plugv1.Segment) *plugv1.Text {
	if c.prefix == "" {
		return &plugv1.Text{Segments: segments}
	}
	all := make([]*plugv1.Segment, 0, 1+len(segments))
	all = append(all, &plugv1.Segment{Text: c.prefix})
	return &plugv1.Text{Segments: append(all, segments...)}
}

// excess measures what is really sent. Without render it was measured before.
func (c *cutter) excess(part *plugv1.Text) size {
	if c.render == nil {
		return size{}
	}
	sent := c.render(part)
	if c.fits(sent) {
		return size{}
	}
	return size{max(0, c.measure(sent)-c.length), max(0, 1+strings.Count(sent, "\n")-c.lines)}
}

// overlapping gives the indexes of the segments that a stretch begins and ends in.
func (c *cutter) overlapping(g gap) (from, to int) {
	from, found := slices.BinarySearch(c.begins, g.from)
	if !found && from > 0 {
		from--
	}
	to, _ = slices.BinarySearch(c.begins, g.to)
	return from, to
}

// slice gives the segments of a stretch of the text.
func (c *cutter) slice(g gap) []*plugv1.Segment {
	var segments []*plugv1.Segment
	from, to := c.overlapping(g)
	for i := from; i < to; i++ {
		s, begin := c.segments[i], c.begins[i]
		text := s.GetText()
		lo, hi := max(g.from-begin, 0), min(g.to-begin, len(text))
		switch {
		case lo >= hi:
			continue
		case hi-lo < len(text):
			s = WithText(s, text[lo:hi])
			if lo > 0 { // the mention is in the part before
				s.Mention, s.MassMention = nil, plugv1.MassMention_MASS_MENTION_UNSPECIFIED
			}
		}
		segments = append(segments, s)
	}
	return segments
}

// strip takes the links off the segments of a stretch, or if there are none, all
// formatting. False: there is nothing to take.
func (c *cutter) strip(g gap) bool {
	if !c.owned {
		c.segments, c.owned = slices.Clone(c.segments), true
	}
	from, to := c.overlapping(g)
	hasLink, stripped := false, false
	for _, s := range c.segments[from:to] {
		hasLink = hasLink || s.GetLink() != ""
	}
	for i := from; i < to; i++ {
		s := c.segments[i]
		if IsPlain(s) || hasLink && s.GetLink() == "" {
			continue
		}
		stripped = true
		if hasLink {
			c.segments[i] = WithText(s, s.GetText())
			c.segments[i].Link = ""
			continue
		}
		c.segments[i] = &plugv1.Segment{Text: s.GetText()}
		if atoms := c.atomsFrom(c.begins[i]); IsMention(s) && len(atoms) > 0 {
			atoms[0].to = atoms[0].from
		}
	}
	return stripped
}

// trim shortens a part that is a stretch of the text so that it ends with an ellipsis,
// if there is room for one.
func (c *cutter) trim(part *plugv1.Text, g gap) *plugv1.Text {
	r := c.ruler
	r.length -= c.measure(ellipsis)
	for tries := 0; r.length > 0; tries++ {
		end := r.fit(c.text[:g.to], g.from, c.atomsFrom(g.from)).end
		segments := withEllipsis(c.slice(gap{g.from, end}))
		short := c.part(segments)
		over := c.excess(short)
		if over == (size{}) {
			return short
		}
		if end == g.from || over.length == 0 {
			break
		}
		r.length = min(c.shorter(c.measure(c.text[g.from:end]), over.length), c.length>>tries)
	}
	return part
}

func withEllipsis(segments []*plugv1.Segment) []*plugv1.Segment {
	last := len(segments) - 1
	if last < 0 || IsMention(segments[last]) {
		return append(segments, &plugv1.Segment{Text: ellipsis})
	}
	segments[last] = WithText(segments[last], segments[last].GetText()+ellipsis)
	return segments
}
