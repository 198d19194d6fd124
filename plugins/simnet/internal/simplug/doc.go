// Package simplug is the plug for a simulated network.
//
// Takes Starts, Puts and Stops from the host; gives receipts, and the network's
// events, cursors, catch-ups and gaps. Order: events are queued in the order in
// which the network shows them, one at a time; a text that has to be fetched is
// fetched before the next event is looked at. Bounds: the SDK's queue, and the 256
// events that its client holds. It stops by Stop, which closes the connection; what
// the script ordered it to do wrong is done at the points that script.Point names.
package simplug
