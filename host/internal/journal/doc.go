// Package journal is the durable record: events, operations, how far puts and
// hooks have come, and the message map.
//
// Takes: what the stages want kept, as protobuf records.
// Gives: the same back, in order, channel by channel (Lanes), also after a
// crash of the host at any instant.
// Order and bounds: what is appended is durable when the call returns. Order is
// kept within a channel. Lanes hold at most a window of records per channel in
// memory; the rest waits in the log.
// Stops: Lanes.Run when its context ends; Close closes the store.
//
// Only what is finished expires. The log itself has no age: Retain removes, by
// subject, what every hook is done with and every put has settled, and always
// leaves the last record of a subject, which is its cursor.
package journal
