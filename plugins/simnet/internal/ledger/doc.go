// Package ledger is the network's own record of what really happened.
//
// Takes entries; gives JSON lines in the order of Append, numbered from 1 without
// gaps, and reads them back. The network appends while it holds its lock, so the
// order of the lines is the order of events. Bounds: one buffer of 64 KiB; Append
// writes it out when it is full, Flush at once. It starts nothing; whoever owns
// the file closes it.
package ledger
