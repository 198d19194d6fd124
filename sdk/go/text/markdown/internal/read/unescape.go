package read

import (
	"bytes"

	"github.com/yuin/goldmark/util"
)

// unescape resolves backslashes and entities, in one go: what an escape gives escapes
// nothing.
func unescape(s []byte) []byte {
	if bytes.IndexByte(s, '\\') < 0 && bytes.IndexByte(s, '&') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] == '\\' && i+1 < len(s) && util.IsPunct(s[i+1]) {
			out = append(out, s[i+1])
			i += 2
			continue
		}
		if n := EntityLength(s[i:]); n > 0 {
			entity := s[i : i+n]
			if entity[1] == '#' {
				out = append(out, util.ResolveNumericReferences(entity)...)
			} else {
				out = append(out, util.ResolveEntityNames(entity)...)
			}
			i += n
			continue
		}
		out = append(out, s[i])
		i++
	}
	return out
}

// EntityLength is the length of what looks like an entity at the begin of s, or 0
// (CommonMark 2.5). A name that doesn't exist is resolved to itself.
func EntityLength(s []byte) int {
	if len(s) < 3 || s[0] != '&' {
		return 0
	}
	for i := 1; i < len(s) && i < 40; i++ {
		switch c := s[i]; {
		case c == ';':
			return i + 1
		case c == '#' && i == 1:
		case !util.IsAlphaNumeric(c):
			return 0
		}
	}
	return 0
}
