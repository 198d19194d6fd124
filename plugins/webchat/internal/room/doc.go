// Package room is the network itself: rooms, what was said in them, and whoever
// listens. It knows nothing of plugs and nothing of HTTP.
//
// Takes: messages, each for one room, from any number of goroutines (Say).
//
// Gives: each message a row number, which is its id and the place from which to go
// on reading. A listener is only told that there is more (Changed) and reads it
// from the file (Since, SinceIn), so nobody is shown a message that a crash could
// take back, and nobody slow holds anyone up.
//
// Order and bounds: rows count up in the order in which messages come to exist, and
// a reader never sees a row before all smaller ones. One goroutine writes, up to
// 256 messages to a transaction; 1,024 wait, further ones block in Say. A message
// exists once Say has returned it, whatever is killed then. A Once is remembered as
// long as its message, which is for ever: nothing is deleted.
//
// How it stops: Close ends the writer after the transaction that it is in; what
// still waited is answered as not said.
package room
