// Package gate keeps the project's central promise: a send has its id before
// that message is yielded to the system (O1).
//
// Takes: Begin and End of every Put, and the journal sequences of a plug's
// events as they are appended.
// Gives: Wait, which returns when an event may be yielded.
// Order and bounds: a barrier, not a mutex. Begin notes the last sequence
// appended for the plug; event s may be yielded when every Put of its scope whose
// Begin noted less than s has ended (O2). An echo is always appended after its
// Put began, so it always waits for it; a Put that begins later never delays an
// event, and a waiting event never delays a Put. Nothing is held in memory but
// one Pass per running or uncertain Put, and no lock is held during an RPC (O3).
// Stops: nothing runs here; Wait ends with its context.
package gate
