package room

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of a message, in Unicode code points.
const (
	// MaxText is the longest text.
	MaxText = 4000
	// MaxAuthor is the longest name of an author. One that came over a bridge is
	// longer than what a person may type: it often names the network too.
	MaxAuthor = 256
)

// Message is one message.
type Message struct {
	// Row numbers the messages of all rooms, from 1, in the order in which they
	// came to exist. It is the message's id, and where to go on reading.
	Row  int64
	Room string
	// AuthorID stays the same over renames; Author is the name that is shown.
	AuthorID, Author string
	// Bridged says that it came from another network.
	Bridged bool
	Text    string
	// Time is when it was written down, to the millisecond.
	Time time.Time
	// Once makes the message unique: saying it again with the same Once gives the
	// message that is already there. Empty: always a new message.
	Once string
}

// Check returns what is wrong with a message, in words for the person who said it.
func (m Message) Check() error {
	switch {
	case !Visible(m.Text):
		return errors.New("the message is empty")
	case utf8.RuneCountInString(m.Text) > MaxText:
		return fmt.Errorf("the message has more than %d characters", MaxText)
	case !Visible(m.Author):
		return errors.New("the name is empty")
	case utf8.RuneCountInString(m.Author) > MaxAuthor:
		return fmt.Errorf("the name has more than %d characters", MaxAuthor)
	}
	return nil
}

// Visible says whether anything of a text can be seen: neither spaces nor
// zero-width characters can.
func Visible(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) })
}
