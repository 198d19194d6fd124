// Package files keeps what people upload, each file under the hash of its bytes.
//
// Takes: bytes from a reader (Put), from any number of goroutines; the hash of what
// is wanted.
//
// Gives: what a file is (Info): its size, its type as found out from its first bytes,
// never from what somebody says of it, and whether a browser may show it: PNG, JPEG,
// GIF and WebP, and nothing that can run, such as SVG and HTML.
//
// Order and bounds: a file is copied while it is hashed, never whole in memory; it
// exists once Put has returned, also after a power loss. Options.Each bounds one
// file, Options.All what all have together. A file that nobody names is removed by
// Sweep, an hour after it was put or last asked for by Info.
//
// How it stops: nothing here runs. What an upload that was cut off has left behind
// is removed by the next Open.
package files
