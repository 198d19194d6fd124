// Package api serves the host's own API, over Connect on a unix socket in the
// data directory, and is the client of it.
//
// Takes: a host, and every change of a plug's status.
//
// Gives: PlugService of proto/plughost/host/v1, to the host's own user only.
//
// Order and bounds: a watcher is given each plug's changes in the order in which
// Changed was told them. It may be 256 changes behind, then it is cut off. A
// request has at most 64 KiB.
//
// How it stops: Serve when its context ends: watchers are cut off, other calls
// get 2 s.
package api
