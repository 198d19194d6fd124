// Package logs keeps the newest lines of a plug's log in memory, for those who ask
// for them later.
//
// Takes: what is logged through the Logger that Tee makes.
// Gives: the lines, oldest first, and those that come.
// Order and bounds: lines in the order in which they were logged; at most
// maxLines lines and maxBytes per plug, each cut to maxLine. Older ones give way; a
// reader who is too far behind is told how many it missed, and holds nobody back.
// Stops: nothing runs here; Read ends with its context.
package logs
