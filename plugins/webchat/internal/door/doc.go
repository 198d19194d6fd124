// Package door decides who gets in.
//
// Takes: each HTTP request before anything else sees it (Guard), and the attempts to
// give the chat's password (Lock).
//
// Gives: the request to what is behind, if its Host is one of ours (on loopback,
// against names that were made to point here) and, where it changes anything, its
// origin too. With a password, a cookie to who knows it, by which Lock.Opened knows
// the browser again.
//
// Order and bounds: an address has 5 attempts, and one more each 10 s; 1,024 addresses
// are told apart, the others share theirs. A cookie holds for 30 days, until the
// password or the chat is another one.
//
// How it stops: nothing here runs.
package door
