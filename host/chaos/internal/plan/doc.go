// Package plan draws a chaos run from its seed: which channels are in which
// conversation, who says and does what there, and which faults come when.
//
// Takes: a seed and a length.
// Gives: the same plan for the same seed and length, always: lanes of steps, each
// with its time from the beginning. When a real process does what a step asks for is
// its own matter.
// Order and bounds: a lane's steps are in order; lanes run beside each other.
// Stops: it has nothing that runs.
package plan
