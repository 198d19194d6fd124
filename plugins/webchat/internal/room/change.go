package room

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what a change does.
type Kind int

// The kinds. Their numbers are stored.
const (
	Said      Kind = iota + 1 // a new message
	Edited                    // a message has new content
	Deleted                   // a message is gone
	Reacted                   // somebody reacted to a message
	Unreacted                 // somebody took a reaction back
	Joined                    // somebody came into the room
	Left                      // somebody left it
	Renamed                   // somebody who is in the room is called otherwise
)

// Change is a row of the log: one thing that happened in a room.
type Change struct {
	// Row numbers the changes of all rooms, from 1, in the order in which they came
	// to exist. It says where to go on reading, and is the id of the message that is
	// said.
	Row  int64
	Room string
	Kind Kind
	// By did it: the message's author, who reacted, who came.
	By Person
	// About is the row of the message that is edited, deleted or reacted to, and of
	// the one that a new message answers, or 0.
	About int64
	// Content is what is said, and after an edit all of it. It is empty where the
	// message was deleted since.
	Content
	Emoji string // of a reaction
	// Time is when it was written down, to the millisecond.
	Time time.Time
	// Once makes the change unique: doing it again with the same Once gives the
	// change that is already there. Empty: always a new one.
	Once string
	// Quote is the message that this one answers, as it stands; set on reading.
	Quote *Quote
}

// Quote is the beginning of a message that is answered.
type Quote struct {
	By   Person
	Text string // at most QuoteLength code points; empty: deleted, or only files
}

// QuoteLength bounds Quote.Text.
const QuoteLength = 140

// Message is a message as it stands now.
type Message struct {
	Change           // how it was said, with the content of its last edit
	Edited     int64 // the row of that edit, or 0
	IsDeleted  bool
	Reactions  []Reaction // in the order in which each was first given
	LastChange int64      // no change of it up to this row is missing here
}

// Reaction is one emoji, and who reacted with it.
type Reaction struct {
	Emoji string
	By    []Person
}

// Refusal is why a change can't be made, in words for the person who wants it.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// What a change may be refused for. Nothing has changed then.
const (
	ErrGone    Refusal = "the message is no longer there"
	ErrForeign Refusal = "the message is somebody else's"
	ErrAlready Refusal = "it is so already"
	ErrTooMany Refusal = "there are too many reactions to that message"
	ErrNoFile  Refusal = "a file is no longer there; add it again"
)

// Check returns what is wrong with a change, in words for the person who makes it.
func (c Change) Check() error {
	if err := c.By.check(); err != nil {
		return err
	}
	switch c.Kind {
	case Said, Edited:
		return c.Content.check()
	case Reacted, Unreacted:
		if !Visible(c.Emoji) {
			return errors.New("the reaction is empty")
		}
		if len(c.Emoji) > MaxEmoji {
			return fmt.Errorf("the reaction has more than %d bytes", MaxEmoji)
		}
	}
	return nil
}

// MayChange says whether somebody may edit and delete a message: a person on the
// page their own, the plug all that it put.
func (p Person) MayChange(message Person) bool {
	if p.Origin == Page {
		return message.Origin == Page && message.ID == p.ID
	}
	return message.Origin != Page
}
