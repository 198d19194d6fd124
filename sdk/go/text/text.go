package text

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// New makes a text of one plain segment. What is not valid UTF-8 becomes U+FFFD,
// because one wrong byte would end the stream to the host; nothing else is changed.
func New(s string) *plugv1.Text {
	if s == "" {
		return &plugv1.Text{}
	}
	return &plugv1.Text{Segments: []*plugv1.Segment{{Text: strings.ToValidUTF8(s, "\uFFFD")}}}
}

// Plain is a text without its formatting. A nil text is empty.
func Plain(t *plugv1.Text) string {
	segments := t.GetSegments()
	if len(segments) == 1 {
		return segments[0].GetText()
	}
	var b strings.Builder
	for _, s := range segments {
		b.WriteString(s.GetText())
	}
	return b.String()
}

// Len is the length of a string as a network counts it.
func Len(s string, unit plugv1.LengthUnit) int {
	switch unit {
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

// IsPlain says whether a segment has no formatting, link or mention.
func IsPlain(s *plugv1.Segment) bool {
	return !s.GetBold() && !s.GetItalic() && !s.GetUnderline() && !s.GetStrike() && !s.GetCode() &&
		s.GetPreformatted() == nil && s.GetLink() == "" && !IsMention(s)
}

// IsMention says whether a segment may notify one user or many.
func IsMention(s *plugv1.Segment) bool {
	return s.GetMention() != nil || s.GetMassMention() != plugv1.MassMention_MASS_MENTION_UNSPECIFIED
}

// WithText is a segment with other characters and the same formatting.
func WithText(s *plugv1.Segment, text string) *plugv1.Segment {
	return &plugv1.Segment{
		Text: text, Bold: s.GetBold(), Italic: s.GetItalic(), Underline: s.GetUnderline(), Strike: s.GetStrike(),
		Code: s.GetCode(), Preformatted: s.GetPreformatted(), Link: s.GetLink(),
		Mention: s.GetMention(), MassMention: s.GetMassMention(),
	}
}

// Join puts texts one behind the other, with a plain separator between them. Nil and
// empty texts count.
func Join(separator string, texts ...*plugv1.Text) *plugv1.Text {
	joined := &plugv1.Text{}
	for i, t := range texts {
		if i > 0 && separator != "" {
			joined.Segments = append(joined.Segments, &plugv1.Segment{Text: separator})
		}
		joined.Segments = append(joined.Segments, t.GetSegments()...)
	}
	return joined
}

// Trim is a text without the white space at its two ends. Of a preformatted block
// only line feeds go, because its spaces are part of it.
func Trim(t *plugv1.Text) *plugv1.Text {
	segments := append([]*plugv1.Segment(nil), t.GetSegments()...)
	for len(segments) > 0 {
		s := trimmed(segments[0], strings.TrimLeftFunc)
		if s != nil {
			segments[0] = s
			break
		}
		segments = segments[1:]
	}
	for len(segments) > 0 {
		last := len(segments) - 1
		s := trimmed(segments[last], strings.TrimRightFunc)
		if s != nil {
			segments[last] = s
			break
		}
		segments = segments[:last]
	}
	return &plugv1.Text{Segments: segments}
}

// trimmed is a segment without its white space; nil if nothing else is in it.
func trimmed(s *plugv1.Segment, trim func(string, func(rune) bool) string) *plugv1.Segment {
	isSpace := unicode.IsSpace
	if s.GetPreformatted() != nil {
		isSpace = func(c rune) bool { return c == '\n' }
	}
	short := trim(s.GetText(), isSpace)
	switch {
	case short == "":
		return nil
	case short == s.GetText():
		return s
	}
	return WithText(s, short)
}
