// Package moves knows under which source each channel goes on.
//
// Takes: what the plugs say of channels that migrated, and which sources the config
// names.
// Gives: a channel's home, which is the source that it had first and under which all is
// kept that is done to it; and the source that it has now.
// Order and bounds: a move is durable before it is followed. A network has at most
// maxMoves; more are not followed.
// Stops: it has no goroutine.
package moves
