// Package accept takes actions from outside the drain: from clients of the API, from
// an embedder, from a hook by itself; and what a person wants done with what is parked.
//
// Takes: actions with their channel, ids of parked operations, and word of every
// operation's outcome.
// Gives: accepted operations to the journal; the outcome to whoever waits for it,
// before the echo is yielded (O1).
// Order and bounds: operations of one caller for one channel in the order of its
// calls (O6). A request with an id of its own is accepted once, and a parked operation
// is put back once (D4), and not once it has turned out to have been sent. In memory: one
// waiter per call, and the last recentResults outcomes.
// Stops: nothing runs here; calls end with their context.
package accept
