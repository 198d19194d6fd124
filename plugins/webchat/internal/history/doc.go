// Package history is the network itself: the log of everything that happened in its
// rooms, in a file, and whoever listens. It knows nothing of plugs and nothing of
// HTTP.
//
// Takes: changes, each in one room, from any number of goroutines (Do): what is said,
// edited, deleted, reacted with, who comes and goes.
//
// Gives: each change a row number, which is a message's id and the place from which
// to go on reading. A listener is only told that there is more (Changed) and reads it
// from the file (Since, SinceIn), so nobody is shown a change that a crash could take
// back, and nobody slow holds anyone up. Beside the log it knows how things stand now
// (Before, Message, Members): what was there up to a row, read first, and then the
// changes after that row, are everything; to apply one twice does no harm.
//
// Order and bounds: rows count up in the order in which changes come to exist, and
// a reader never sees a row before all smaller ones. One goroutine writes, up to
// 256 changes to a transaction; 1,024 wait, further ones block in Do. A change
// exists once Do has returned it, whatever is killed then. A Once is remembered for
// ever: no row is ever removed. Deleting a message is a row too; it takes the words
// and the files from the message's row and from those of its edits.
//
// How it stops: Close ends the writer after the transaction that it is in; what
// still waited is answered as not done.
package history
