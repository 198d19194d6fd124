// Package agenda does things later.
//
// Takes Steps: what to do, how long after the step before, and a Gate that may
// hold it; gives nothing back. Order: what is due at the same moment is done in the
// order of Run; what a gate held is let go in the order in which it came. Bounds:
// as many entries as its user plans; the network plans a few per unanswered
// request. Everything is done with the user's lock held, and all methods want it
// held. Close stops it: what is not due by then is never done.
package agenda
