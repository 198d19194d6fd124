package markdown

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/plughost/plughost/sdk/go/text/markdown/internal/read"
)

// escaper writes text so that Markdown's readers take every character for itself.
type escaper struct {
	strings.Builder
	entities bool // the network knows them
	urls     bool // leave URLs as they are, for networks that make links of them
}

// text writes a stretch of one line; at its begin also what only counts there.
func (e *escaper) text(s string, lineStart bool) {
	if lineStart {
		s = e.lineStart(s)
	}
	url := 0 // up to where a URL reaches
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		if e.urls && i >= url {
			url = i + urlLength(s[i:])
		}
		if e.needsBackslash(s, i, i < url) {
			e.WriteByte('\\')
		}
		e.WriteRune(c)
		i += size
	}
}

// needsBackslash says whether the character at a position could be mark-up.
func (e *escaper) needsBackslash(s string, i int, inURL bool) bool {
	switch s[i] {
	case '\\', '`', '[', ']', '|':
		return true
	case '*', '~':
		return !inURL
	case '_':
		return !inURL && !insideWord(s, i)
	case '!': // a picture, if a link comes next
		return i+1 == len(s)
	case '&':
		return !inURL && read.EntityLength([]byte(s[i:min(len(s), i+40)])) > 0
	case '<':
		return i+1 == len(s) || !strings.ContainsRune(" \t=3-", rune(s[i+1]))
	}
	return false
}

// lineStart writes the begin of a line, escaped where it would begin a block, and gives
// the rest.
func (e *escaper) lineStart(s string) string {
	if s[0] == ' ' || s[0] == '\t' {
		if e.entities { // it is otherwise left out, or four begin a block of code
			if s[0] == ' ' {
				e.WriteString("&#32;")
			} else {
				e.WriteString("&#9;")
			}
			s = s[1:]
		}
		rest := strings.TrimLeft(s, " \t")
		e.WriteString(s[:len(s)-len(rest)])
		s = rest
	}
	marker := strings.TrimLeft(s, "0123456789")
	digits := s[:len(s)-len(marker)]
	switch {
	case s == "":
		return s
	case digits != "" && marker != "" && (marker[0] == '.' || marker[0] == ')'):
		e.WriteString(digits + `\` + marker[:1])
		return marker[1:]
	case s[0] == '>', strings.ContainsRune("-+=", rune(s[0])) && !startsWithWord(s[1:]),
		s[0] == '#' && !startsWithWord(strings.TrimLeft(s, "#")):
		e.WriteString(`\` + s[:1])
		return s[1:]
	}
	return s
}

// insideWord says whether an underscore has a letter or digit on both sides: such a one
// is never mark-up (CommonMark 6.2).
func insideWord(s string, i int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	return i > 0 && (unicode.IsLetter(before) || unicode.IsDigit(before)) && startsWithWord(s[i+1:])
}

func startsWithWord(s string) bool {
	c, _ := utf8.DecodeRuneInString(s)
	return s != "" && (unicode.IsLetter(c) || unicode.IsDigit(c))
}

// urlLength is the length of the URL at the begin of s, or 0: up to a blank or a
// character that no URL has.
func urlLength(s string) int {
	if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
		return 0
	}
	end := strings.IndexFunc(s, func(c rune) bool { return unicode.IsSpace(c) || strings.ContainsRune("<>\"[]{}|\\^`", c) })
	if end < 0 {
		return len(s)
	}
	return end
}

// code writes a code span: between more backticks than there are in it in a row
// (CommonMark 6.1).
func (e *escaper) code(s string) {
	fence := strings.Repeat("`", 1+longestRow(s, '`'))
	pad := ""
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") ||
		strings.HasPrefix(s, " ") && strings.HasSuffix(s, " ") && strings.Trim(s, " ") != "" {
		pad = " "
	}
	e.WriteString(fence + pad + s + pad + fence)
}

// longestRow is how often a byte is in s one behind the other, at most.
func longestRow(s string, b byte) int {
	longest, row := 0, 0
	for i := range len(s) {
		if s[i] != b {
			row = 0
			continue
		}
		row++
		longest = max(longest, row)
	}
	return longest
}
