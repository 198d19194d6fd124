package text

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/protobuf/proto"
)

// MaxLinkBytes is the longest link of a segment.
const MaxLinkBytes = 2 << 10

// schemes are those of links that lead somewhere and run nothing.
var schemes = map[string]bool{
	"http": true, "https": true, "ftp": true, "ftps": true,
	"mailto": true, "tel": true, "sms": true, "sip": true, "sips": true, "geo": true,
	"xmpp": true, "irc": true, "ircs": true, "matrix": true,
}

var encodeMarkup = strings.NewReplacer(`"`, "%22", "<", "%3C", ">", "%3E", `\`, "%5C", "^", "%5E", "`", "%60", "{", "%7B", "|", "%7C", "}", "%7D")

// Link is a URL as a segment may have it: absolute, with a scheme such as http,
// https, mailto, tel, xmpp or irc, at most MaxLinkBytes, valid UTF-8 without white
// space and controls. White space around it is left out, and what RFC 3986 (2) never
// allows in a URL but all mark-up is made of (" < > \ ^ ` { | }) is percent-encoded.
// False: it is none.
func Link(s string) (string, bool) {
	s = encodeMarkup.Replace(strings.TrimSpace(s))
	if s == "" || len(s) > MaxLinkBytes || !utf8.ValidString(s) ||
		strings.ContainsFunc(s, func(c rune) bool { return unicode.IsSpace(c) || !allowed(c) }) {
		return "", false
	}
	u, err := url.Parse(s)
	if err != nil || !schemes[strings.ToLower(u.Scheme)] {
		return "", false
	}
	if u.Host == "" && u.Opaque == "" && u.Path == "" {
		return "", false
	}
	return s, true
}

// allowed says whether a text may have a character other than tab and line feed.
func allowed(c rune) bool {
	return !unicode.IsControl(c) && c != 0xFFFE && c != 0xFFFF
}

// Normalise is a text as the contract has it, and the same for all texts that mean the
// same:
//
//   - valid UTF-8 (what is not becomes U+FFFD), no control characters but tab and line
//     feed, no U+FFFE and U+FFFF; CR LF and CR are line feeds;
//   - no empty segments; neighbours with equal formatting are one, except mentions;
//   - links that Link refuses, mentions of nobody, and a block's language that is not
//     one word are left out, their text stays; a preformatted segment is not code
//     besides, a mention is not a mass mention besides;
//   - a line feed stands between a preformatted block and what is not in it.
//
// A text that is normal already may be returned itself.
func Normalise(t *plugv1.Text) *plugv1.Text {
	if t != nil && isNormal(t.GetSegments()) {
		return t
	}
	var n normaliser
	for _, s := range t.GetSegments() {
		n.add(s)
	}
	return n.end()
}

// isNormal knows the usual case at once: one plain segment.
func isNormal(segments []*plugv1.Segment) bool {
	return len(segments) == 0 || len(segments) == 1 && IsPlain(segments[0]) &&
		segments[0].GetText() != "" && isClean(segments[0].GetText())
}

func isClean(s string) bool {
	for i, c := range s {
		if c == '\t' || c == '\n' {
			continue
		}
		if !allowed(c) || c == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return false
		}
	}
	return true
}

// normaliser makes a normal text segment by segment.
type normaliser struct {
	out  []*plugv1.Segment
	last *plugv1.Segment // the one that may still grow; its characters are in text
	text strings.Builder
	cr   bool // the character before was a CR, which became a line feed
}

func (n *normaliser) add(s *plugv1.Segment) {
	text := n.clean(s.GetText())
	if text == "" {
		return
	}
	s = WithText(s, "")
	s.Link, _ = Link(s.GetLink())
	s.Preformatted = normalPreformatted(s.GetPreformatted())
	s.Code = s.GetCode() && s.GetPreformatted() == nil
	if u := s.GetMention().GetUser(); u.GetId() == "" && u.GetUsername() == "" {
		s.Mention = nil
	}
	if _, known := plugv1.MassMention_name[int32(s.GetMassMention())]; !known || s.GetMention() != nil {
		s.MassMention = plugv1.MassMention_MASS_MENTION_UNSPECIFIED
	}
	switch {
	case n.last == nil:
		n.begin(s)
	case !sameFormat(n.last, s):
		if n.needsLine(s, text) {
			if !IsPlain(n.last) && !IsPlain(s) {
				n.begin(&plugv1.Segment{})
			}
			if IsPlain(n.last) {
				n.text.WriteByte('\n')
			} else {
				text = "\n" + text
			}
		}
		n.begin(s)
	}
	n.text.WriteString(text)
}

// begin ends the last segment and lets s grow.
func (n *normaliser) begin(s *plugv1.Segment) {
	if n.last != nil {
		n.last.Text = n.text.String()
		n.out = append(n.out, n.last)
	}
	n.last = s
	n.text.Reset()
}

func (n *normaliser) end() *plugv1.Text {
	n.begin(nil)
	return &plugv1.Text{Segments: n.out}
}

// needsLine says whether a line feed is missing between a block and what is not in it.
func (n *normaliser) needsLine(s *plugv1.Segment, text string) bool {
	return !sameBlock(n.last.GetPreformatted(), s.GetPreformatted()) &&
		(n.last.GetPreformatted() != nil || !strings.HasSuffix(n.text.String(), "\n")) &&
		(s.GetPreformatted() != nil || !strings.HasPrefix(text, "\n"))
}

func (n *normaliser) clean(s string) string {
	if !n.cr && isClean(s) {
		return s
	}
	var b strings.Builder
	for _, c := range s { // a wrong byte is ranged over as U+FFFD
		switch {
		case c == '\r':
			b.WriteByte('\n')
		case c == '\n' && n.cr:
		case c == '\n' || c == '\t' || allowed(c):
			b.WriteRune(c)
		}
		n.cr = c == '\r'
	}
	return b.String()
}

func normalPreformatted(p *plugv1.Preformatted) *plugv1.Preformatted {
	if p == nil {
		return nil
	}
	language := p.GetLanguage()
	for _, c := range language {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("+-#._", c) || c == utf8.RuneError {
			language = ""
			break
		}
	}
	return &plugv1.Preformatted{Language: language}
}

// sameBlock says whether two neighbours are of the same block, or of none.
func sameBlock(a, b *plugv1.Preformatted) bool {
	return (a == nil) == (b == nil) && a.GetLanguage() == b.GetLanguage()
}

// sameFormat says whether two neighbours are one segment. Two mentions never are: the
// same user may be mentioned twice.
func sameFormat(a, b *plugv1.Segment) bool {
	return a.GetBold() == b.GetBold() && a.GetItalic() == b.GetItalic() && a.GetUnderline() == b.GetUnderline() &&
		a.GetStrike() == b.GetStrike() && a.GetCode() == b.GetCode() && a.GetLink() == b.GetLink() &&
		sameBlock(a.GetPreformatted(), b.GetPreformatted()) && !IsMention(a) && !IsMention(b)
}

// Equal says whether two texts say and mean the same: whether they are equal when
// normalised.
func Equal(a, b *plugv1.Text) bool { return proto.Equal(Normalise(a), Normalise(b)) }
