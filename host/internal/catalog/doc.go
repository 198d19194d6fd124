// Package catalog says which plug binaries exist.
//
// Takes: the plugs' directory and the name that the config uses.
//
// Gives: the absolute path of the binary, or why there is none.
//
// Order and bounds: names come sorted; nothing is kept.
//
// How it stops: it has nothing that runs. No binary is executed here.
package catalog
