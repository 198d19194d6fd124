// Package value makes a JSON value of a part of a document, with secrets filled
// in.
//
// Takes: a node of the document.
//
// Gives: the value, and problems where a secret is not to be had.
//
// Order and bounds: a secret has at most 64 KiB. What is filled in is never part
// of a problem.
//
// How it stops: it has nothing that runs.
//
// A scalar without quotes is a number, true, false or null exactly if it is so in
// JSON; all else is text: 0123, 1_000, on, no, 0x1F.
package value
