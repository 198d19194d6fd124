// Package put carries out what was accepted: journal, gate, the plug's Put, and
// the outcome's record.
//
// Takes: accepted operations, the links to the plugs that are up, and word of
// what they say (echoes, late outcomes, catch-up).
// Gives: receipts in the journal and the message map, or a parked operation with
// its reason.
// When a Put begins its action is prepared (prepare.go): targets become the receipts of
// what represents them in the channel, edits that wait behind a message are folded into it
// (fold.go), the many who react become one (react.go), what the network lacks becomes words
// (package adapt), files lie in the plug's spool. What can't be done is put otherwise or
// dropped (decide.go).
// What is uncertain is settled by an echo, by the plug's late word, or by what the
// network's history finds (settle.go, history.go).
// A channel is named by its home here, the source that it had first; the plug is asked for
// the present one.
// What a plug crashed of is tried again alone (crash.go). What is parked (park.go) a person
// puts back, as a new operation, or drops; or it turns out to have been sent (late.go).
// Order and bounds: operations of a channel one after another in the order they
// were accepted (O6), channels independent of each other (O7), at most
// max_concurrent_puts RPCs per plug, as fast as it declared (pace.go). An attempt's record
// stands before each RPC, a receipt's before the gate's pass ends (O1); where operations
// follow each other at once, these two are one record (receipt.go). While an operation is
// uncertain its channel starts no other (O5). In memory: the journal's lanes, one
// operation per channel, the last recentReceipts receipts, and the ids of the last
// maxListened parked operations.
// Stops: Run when its context ends; running Puts are left to the link's Quiesce.
package put
