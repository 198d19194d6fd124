package text

import (
	"strings"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// maxQuoteGraphemes is how much of a message a quote shows.
const maxQuoteGraphemes = 80

// Quote is a message that is answered as a line of text, for networks without replies:
// the name of its author and its first line that is not blank, of at most 80 graphemes,
// with an ellipsis if there was more.
//
//	> Ann: shall we meet at eight?…
//
// It is plain, so it notifies nobody and its links lead nowhere, and ends with a line
// feed, so that the answer can be joined to it: Join("", Quote(name, first), answer).
// An empty author is left out, and so is all of a quote that would be empty.
func Quote(author string, t *plugv1.Text) *plugv1.Text {
	author = strings.Join(strings.Fields(Plain(Normalise(New(author)))), " ")
	line := firstLine(Plain(Normalise(t)))
	switch {
	case author == "" && line == "":
		return &plugv1.Text{}
	case line == "":
		line = ellipsis
	}
	if author != "" {
		author += ": "
	}
	return New("> " + author + line + "\n")
}

func firstLine(s string) string {
	s = strings.TrimSpace(s)
	line, rest, _ := strings.Cut(s, "\n")
	line = strings.TrimSpace(line)
	end := 0
	for n := 0; end < len(line); n++ {
		if n == maxQuoteGraphemes {
			return strings.TrimSpace(line[:end]) + ellipsis
		}
		end += firstGrapheme(line[end:])
	}
	if rest != "" {
		return line + ellipsis
	}
	return line
}
