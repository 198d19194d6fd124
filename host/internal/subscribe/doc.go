// Package subscribe keeps what subscribers have not dealt with yet.
//
// Takes: events that a feed yields, outcomes of Puts, and acknowledgements.
// Gives: both in order to one reader per subscription, each outcome before its
// echo (O1); of a durable one, how far it has come, to the journal.
// Order and bounds: events of a channel in order (O6). A subscription holds at most
// maxEntries entries or maxBytes that are not acknowledged; then its feed waits,
// and nobody else does. Outcomes without an echo are not given to a reader who is
// twice that far behind. A durable subscription that nobody reads is closed after
// a minute, and costs nothing then.
// Stops: a subscription when it is closed, all when Close is called; both wait for
// its feed.
package subscribe
