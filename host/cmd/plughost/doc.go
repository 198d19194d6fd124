// Command plughost runs plugs, carries messages between them, and shows how they
// do.
//
// Takes: a config (see config.Load), and signals: SIGINT and SIGTERM stop cleanly,
// a second one at once.
//
// Gives: logs on stderr, coloured on a terminal and JSON elsewhere; what was asked
// for on stdout; and an exit code:
//
//	0   well
//	1   failed: no host is running, the data directory is another host's, …
//	2   works, and something needs a person: status shows a held or failed plug, or
//	    a bound of the journal that is reached; check found problems of single
//	    plugs only, so that run would start the rest; send had its message parked
//	64  the command line is wrong
//	78  the config is wrong, and nothing can be started
//
// Order and bounds: one command per process. Stopping takes at most 20 s.
//
// How it stops: with its command.
package main
