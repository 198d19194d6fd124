// Package simnettest lets tests and benchmarks of the host use a simulated network.
//
// Takes commands (package script's, under the names of this package); gives
// networks, either as the process simnetd (Start) or inside the test (NewLocal),
// and judges their ledgers (Compare). Order and bounds are the network's. A process
// ends with Stop or with the test's own process; a local network with Close.
package simnettest
