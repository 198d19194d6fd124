// Package bridging reads the part of a config that says which channels hear each
// other.
//
// Takes: the nodes of "conversations:" and "defaults:", and the plugs that there
// are.
//
// Gives: conversations, each member with its direction and with how names look
// there and whether mass mentions notify, and problems.
//
// Order and bounds: conversations and members keep the file's order. For both a member goes before its conversation's at.<plug>, that before the
// conversation, that before the defaults.
//
// How it stops: it has nothing that runs.
package bridging
