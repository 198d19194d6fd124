package text

import (
	"math"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const ellipsis = "…"

// Split makes the physical parts of a text, one or more, each with prefix in front, as
// a plain segment of its own, and within limits, which count characters without
// mark-up. The same text, prefix and limits give the same parts, so that a part keeps
// its number over all attempts. The text shall be valid UTF-8, as Normalise makes it.
//
// A text that fits is one part, as it is. Otherwise a part ends at the last line
// break that fits, else at the last space, else between two graphemes; the break or
// space itself and blank parts are left out, nothing else is. Within a grapheme it
// breaks only one that alone is longer than a part. Of more than limits.parts the
// last one allowed ends with an ellipsis. A prefix takes at most half of a part.
//
// Every part has the formatting that its characters had: a preformatted block that is
// split is a block in each part. A mention is not broken; of one that alone is longer
// than a part the beginning is the mention and the rest is plain, so that it notifies
// once.
func Split(t *plugv1.Text, prefix string, limits *plugv1.Limits) []*plugv1.Text {
	return SplitRendered(t, prefix, limits, nil)
}

// SplitRendered is Split for a network that counts mark-up: it is the rendered part,
// prefix included, that is within limits. What render makes must grow with what it is
// given, roughly; it is called a few times for each part. A nil render is Plain.
//
// Where the mark-up of the least that can be sent is too long, a link of 500
// characters say, those segments lose their formatting and keep their text.
func SplitRendered(t *plugv1.Text, prefix string, limits *plugv1.Limits, render func(*plugv1.Text) string) []*plugv1.Text {
	c := cutter{ruler: newRuler(limits), render: render, segments: t.GetSegments(), text: Plain(t)}
	c.prefix = c.cutPrefix(prefix)
	if c.length < math.MaxInt && render == nil {
		c.length -= c.measure(c.prefix)
	}
	if c.fits(c.text) {
		whole := t
		if c.prefix != "" || t == nil {
			whole = c.part(t.GetSegments())
		}
		if c.excess(whole) == (size{}) {
			return []*plugv1.Text{whole}
		}
	}
	most := math.MaxInt
	if n := limits.GetParts(); n > 0 {
		most = int(n)
	}
	c.index()
	return c.parts(most)
}
