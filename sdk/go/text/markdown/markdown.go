package markdown

import (
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/text"
	"github.com/plughost/plughost/sdk/go/text/markdown/internal/read"
)

// MaxBytes is the longest Markdown that is parsed; no chat network has longer messages.
const MaxBytes = read.MaxBytes

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

// Parse reads the Markdown of a network. Nothing that a reader sees is lost: a line
// break is a line feed, quotes, lists and rules become characters ("> ", "- ", "1. ",
// "---"), headings are bold, pictures links, and links that lead nowhere stay as they
// were written. The result is normal.
func (f Format) Parse(s string) *plugv1.Text {
	normal := text.Normalise(text.New(s))
	segments, ok := read.Markdown([]byte(text.Plain(normal)), f.Discord)
	if !ok {
		return normal
	}
	return text.Normalise(&plugv1.Text{Segments: segments})
}
