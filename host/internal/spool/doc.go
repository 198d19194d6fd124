// Package spool carries files between messages and plugs: it replaces what a
// plug's event says of its spool by what the file store holds, and gives an action
// the copies that the plug finds in its spool.
//
// Takes: an event and the plug's spool "out/" (Receive); an action and the plug's
// spool "in/" (Deliver).
// Gives: the same message, changed in place: in an event every SpoolFile has a
// hash and a size and no name, in an action a name too. What is not to be had says
// so in words, and the rest of the message goes on.
// Order and bounds: inbound, Names and Receive come before the event is journaled,
// the removal of the names from "out/" after that and before the acknowledgement.
// Outbound, Deliver comes before the Put, what it returns after the operation is
// settled. One file is copied at a time, and nothing of it is held in memory.
// Stops: nothing runs here; Receive and Deliver end with their context.
package spool
