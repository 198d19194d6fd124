// Package config makes the host's options of one YAML file.
//
// Takes: the file, the plugs' directory, and functions that ask a plug's binary what
// it is, and what is wrong with its config.
//
// Gives: host.Options, and everything that is wrong, together, each with its
// place in the file and what to do about it. A problem is either of the whole
// config, and then nothing may start, or of one plug, and then the others may.
//
// Order and bounds: plugs, conversations and members keep the file's order. A
// file has at most 1 MiB and 50 levels, a secret 64 KiB. At most 8 plugs are asked
// at a time.
//
// How it stops: Load returns when it is done, or soon after its context has ended.
//
// What a scalar means is simple on purpose, since ids of channels look like
// numbers and names like truth values: in the host's own keys every scalar is its
// literal text. In a plug's config a scalar without quotes is a number, true,
// false or null exactly if it is so in JSON; all else is text: 0123, 1_000, on,
// no, 0x1F.
//
// Relative paths are relative to the file's own directory, so that every command
// finds the same data directory from wherever it is called.
package config
