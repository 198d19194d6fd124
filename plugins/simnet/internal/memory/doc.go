// Package memory is what the network remembers, and for how long.
//
// Takes and gives the values of its users, in the order in which they came.
// Bounds: a Log keeps a number of items and a quarter more, Operations those of a
// window of time, Uploads the last 1024. It starts nothing and locks nothing:
// its users hold a lock of their own.
package memory
