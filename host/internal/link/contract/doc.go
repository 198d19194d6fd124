// Package contract reads a plug's answers, and writes an action, by the rules of
// the plug contract.
//
// Takes: messages as they came over the wire, or as they are to go.
//
// Gives: the same messages, changed in place: defaults of the contract filled
// in, parts that break it taken out and reported to a Refuse function. What
// cannot be used at all is an error. Actions are made safe for any network.
//
// Order and bounds: everything keeps its order. What passes is within the sizes
// of package plugv1; messages for a person are one line of at most 1 KiB.
//
// How it stops: pure functions; nothing runs.
package contract
