// Package server serves a network to connections.
//
// Takes connections, from a listener or one by one; gives the frames of package
// wire on them. Order: what a connection asks for is handled in the order in which
// it came, except that a script's commands may overtake each other. Bounds: 4096
// unanswered requests per connection, then no more are read. It stops with its
// context; Serve and ServeConn return when everything they started has ended.
package server
