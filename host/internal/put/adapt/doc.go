// Package adapt makes of an action what a network can carry: what it has no way to
// show becomes words.
//
// Takes: an action, and the abilities of the plug.
// Gives: an action of the same kind that asks for nothing the network lacks.
// Order and bounds: pure functions; an action is never changed, only copied.
// Stops: nothing runs here.
package adapt
