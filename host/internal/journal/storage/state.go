package storage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/plughost/plughost/host/internal/disk"
)

// ErrFull says that a bound is reached, or the disk is full: what it is about is
// taken again once there is room.
var ErrFull = errors.New("the journal is full")

// State is how a store does.
type State struct {
	// Bytes of the log, and the most there may be; MaxBytes 0: no bound.
	Bytes, MaxBytes int64
	// Entries of the map, and the most there may be: the oldest give way.
	Entries, MaxEntries int64
	// Disk is how the disk was when it was looked at last; zero where it never is.
	Disk disk.State
	// Broken says that the server does not answer and is being opened anew.
	Broken bool
	// Reason says in words which bound is reached, what gives way and what to do;
	// empty if none is.
	Reason string
}

// headRoom is the part of MaxBytes that is kept above it for operations, and below it
// is made free when finished records give way.
const headRoom = 8

// Full tells whether nothing new is taken in.
func (s State) Full() bool {
	m := s.matter()
	return m.disk || m.bytes
}

// Beyond tells whether the room above MaxBytes is used up too.
func (s State) Beyond() bool {
	return s.MaxBytes > 0 && s.Bytes >= s.MaxBytes+s.MaxBytes/headRoom
}

// Tight tells whether finished records are to give way (Journal.MakeRoom).
func (s State) Tight() bool {
	return s.MaxBytes > 0 && s.Bytes >= s.MaxBytes-s.MaxBytes/(2*headRoom)
}

// Roomy tells whether enough has given way.
func (s State) Roomy() bool { return s.Bytes <= s.MaxBytes-s.MaxBytes/headRoom }

// matter is which bounds are reached, whatever the figures.
type matter struct{ broken, disk, bytes, entries bool }

func (s State) matter() matter {
	return matter{s.Broken, s.Disk.Full, s.MaxBytes > 0 && s.Bytes >= s.MaxBytes, s.MaxEntries > 0 && s.Entries >= s.MaxEntries}
}

// reason puts into words what is the matter.
func (s State) reason() string {
	var reasons []string
	m := s.matter()
	if m.broken {
		reasons = append(reasons, "the journal could not be written and is opened anew as soon as the disk has room: nothing is sent or taken in until then")
	}
	if m.disk {
		reasons = append(reasons, fmt.Sprintf("the disk is full: the plugs wait and nothing new is taken in, what waits is still sent; free %s there, and it goes on by itself",
			humanize.IBytes(uint64(s.Disk.Need))))
	}
	if m.bytes {
		reasons = append(reasons, fmt.Sprintf("the journal holds %s of at most %s, and nothing finished is left that could give way: the plugs wait and nothing new is taken in until what waits is sent; see what waits or is parked, or raise journal.max_bytes",
			humanize.IBytes(uint64(s.Bytes)), humanize.IBytes(uint64(s.MaxBytes))))
	}
	if m.entries {
		reasons = append(reasons, fmt.Sprintf("the message map holds its %d entries and forgets the oldest: edits, deletes and reactions to those messages are no longer carried over; raise journal.map.max_entries if they should be", s.MaxEntries))
	}
	return strings.Join(reasons, "; ")
}

// recordBytes is what a record of the log takes beside its subject and data.
const recordBytes = 30

func size(entries []Entry) (bytes int64) {
	for _, e := range entries {
		bytes += int64(len(e.Subject) + len(e.Data) + recordBytes)
	}
	return bytes
}
