// Package presence knows what is only now: who is in a room, and who is writing.
//
// Takes: the pages that are open, each with its person (Enter, Leave); that somebody
// writes (Typing.Set).
//
// Gives: coming, going and new names as changes of the log, so that they are told
// like everything else; who writes as it stands, with a channel that is closed when
// it is otherwise (Typing.Now, Typing.Changed). Writing is never stored.
//
// Order and bounds: who has no page left is gone 30 s later, so that a reload or a
// short cut is no going; who was there when the last process ended has as long to
// come back. One goroutine makes the changes, so that a room's log has a person
// coming and going in turns. At most 2,000 stays and 200 writers are known; who is
// one too many is in no list, and can do everything else.
//
// How it stops: Run ends with its context, and lets nobody go by that.
package presence
