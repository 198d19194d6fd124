// Package disk knows when a disk is full, and keeps room on it for what must
// still be written then.
//
// Takes: a directory, and how many bytes to keep back there.
// Gives: the state of its disk at each Check.
// Order and bounds: the room is a preallocated file, the ballast. It is given up
// when less than a quarter of its size is free beside it, and taken again when that
// leaves half of its size free, so that the two can't alternate.
// Stops: nothing runs here; Check returns at once.
package disk
