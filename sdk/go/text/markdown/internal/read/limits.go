package read

import "bytes"

// MaxBytes is the longest Markdown that is read.
const MaxBytes = 64 << 10

// Of these the parser's time grows with the square.
const (
	maxBrackets = 500 // "[" in all
	maxNested   = 100 // signs of quotes and lists at the begin of one line
)

// maxLevels is how many levels of quotes and lists are shown: each costs characters on
// every line, so that a small document could become a huge text.
const maxLevels = 8

// isTooMuch says whether parsing would take too long. Nobody writes such a text.
func isTooMuch(source []byte) bool {
	if len(source) > MaxBytes || bytes.Count(source, []byte("[")) > maxBrackets {
		return true
	}
	for line := range bytes.Lines(source) {
		signs := line[:len(line)-len(bytes.TrimLeft(line, " \t>-+*.)0123456789"))]
		if bytes.Count(signs, []byte(">"))+bytes.Count(signs, []byte(" "))+bytes.Count(signs, []byte("\t")) > maxNested &&
			len(bytes.TrimLeft(signs, " \t")) > maxNested {
			return true
		}
	}
	return false
}
