// Command webchat is a small network of its own, and the plug for it: rooms in the
// browser, kept in a SQLite file. It is the plug to learn from; README.md says in
// which order to read it.
//
// Takes: from the host, what the contract (proto/plughost/plug/v1) asks a plug;
// from people, what they write on the page.
//
// Gives: everything that is said, as events with cursors; a receipt for every Put.
//
// Order and bounds: a room's events go out in the order of their row numbers, after
// the host's cursor of that room. The SDK's queue bounds what waits for the host;
// packages room and page say what bounds the network.
//
// How it stops: Receive ends first, then the page closes, then the store.
package main

import "github.com/plughost/plughost/sdk/go/plug"

func main() { plug.Serve(definition) }
