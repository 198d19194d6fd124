package network

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/plughost/plughost/plugins/simnet/internal/memory"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
)

// account is one user of the network. Guarded by Network.mu.
type account struct {
	name     string
	set      script.Account
	sessions map[*Session]struct{}
	logins   script.Queue[script.Logins]
	// log is what the account is shown.
	log memory.Log[item]
	// taken is the last position that any session took.
	taken uint64
	// refused is the position up to which cursors are refused.
	refused uint64
	sent    memory.Operations[*message]
	// thawed is open while the account is frozen, else nil.
	thawed chan struct{}
}

// item is one place in an account's log: a message as this account sees it, or a
// mark, which only moves the cursor.
type item struct {
	message *message
	// channel is a mark's; nil for the whole account.
	channel     *channel
	eventID     string
	own         script.Own
	operationID string
}

const defaultKeep = 100_000

// show appends to the log and wakes the sessions.
func (a *account) show(it item) {
	keep := a.set.Keep
	if keep == 0 {
		keep = defaultKeep
	}
	a.log.Add(it, keep)
	for s := range a.sessions {
		s.wakeUp()
	}
}

// ownMark is the mark on the account's own messages.
func (a *account) ownMark() script.Own {
	if a.set.Own == "" {
		return script.OwnYes
	}
	return a.set.Own
}

// freeze freezes or thaws all sessions, and says how many there are.
func (a *account) freeze(frozen bool) int {
	switch {
	case frozen && a.thawed == nil:
		a.thawed = make(chan struct{})
	case !frozen && a.thawed != nil:
		close(a.thawed)
		a.thawed = nil
		for s := range a.sessions {
			s.wakeUp()
		}
	}
	return len(a.sessions)
}

// resume reads a cursor. The reason says why it is refused.
func (a *account) resume(epoch, cursor string) (position uint64, reason string) {
	switch a.set.Resume {
	case script.ResumeNo:
		return 0, "this network keeps nothing to resume from"
	case script.ResumeRefused:
		return 0, "unknown cursor"
	}
	of, number, _ := strings.Cut(cursor, ".")
	position, err := strconv.ParseUint(number, 10, 64)
	if err != nil || of != epoch {
		return 0, "the cursor is of another epoch"
	}
	switch {
	case position > a.log.End():
		return 0, "the cursor is of the future"
	case position < a.refused:
		return 0, "unknown cursor"
	case position < a.log.Forgotten():
		return 0, fmt.Sprintf("the cursor has expired: %d messages are gone", a.log.Forgotten()-position)
	}
	return position, ""
}
