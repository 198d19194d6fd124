package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// invisible is what breaks a word for a network and for nobody who reads: ZERO WIDTH
// SPACE. Of the zero-width characters it is the one that chat clients show as nothing
// most reliably.
const invisible = "\u200B"

// Inert is a string in which what looks like a mention notifies nobody: behind the
// first character of each match of a pattern it has a U+200B.
//
// A pattern is literal: a whole mention ("@everyone", "<!channel>", a nick), or a sigil
// ("@", "<@") that makes every mention of a kind inert. Case doesn't matter. One that
// begins with a letter or digit, a nick, matches as a whole word only. What shall be
// inert on a network its plug knows: on Discord "@everyone", "@here" and "<@", on Slack
// "<!", "<@" and "@", on Matrix "@room", on IRC the nicks of the channel.
func Inert(s string, patterns ...string) string {
	cuts := inertCuts(s, patterns)
	if len(cuts) == 0 {
		return s
	}
	var b strings.Builder
	from := 0
	for _, cut := range cuts {
		b.WriteString(s[from:cut])
		b.WriteString(invisible)
		from = cut
	}
	b.WriteString(s[from:])
	return b.String()
}

// InertText does as Inert over all segments together, since formatting in the midst of
// a mention doesn't keep every network from seeing it. Segments that are mentions stay
// as they are and end the word before them.
func InertText(t *plugv1.Text, patterns ...string) *plugv1.Text {
	out := &plugv1.Text{}
	segments := t.GetSegments()
	changed := false
	for len(segments) > 0 {
		run := 0
		for run < len(segments) && !IsMention(segments[run]) {
			run++
		}
		if run == 0 {
			out.Segments = append(out.Segments, segments[0])
			segments = segments[1:]
			continue
		}
		cuts := inertCuts(Plain(&plugv1.Text{Segments: segments[:run]}), patterns)
		changed = changed || len(cuts) > 0
		out.Segments = append(out.Segments, insertInvisible(segments[:run], cuts)...)
		segments = segments[run:]
	}
	if !changed && t != nil {
		return t
	}
	return out
}

// insertInvisible puts the character at positions of all segments together.
func insertInvisible(segments []*plugv1.Segment, cuts []int) []*plugv1.Segment {
	out := make([]*plugv1.Segment, 0, len(segments))
	begin := 0
	for _, s := range segments {
		text := s.GetText()
		end := begin + len(text)
		if len(cuts) > 0 && cuts[0] <= end {
			var b strings.Builder
			from := begin
			for ; len(cuts) > 0 && cuts[0] <= end; cuts = cuts[1:] {
				b.WriteString(text[from-begin : cuts[0]-begin])
				b.WriteString(invisible)
				from = cuts[0]
			}
			b.WriteString(text[from-begin:])
			s = WithText(s, b.String())
		}
		out = append(out, s)
		begin = end
	}
	return out
}

// inertCuts finds where the patterns match, and gives the positions behind the first
// character of each match, in order.
func inertCuts(s string, patterns []string) []int {
	var cuts []int
	wordBefore := false // the character before is of a word
	for i, c := range s {
		for _, p := range patterns {
			n := prefixFold(s[i:], p)
			if n == 0 || isWord(c) && (wordBefore || startsWord(s[i+n:])) {
				continue
			}
			cuts = append(cuts, i+firstGrapheme(s[i:i+n]))
			break
		}
		wordBefore = isWord(c)
	}
	return cuts
}

func isWord(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }

func startsWord(s string) bool {
	c, _ := utf8.DecodeRuneInString(s)
	return s != "" && isWord(c)
}

// prefixFold is the length of the prefix of s that is p but for the case; 0: none.
func prefixFold(s, p string) int {
	n := 0
	for _, want := range p {
		got, size := utf8.DecodeRuneInString(s[n:])
		if n == len(s) || got != want && !equalFold(got, want) {
			return 0
		}
		n += size
	}
	return n
}

// equalFold is simple case folding, as strings.EqualFold does it.
func equalFold(a, b rune) bool {
	for c := unicode.SimpleFold(a); c != a; c = unicode.SimpleFold(c) {
		if c == b {
			return true
		}
	}
	return false
}
