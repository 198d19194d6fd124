package intake

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/plughost/plughost/host/internal/journal"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// pastCursors is how many values are remembered of a scope's cursor. A cursor is opaque,
// so that one went back is known by this alone: its value is one that was stored in this
// life of the host and that another has replaced.
const pastCursors = 16

// cursorPast is what a scope's cursor was, the newest value last.
type cursorPast [][]byte

// back tells whether a value is one that another has replaced.
func (p cursorPast) back(value []byte) bool {
	i := slices.IndexFunc(p, func(v []byte) bool { return bytes.Equal(v, value) })
	return i >= 0 && i < len(p)-1
}

// resumes notes that the plug resumes from cursors, and may say again what it said before.
func (in *Intake) resumes(from []journal.Cursor) {
	in.pastMu.Lock()
	defer in.pastMu.Unlock()
	in.again = true
	for _, c := range from {
		in.remember(c.Cursor)
	}
}

// forward gives the cursors of an answer but for those that went back. fresh tells that
// the answer had an event that was no repeat. What is said again on a new stream has its
// old cursors, which is no fault; once the plug has gone on it is one.
func (in *Intake) forward(cursors []*plugv1.Cursor, fresh bool) (forward []*plugv1.Cursor) {
	in.pastMu.Lock()
	defer in.pastMu.Unlock()
	in.again = in.again && !fresh
	for _, c := range cursors {
		if in.superseded(c.Scope) {
			continue
		}
		if in.past[c.Scope].back(c.Value) {
			in.wentBack(c)
			continue
		}
		forward = append(forward, c)
		if in.remember(c) {
			in.again = false
		}
	}
	return forward
}

// unstored forgets what the cursors of scopes were, since the last ones could not be
// stored: the plug resumes from older ones.
func (in *Intake) unstored(cursors []journal.Cursor) {
	in.pastMu.Lock()
	defer in.pastMu.Unlock()
	for _, c := range cursors {
		delete(in.past, c.Scope)
	}
}

// remember notes a scope's cursor, and tells whether that is another than it was.
func (in *Intake) remember(c *plugv1.Cursor) bool {
	past := in.past[c.Scope]
	if len(past) > 0 && bytes.Equal(past[len(past)-1], c.Value) {
		return false
	}
	past = append(past, c.Value)
	in.past[c.Scope] = past[max(0, len(past)-pastCursors):]
	return true
}

// wentBack counts and shows a cursor that is not stored.
func (in *Intake) wentBack(c *plugv1.Cursor) {
	if in.again {
		return
	}
	in.refused++
	in.log.Warn("a cursor that went back was refused", "scope", c.Scope, "refused_so_far", in.refused)
	if in.o.Breach != nil {
		in.o.Breach(in.o.Network, fmt.Sprintf("its cursor of %q went back to a place where it was before; the host keeps the newer one (%d times so far)", c.Scope, in.refused))
	}
}
