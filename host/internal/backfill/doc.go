// Package backfill fills the gaps of a network from the history that the network
// keeps (D1).
//
// Takes: the gaps that are recorded and still open, and the History of the plug.
// Gives: to the intake, the messages that were said in a gap, marked as history.
// Order and bounds: one gap after another, the oldest first; of each channel the
// messages between since and until, oldest first. A channel's messages are listed
// before the first is stored, so they are bounded: at most maxPages answers,
// maxMessages messages, maxBytes and maxAge. What that leaves out is recorded with
// the gap. A gap stays open until all of it is stored: after a crash it is filled
// again, and the intake removes what it has.
// Stops: Run when its context ends.
package backfill
