// Package storage is the journal's engine: one log of records under subjects, and a map,
// kept by an embedded NATS server (OpenJetStream) or, for tests, in memory (Memory).
// What the records mean is package journal's; which subjects there are is package
// subject's.
//
// Takes: bytes under subjects.
// Gives: the same back, by subject and in order, also after a crash of the host at any
// instant; how full it and its disk are (State).
// Order and bounds: what is appended is durable when the call returns. Sequences grow
// over the whole log. It refuses nothing at a bound itself, but for what it can't
// write: it says in State which bound is reached, and the journal refuses.
// Stops: Close ends every call and every Follow, and frees the directory.
//
// # A full disk
//
// When less than a quarter of Options.Ballast is free beside it, the ballast is given
// up, and its room is there for what still has to be delivered. It is taken again when
// the disk has room for it and half as much again.
//
// To the last byte, records are no longer answered. The embedded server never recovers
// from that by itself, so it is opened anew, in place, once there is room: nothing
// acknowledged is lost, and every Follow goes on where it was.
//
// A directory whose disk is full is opened all the same: its ballast is given up before,
// and a store that is as it is to be is opened without writing a byte. Where something
// must be written first, OpenJetStream returns ErrNoRoom.
package storage
