// Package journal is the durable record: events, operations, how far puts and
// hooks have come, and the message map. How it is kept is package storage's, under which
// subjects package subject's; package verify checks that all of it agrees.
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
// Each bound that is reached is in storage.State.Reason, in words, and in the log.
//
//   - Age: what is finished goes after a time (Retain). What waits, is parked or holds
//     a cursor never does.
//   - Bytes: at 15/16 of storage.Options.MaxBytes what is finished goes whatever its age,
//     oldest first, until an eighth is free (MakeRoom). When nothing finished is left
//     and the bound is reached, events, cursors and gaps are refused (storage.ErrFull), so
//     the plugs wait; clients are refused too. Until 9/8 of the bound are taken the
//     operations that the events already here lead to, and what a network says for
//     which operations wait, since they may wait for that. Records of progress
//     always are taken. The bound is on the records; their files may take more, until
//     the engine has compacted what was removed.
//   - The map: at storage.Options.MapMax entries, and for each after MapAge, the oldest
//     go; edits, deletes and reactions to those messages are no longer carried over.
//   - The disk: when less than a quarter of storage.Options.Ballast is free beside it, the
//     ballast is given up and events, cursors and gaps are refused as above, so its
//     room is there for what still has to be delivered. It is taken again, and events
//     are, when the disk has room for it and half as much again.
//   - The disk, to the last byte: nothing is stored until there is room. See package
//     storage.
package journal
