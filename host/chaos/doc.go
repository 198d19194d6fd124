// Command chaos runs the host as it is shipped, with real plugs, networks and a broker,
// and has everything fail that can: for two minutes or for hours. In the end what really
// happened on the networks is held against what the host guarantees.
//
// Takes: a length (-time), a seed (-seed; drawn if 0), the directory with the binaries.
// Gives: how often each fault and each way of settling happened, and every broken
// promise with the whole story of its message. Exit code 1 if one was broken, or if a
// fault that must have happened did not: that is no proof.
// Order and bounds: what is said and which faults come is drawn from the seed, so the
// same seed gives the same plan (-plan prints it); when a real process does its part is
// its own. After the last fault there is a bounded time to settle (-settle).
// Stops: at the end, or at SIGINT; everything it started ends with it. Its directory
// stays only if something was broken.
//
// README.md says what is checked, and what is not.
package main
