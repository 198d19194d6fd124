// Command simnetd is a simulated network: accounts, channels, strangers who speak
// whether or not a plug is there; see README.md beside the plug.
//
// Takes a script and connections; gives one line of JSON on stdout when it is ready,
// and a ledger of what it really accepted and emitted, in order. Bounds are those of
// package network. It ends on SIGTERM or SIGINT, or when its stdin, if a pipe or a
// socket, is closed; its ledger is complete then.
package main
