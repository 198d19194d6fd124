// Package page shows the rooms in a browser: one page, without a build step, and a
// WebSocket on which everything goes but files, which go by HTTP.
//
// Takes: HTTP requests of the page, and frames on its WebSocket (see frames.go).
//
// Gives: the page's files; of each room the last messages as they stand, and every
// change after them, as the store has it; older messages when they are asked for; who
// is in a room and who is writing. A page that was away names the last row that it
// has of each room and is given what came after. What it does has an id of its own,
// so that doing it again after a cut connection doesn't do it twice.
//
// Who gets in: see package door. Sizes are capped everywhere, and the page shows
// everything as text, never as HTML.
//
// Order and bounds: a page gets the changes of a room in row order, and a repeat
// only after it has reconnected; messages as they stand may have some of the changes
// in them that follow. At most 512 pages are open; a frame of theirs has at most
// 32 KiB. A page that takes nothing for 10 s, or is not heard of for three heartbeats,
// is cut off: it comes back for what it missed. Nothing is kept for it meanwhile but
// a row number.
//
// How it stops: Close cuts all pages off and waits for them.
package page
