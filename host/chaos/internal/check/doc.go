// Package check holds what happened on the networks of a run, and what its journal says,
// against what the host guarantees.
//
// Takes: the plan, the lines of all networks, the record of the journal, the files that
// came.
// Gives: every broken promise with the guarantee's number and the message's whole story;
// and what was allowed, each with the sentence that allows it.
// Order and bounds: one pass over everything; nothing is changed.
// Stops: at the end.
//
// What a network's people did is the measure: a message that is in the ledger of its
// network must have arrived in every other member of its conversation. Where something
// else is found the journal must explain it, and only as the contract allows.
package check
