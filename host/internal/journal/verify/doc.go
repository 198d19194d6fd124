// Package verify checks a journal that no host uses: that each record can be decoded,
// and that they agree with each other.
//
// Takes: a store, which it only reads.
// Gives: what is not as it must be, each finding in words for people.
// Order and bounds: in the order of the log, then the map. Memory: the places of all
// operations that are kept.
// Stops: when it has read what was there when it began, or its context ends.
package verify
