// Package drain yields events to one hook: journal, then gate, then hook, then
// journal.
//
// Takes: the records of events that the hook is not done with.
// Gives: each event once to the hook, with its origin (O4); what the hook answers
// as accepted operations; then the record that the hook is done.
// Order and bounds: events of a channel in the order the plug emitted them (O6),
// each after the gate lets it pass (O1); channels are independent of each other,
// and so are hooks, each having a drain of its own. In memory: what the journal's
// lanes hold.
// Stops: Run when its context ends, after the running calls of the hook.
package drain
