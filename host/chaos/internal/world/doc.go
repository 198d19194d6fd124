// Package world is the real processes of a chaos run: the host as it is shipped with its
// plugs, simulated networks, webchats, a mosquitto behind a proxy, and whoever speaks
// there.
//
// Takes: a plan, its steps one by one, the directory with the binaries and one to work in.
// Gives: what really happened on every network, as lines of package ledger.
// Order and bounds: steps of one channel are done one after another by the caller; a
// fault that lasts is over when its step returns.
// Stops: Close, which ends exactly the processes that were started.
package world
