package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Kind is what a line is about.
type Kind string

// The kinds of lines.
const (
	// Accepted: the network took a message from a connection. It now exists.
	Accepted Kind = "accepted"
	// Emitted: the network itself put a message into a channel: a stranger spoke,
	// or an account (Account is set) from another device.
	Emitted Kind = "emitted"
	// Repeated: a known operation id was answered with the message that it already
	// has. Nothing new exists.
	Repeated Kind = "repeated"
	// Rejected: a message was not taken; Detail is the verdict.
	Rejected Kind = "rejected"
	// Uploaded: the first call of a two-call send.
	Uploaded Kind = "uploaded"
	// Fetched: the second call of a two-call pick-up.
	Fetched Kind = "fetched"
	// Shown: an event went to a connection; Detail is its event id. Only if the
	// script asks for these lines.
	Shown Kind = "shown"
	// Connected: an account logged in.
	Connected Kind = "connected"
	// Subscribed: its events flow; Detail lists the refused cursors.
	Subscribed Kind = "subscribed"
	// Disconnected: its connection is gone; Detail is why.
	Disconnected Kind = "disconnected"

	// Edited, Deleted, Reacted, Unreacted: what became of the message ID, by a
	// connection (Connection is set) or by the network itself.
	Edited    Kind = "edited"
	Deleted   Kind = "deleted"
	Reacted   Kind = "reacted"
	Unreacted Kind = "unreacted"
	// Typed, Seen, Joined, Left, Changed, StateChanged, Migrated: what else happened in
	// the channel; Detail says more.
	Typed        Kind = "typed"
	Seen         Kind = "seen"
	Joined       Kind = "joined"
	Left         Kind = "left"
	Changed      Kind = "changed"
	StateChanged Kind = "state_changed"
	Migrated     Kind = "migrated"
)

// Entry is one line.
type Entry struct {
	// N numbers the lines from 1.
	N    uint64    `json:"n"`
	Time time.Time `json:"time"`
	Kind Kind      `json:"kind"`
	// Channel is its canonical name.
	Channel string `json:"channel,omitempty"`
	// ID is the message's, unique within its channel.
	ID string `json:"id,omitempty"`
	// Author is the name shown.
	Author string `json:"author,omitempty"`
	// Account is the account that sent it; empty on a stranger's.
	Account     string `json:"account,omitempty"`
	Text        string `json:"text,omitempty"`
	OperationID string `json:"operation_id,omitempty"`
	// Connection is the connection's name.
	Connection string `json:"connection,omitempty"`
	Detail     string `json:"detail,omitempty"`
	// Action is the kind of what was rejected or repeated, where it was no message.
	Action string `json:"action,omitempty"`
	// ReplyTo and Thread are ids of messages in the same channel.
	ReplyTo string `json:"reply_to,omitempty"`
	Thread  string `json:"thread,omitempty"`
	// Rich is what is more than a text: JSON of the contract's Message.
	Rich json.RawMessage `json:"rich,omitempty"`
	// Reaction is what was felt, or no more.
	Reaction string `json:"reaction,omitempty"`
}

// Read returns all entries. A last line that is not finished is left out: the
// ledger may be read while it is written.
func Read(r io.Reader) ([]Entry, error) {
	entries, _, err := read(r, nil)
	return entries, err
}

// read adds the entries of the lines that are finished, and counts their bytes.
func read(r io.Reader, entries []Entry) (_ []Entry, size int64, _ error) {
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return entries, size, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read ledger: %w", err)
		}
		var e Entry
		if err := json.Unmarshal(bytes.TrimSpace(line), &e); err != nil {
			return nil, 0, fmt.Errorf("read line %d of the ledger: %w", len(entries)+1, err)
		}
		if want := uint64(len(entries)) + 1; e.N != want {
			return nil, 0, fmt.Errorf("line %d of the ledger has the number %d", want, e.N)
		}
		entries, size = append(entries, e), size+int64(len(line))
	}
}
