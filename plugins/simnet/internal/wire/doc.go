// Package wire is what simnetd and its clients say to each other.
//
// Takes frames; gives bytes on a connection, and back. A frame is the length of
// its body as four bytes, most significant first, and the body: one byte that
// names the kind, then the fields in the order of the Go struct: numbers as
// unsigned varints, times as nanoseconds since 1970, strings as their length and
// their bytes. What is said rarely travels as JSON inside a Call and a Reply.
//
// Order: frames arrive in the order in which they were written. Bounds: a frame
// has at most MaxFrame bytes; a reader and a writer each hold one frame and one
// buffer of 64 KiB. It stops when the connection does: reading and writing then
// return its error.
package wire
