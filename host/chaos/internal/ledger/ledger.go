package ledger

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Member is a channel of a conversation: a plug instance and a source.
type Member struct{ Plug, Source string }

// String is the member as a config writes it.
func (m Member) String() string { return m.Plug + "/" + m.Source }

// Kind is what a line is about.
type Kind string

// The kinds of lines.
const (
	Said      Kind = "said"
	Edited    Kind = "edited"
	Deleted   Kind = "deleted"
	Reacted   Kind = "reacted"
	Unreacted Kind = "unreacted"
	// Refused: what the host asked for was not done; Detail is the verdict.
	Refused Kind = "refused"
	// Repeated: a known operation id was answered with what it had made.
	Repeated Kind = "repeated"
	// Shown: an event went out to the plug; Detail is the event's id.
	Shown Kind = "shown"
	// Moved: the channel goes on as another source, which Detail names.
	Moved Kind = "moved"
	// Online and Offline: the plug's events flow, or no more.
	Online  Kind = "online"
	Offline Kind = "offline"
)

// By is who did it.
type By string

// Whoever does something.
const (
	Stranger By = "stranger" // somebody on the network
	Host     By = "host"     // the plug, for the host
	Device   By = "device"   // the plug's own account, from elsewhere
)

// Line is one thing that happened.
type Line struct {
	// N orders the lines of one plug's network.
	N    int
	Time time.Time
	Kind Kind
	Member
	// ID is the message's.
	ID string
	By By
	// Operation is the id that the host gave it; empty if none did.
	Operation string
	Author    string
	Text      string
	Reaction  string
	// ReplyTo is the id of the message that is answered.
	ReplyTo string
	// Files are the SHA-256 of the message's files, in hexadecimal.
	Files  []string
	Detail string
	// Connection names the plug's connection.
	Connection string
}

// String is the line for a person.
func (l Line) String() string {
	s := fmt.Sprintf("%s %s #%d: %s by %s", l.Time.Format("15:04:05.000"), l.Member, l.N, l.Kind, l.By)
	for _, part := range []struct{ name, value string }{
		{"id", l.ID}, {"operation", l.Operation}, {"reaction", l.Reaction}, {"reply to", l.ReplyTo},
		{"detail", l.Detail}, {"connection", l.Connection},
	} {
		if part.value != "" {
			s += ", " + part.name + " " + part.value
		}
	}
	if l.Text != "" {
		s += fmt.Sprintf(", %q", l.Text)
	}
	return s
}

// Token names a message of a run, wherever it appears.
type Token int

// Mark is what a revision of a message has in its text.
func Mark(t Token, revision int) string { return fmt.Sprintf("m%05d.%d", t, revision) }

// String is the token as it begins a mark.
func (t Token) String() string { return fmt.Sprintf("m%05d", int(t)) }

var mark = regexp.MustCompile(`\bm(\d{5})\.(\d+)\b`)

// Find reads the mark of a text. A quote stands in front of what answers it, so the
// last mark is the message's own.
func Find(text string) (t Token, revision int, ok bool) {
	all := mark.FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		return 0, 0, false
	}
	last := all[len(all)-1]
	n, _ := strconv.Atoi(last[1]) // digits, by the expression
	revision, _ = strconv.Atoi(last[2])
	return Token(n), revision, true
}

// Message is a message as a channel shows it in the end.
type Message struct {
	Line
	// Text is the last one; First the one that it was said with.
	First   string
	Edits   int
	Deleted bool
	// Reactions are who feels what.
	Reactions map[Felt]bool
}

// Felt is one reaction and whether it is the host's.
type Felt struct {
	Reaction string
	By       By
}

// Standing replays lines into messages, in the order in which they were said.
func Standing(lines []Line) (messages []*Message) {
	type key struct {
		Member
		id string
	}
	of := map[key]*Message{}
	for _, l := range lines {
		k := key{l.Member, l.ID}
		m := of[k]
		switch {
		case l.Kind == Said && m == nil:
			m = &Message{Line: l, First: l.Text, Reactions: map[Felt]bool{}}
			of[k], messages = m, append(messages, m)
		case m == nil:
		case l.Kind == Edited:
			m.Text, m.Edits = l.Text, m.Edits+1
		case l.Kind == Deleted:
			m.Deleted = true
		case l.Kind == Reacted:
			m.Reactions[Felt{l.Reaction, l.By}] = true
		case l.Kind == Unreacted:
			delete(m.Reactions, Felt{l.Reaction, l.By})
		}
	}
	return messages
}
