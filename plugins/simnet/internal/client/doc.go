// Package client is one connection to a simulated network.
//
// Takes requests, any number at once, and gives their answers as they come; gives
// events in the order in which the network shows them. Bounds: 256 events wait for
// Next, since the network sends no more than it has credit for; 1 MiB of requests
// wait to be written, then their callers do. It stops by Close, or when the
// connection is lost, and then answers everything that waits.
package client
