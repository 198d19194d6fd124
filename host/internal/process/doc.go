// Package process runs one plug as a child process, from its launch to its end,
// whatever the plug does. It is the only package of the host that knows
// go-plugin.
//
// Takes: a path, arguments, an environment, a logger. Gives: a gRPC connection,
// the moment of the exit and how it came about, the plug's log lines, and an end
// on demand.
//
// Order and bounds it keeps: Start returns after the handshake and with the
// connection standing, within Options.StartTimeout. Done is closed at the exit of
// the process itself; running calls end with it. A gRPC message has at most 16 MiB
// each way, the first line of stdout 4 KiB, a log line 64 KiB; 2,000 log lines
// pass at once, then 200 per second, the others are counted. Nothing that a plug
// writes, however fast, makes the host wait or keep memory.
//
// How it stops: Shutdown asks, Signal urges, Close kills: the plug and whatever
// descends from it, within an instant and at most about 8 s. Each goroutine of a
// plug has ended when Close has returned. Who stops a plug in peace goes through
// the three in this order, after running calls are done.
//
// # Parts
//
//	process.go    the API
//	runner.go     shows the child to go-plugin (RunnerFunc)
//	handshake.go  reads the plug's first line
//	connect.go    dials its socket and looks who listens
//	private.go    its directory and environment
//	internal/child   the process, its pipes, its descendants, the death of the host
//	internal/output  stdout and stderr into log lines
//
// # What go-plugin v1.8.0 does not contain, and where it is closed
//
// Each has a test of that name (TestFault01…).
//
//	 1  a stderr line with a non-string "@message" panics the host: go-plugin is
//	    given an empty stderr; internal/output reads the real one
//	 2  a certificate in the handshake is a nil dereference: go-plugin is given a
//	    handshake line of our own making (handshake.go)
//	 3  Kill and Ping have no deadline: Close kills first and calls Client.Kill
//	    when nobody is left to wait for; Check and Shutdown take a context
//	 4  Start holds a lock for up to a minute: the end of the context kills the
//	    process, which ends it
//	 5  a grandchild that holds the pipes hides the exit: the pipes are ours, and
//	    are read for 200 ms after it (internal/child)
//	 6  a long line on stdout ends the reading: stdout is read to its end, for
//	    go-plugin only the first line (runner.go)
//	 7  only the pid is killed: internal/child kills the tree
//	 8  plugs outlive a killed host: parent-death signal from a pinned thread, the
//	    end of stdin, and a guard process for what descends from a plug
//	 9  the host's environment leaks: an allow-list (private.go)
//	10  the plug chooses the address: a socket directly in its directory, and the
//	    one who listens must be the plug or descend from it (connect.go)
//	11  limits of 2 GiB: 16 MiB both ways (connect.go)
//	12  certificates that some TLS stacks refuse: AutoMTLS is off; 10 and the
//	    directory's mode stand in for it
//	13  neither a context nor a closed connection tells the exit: the pid is waited
//	    for, and at the exit the connection is closed
//	14  ClientConfig is changed by use: each Start makes one
//	15  sockets leak, long paths break: everything is in one private directory with
//	    a checked length, removed by Close, or by the guard
//
// And beside that list: stdin is always a pipe; GRPC_* variables are left out;
// go-plugin's broker, by which a plug could make the host keep memory without a
// bound, is never opened.
//
// # What is left
//
// A plug runs as the host's own user: what it wants to do to the host on purpose it
// can do. Descendants that hide well (see internal/child), memory, and processor
// time are for a sandbox to hold. Who watches a live plug for signs of life, and
// starts it again, is package supervisor. The package is for Linux.
package process
