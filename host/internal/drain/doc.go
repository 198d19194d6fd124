// Package drain yields events to one hook: journal, then gate, then hook, then
// journal.
//
// Takes: the records of events that the hook is not done with.
// Gives: each event once to the hook, with its origin (O4); what the hook answers
// as accepted operations; then, for many events at once, the record that the hook is
// done (progress.go). After a crash the hook is given again what it was given since, and
// what it made of that is not accepted again (D3).
// Order and bounds: events of a channel in the order the plug emitted them (O6),
// each after the gate lets it pass (O1); channels are independent of each other,
// and so are hooks, each having a drain of its own. In memory: what the journal's
// lanes hold.
// Stops: Run when its context ends, after the running calls of the hook.
package drain
