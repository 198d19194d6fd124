// Package html reads and writes the HTML that chat networks use: the subset of Matrix
// (Client-Server API, m.room.message msgtypes), of XMPP (XEP-0071) and of Telegram
// (Bot API, HTML style).
//
//   - Takes HTML from a network and gives a text; takes a text and gives HTML.
//   - Order: segments are in reading order. Bounds: time and memory grow with the length
//     of what is given; quotes and lists show at most 8 levels.
//   - Stops when it returns: no goroutines, no state; all may be called at once.
//
// What Parse makes of what Render made is the same text, normalised; only mentions
// come back as the network's Format says.
package html
