// Package spooldir opens, makes and removes files in a directory that a plug can
// write to at any time.
//
// Takes: the directory, "out/" or "in/" of a plug's spool, and bare names in it.
// Gives: open files, and their removal.
// Order and bounds: calls don't depend on each other and may come at once. No
// call waits for the plug or holds more than one name in 256.
// Stops: nothing runs here.
//
// Nothing in a spool is believed. No link is followed, the directory's own name
// included; a plug that replaces the directory above it can still lead the host
// astray, but a plug runs as the host's own user and needs no host for that. The
// package is for Linux.
package spooldir
