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
//
// # What gives way
//
// Each bound that is reached is in State.Reason, in words, and in the log.
//
//   - Age: what is finished goes after a time (Retain). What waits, is parked or holds
//     a cursor never does.
//   - Bytes: at 15/16 of Options.MaxBytes what is finished goes whatever its age,
//     oldest first, until an eighth is free (MakeRoom). When nothing finished is left
//     and the bound is reached, events, cursors and gaps are refused (ErrFull), so
//     the plugs wait; clients are refused too. Operations that the events already here
//     lead to are taken until 9/8 of the bound. Records of progress always are. The
//     bound is on the records; their files may take up to twice as much, until the
//     engine has compacted what was removed.
//   - The map: at Options.MapMax entries, and for each after Options.MapAge, the oldest
//     go; edits, deletes and reactions to those messages are no longer carried over.
//   - The disk: when less than a quarter of Options.Ballast is free beside it, the
//     ballast is given up and events, cursors and gaps are refused as above, so its
//     room is there for what still has to be delivered. It is taken again, and events
//     are, when the disk has room for it and half as much again.
//   - The disk, to the last byte: records are no longer answered. The embedded server
//     never recovers from that by itself, so it is opened anew, in place, once there is
//     room: nothing acknowledged is lost, and every Follow goes on where it was.
package journal
