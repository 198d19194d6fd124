// Package record is what the journal of a run says: every event, every operation, and
// what became of it.
//
// Takes: the journal of a host that has ended.
// Gives: events and operations in the order of the log, each operation with its
// attempts and its end.
// Order and bounds: the log's order. All of a run is in memory.
// Stops: it has nothing that runs.
package record
