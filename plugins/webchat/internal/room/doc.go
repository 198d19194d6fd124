// Package room is what can happen in a room, as types: who says what, and what
// becomes of it. It knows nothing of plugs, of HTTP and of files.
//
// Takes and gives: values, each checked by its Check.
//
// Order and bounds: every change has a row number, and the log of them all is what a
// chat is (package history). Lengths and numbers are bounded by the constants here.
//
// How it stops: nothing here runs.
package room
