// Package control serves the demo's page with buttons.
//
// Takes: the state of host and plugs, as the demo shows it (Show), and requests of a
// browser on this machine.
//
// Gives: a page that shows the state live, and each button's command to the demo,
// which does it as if it had been typed.
//
// Order and bounds: commands are handed over one after another; a page is told every
// state in order, but may miss some if it is slow. 32 pages are told at once, the
// last 50 lines are kept. Only our own page, under an address of the loopback, may give
// commands, and only those that have a button.
//
// How it stops: Close cuts all pages off and waits for them.
package control
