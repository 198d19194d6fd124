// Package page shows the rooms in a browser: one page, without a build step, and a
// WebSocket on which the messages go.
//
// Takes: HTTP requests of the page, and frames on its WebSocket (see frames.go).
//
// Gives: the page's files; every message of the rooms, as the store has it; what the
// page says, said in the store. A page that was away names the last row that it has
// of each room and is given what came after. What it says has an id of its own, so
// that saying it again after a cut connection doesn't say it twice.
//
// Who gets in: the Host header must be ours (on loopback, against names that were
// made to point here), the Origin ours or one of Options.Origins. Sizes are capped
// everywhere, and the page shows everything as text, never as HTML.
//
// Order and bounds: a page gets the messages of a room in row order, and a repeat
// only after it has reconnected. At most 512 pages are open; a frame of theirs has
// at most 32 KiB. A page that takes nothing for 10 s, or is not heard of for three
// heartbeats, is cut off: it comes back for what it missed. Nothing is kept for it
// meanwhile but a row number.
//
// How it stops: Close cuts all pages off and waits for them.
package page
