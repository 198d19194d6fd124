// Package clean makes of what a stranger wrote what others can be shown.
//
// Takes and gives: strings, in any encoding and of any length; what comes out is
// valid UTF-8 without controls if what goes in is valid UTF-8.
//
// Order and bounds: pure functions. How it stops: nothing here runs.
package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// maxEmoji is the longest emoji, in bytes: a family has 25, a flag 28.
const maxEmoji = 64

// IsEmoji says whether a text is one picture: a grapheme that begins with a symbol,
// or the key of a digit.
func IsEmoji(s string) bool {
	if s == "" || len(s) > maxEmoji || !utf8.ValidString(s) || uniseg.GraphemeClusterCount(s) != 1 {
		return false
	}
	first, _ := utf8.DecodeRuneInString(s)
	if first < 0x80 {
		return strings.ContainsRune("0123456789#*", first) && strings.HasSuffix(s, "\u20e3")
	}
	return unicode.IsSymbol(first) || unicode.IsPunct(first) || first == 'ℹ'
}

// FileName is a name that leads nowhere else.
func FileName(name string) string {
	name = strings.TrimLeft(strings.NewReplacer("/", "_", `\`, "_").Replace(Name(name)), ".")
	if strings.Trim(name, " _.") == "" {
		return "file"
	}
	return Words(name, 128)
}

// Words is one line of at most so many code points.
func Words(s string, runes int) string {
	s = Name(s)
	if all := []rune(s); len(all) > runes {
		return string(all[:runes])
	}
	return s
}

// Name makes one line of a name, in which nothing turns the direction of what
// stands behind it.
func Name(name string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Noncharacter_Code_Point, r):
			return -1
		}
		return r
	}, name)), " ")
}

// Text keeps lines and tabs, and drops the other control characters and what
// is no character at all.
func Text(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	return strings.TrimRightFunc(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Noncharacter_Code_Point, r) {
			return -1
		}
		return r
	}, text), unicode.IsSpace)
}
