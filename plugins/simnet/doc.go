// Command simnet is the plug for simnetd, a scriptable network for tests and
// benchmarks; see README.md.
//
// Takes what the host asks by the plug contract; gives the network's messages. Its
// Puts hold back the events of their own channel. Order and bounds are those of
// package simplug. It is started by the host and ends with it.
package main
