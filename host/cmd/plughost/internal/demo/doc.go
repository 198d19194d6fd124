// Package demo bridges two webchats in a temporary directory, and lets a person
// kill what they like and watch it come back.
//
// Takes: the plughost binary, which it runs as a child, the webchat plug, and
// commands, a line each or a button of its page (control).
//
// Gives: three addresses, and in words what becomes of host and plugs.
//
// Order and bounds: commands are done one after another, and answered at once. Of
// the host's log the last 20 lines are kept, shown if the host fails.
//
// How it stops: at quit, at a signal, or when its time is over: host and plugs
// are stopped in order, and the directory is removed. When the demo itself is
// killed by SIGKILL the kernel kills the host, the host's guard kills the plugs,
// and the sweeper, a process beside it, removes the directory.
package demo
