package markdown

import (
	"bytes"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// MaxBytes is the longest Markdown that is parsed; no chat network has longer messages.
const MaxBytes = 64 << 10

// Of these the parser's time grows with the square.
const (
	maxBrackets = 2000 // "[" in all
	maxNested   = 100  // signs of quotes and lists at the begin of one line
)

// maxLevels is how many levels of quotes and lists are shown: each costs characters on
// every line, so that a small document could become a huge text.
const maxLevels = 8

// Format is the Markdown of one network. The zero Format is CommonMark with
// strikethrough, without mentions. Its functions are called in the caller's goroutine.
type Format struct {
	// Discord is true for Discord's Markdown: "__" is underlined and not bold, there are no
	// entities, so that blanks at the begin of a line are sent as they are (Parse leaves
	// them out), and a block ends at the first three backticks, so that U+200B is put
	// between backticks in one.
	Discord bool
	// Inert are the patterns of text.Inert that must not notify anyone on this network;
	// Render makes them inert, except in a mention that Mention renders.
	Inert []string
	// Mention gives, in Render, the network's mark-up for a mention or mass mention, as
	// it is put into a line of the Markdown. False, or no function: what people see of the
	// mention is sent as text.
	Mention func(*plugv1.Segment) (markup string, ok bool)
}

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
