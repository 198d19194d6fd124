// Package document reads a YAML file that a person wrote, and tells them where it
// is wrong.
//
// Takes: the bytes of a file.
//
// Gives: its tree, values of its scalars, and a list of problems, each with its
// place in the file and what to do about it.
//
// Order and bounds: problems come in the file's order. A file has at most 1 MiB
// and 50 levels; anchors, aliases, tags, merge keys and second documents are
// refused, so that no node stands for many.
//
// How it stops: it has nothing that runs.
package document
