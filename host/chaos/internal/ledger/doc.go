// Package ledger is what really happened on the networks of a chaos run, in one
// language for all of them.
//
// Takes: the ledger of a simnet, the database of a webchat, what a device at a
// broker published and heard.
// Gives: lines, in the network's own order; and what stands in a channel in the end.
// Order and bounds: lines keep their network's order. All of a run is in memory.
// Stops: it has nothing that runs.
package ledger
