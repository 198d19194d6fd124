// Package network is the simulated network itself.
//
// Takes connections, on which plugs log in and scripts command; gives answers,
// events, and a ledger of what really happened.
//
// Order: everything that happens, happens under one lock, and the ledger has it in
// that order. Each account has one log: what it is shown, in the order in which it
// is shown, whether or not a plug is there. Connections read that log, each at its
// own place, so a plug that was down finds all it missed, and a slow one holds up
// nobody. An answer that is due after an event is written after it, except to a
// client that has no credit for events: an answer never waits for those.
//
// Edits, deletes, reactions and what else is done go the way of messages: package
// board says what stands, and what speaks against an act.
//
// Bounds: an account's log (Account.Keep), 4096 unanswered requests per
// connection, 1024 uploads, the operation ids of an account's window, the messages
// that the board keeps.
//
// It stops by parts: Close ends what is scheduled, and each Serve ends with its
// context and waits for what it started.
package network
