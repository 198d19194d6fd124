// Package api serves the host's own API, over Connect on a unix socket in the
// data directory, and is the client of it.
//
// Takes: a host, and every change of a plug's status.
//
// Gives: the services of proto/plughost/host/v1, to the host's own user only: plugs,
// sending, files, subscriptions, look-ups.
//
// Order and bounds: a watcher is given each plug's changes in the order in which
// Changed was told them. It may be 256 changes behind, then it is cut off. What a
// subscriber is given, and its bounds, are the subscription's. A request has at most
// 2 MiB; of a file one piece is in memory, and 8 files come at once.
//
// How it stops: Serve when its context ends: watchers and calls that wait are
// cut off, other calls get 2 s.
package api
