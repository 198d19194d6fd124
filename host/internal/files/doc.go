// Package files keeps the bytes of attachments and avatars, by what they hash to,
// behind the spool directories of the plugs.
//
// Takes: files that plugs have put into their spool "out/" (Take).
// Gives: copies of them in the spool "in/" of any plug (Give), and the bytes to
// read (Content); words for a person where a file is not to be had (Words).
// Order and bounds: a blob is durable when Take returns: its bytes are synced
// before it gets its name, and its directory before the call returns. A file has
// at most MaxFileBytes, the store MaxBytes; what is older than Keep goes, and
// what was not used for the longest gives way first, but never what InUse names.
// Bytes are copied through a buffer of 256 KiB; nothing grows with a file's size
// or with the number of blobs.
// Stops: nothing runs here; every call that copies or walks ends with its context.
//
// A plug can write to its spool at any time, so nothing in it is believed: it is
// opened without following links, looked at only once it is open, and copied, both
// ways. A hard link would leave the plug a writable file behind the hash.
package files
