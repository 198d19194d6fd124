// Package supervisor keeps one plug instance alive.
//
// Takes: how to launch the plug's process and how to make a session over it;
// what a stage reports of it (Degrade, Recover); what an operator wants
// (Restart, Retry).
//
// Gives: a running plug, and its Status: what it does, why, what a person can
// do, and when it is tried again (S1).
//
// Order and bounds: one process at a time; the next is launched after the last
// one's Close has returned. A life is launch, start, serve, stop. What follows
// a life is in type policy (S2), what ends one from within in watch (S3), how
// one is ended in stop (S4). Exits are remembered up to Numbers.MaxExits.
//
// How it stops: Run ends when its context does, after the stop ladder, which
// takes at most the sum of its rungs (16 s) and the process's Close, whatever
// the plug does (I2). Three goroutines of a life are waited for at its end: the
// session's work, the watch, and the one that waits for the process.
package supervisor
