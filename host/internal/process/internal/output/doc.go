// Package output makes log lines of what a plug writes to stdout and stderr.
//
// Takes: any bytes. Gives: lines to an hclog logger: those in hclog's JSON format
// with their own level and fields, all others as they are, at the level that they
// begin with ("[WARN]"), as errors from a Go panic on, else at Info. Nothing that
// a plug writes reaches the log in a form that could forge a line or drive a
// terminal.
//
// Order and bounds: lines of one stream stay in order. 2,000 lines pass at once and
// 200 per second; what is more is read, counted and dropped, and the next line that
// passes says how many in its field "suppressed_lines". Memory: per stream one line
// of at most 64 KiB, and the last 20 lines of stderr.
//
// Stops: with its readers. End logs the last count.
package output
