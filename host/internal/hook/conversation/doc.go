// Package conversation is the built-in bridging: what is said in one member of a
// conversation is said in every other.
//
// Takes: events, as a hook.
// Gives: for each message that is not ours, one send per other member, with the
// author's name formatted for it.
// Order and bounds: the drain's; nothing is remembered here.
// Stops: it has nothing that runs.
package conversation
