// Command mutants breaks the host's real code on purpose, one mutation at a time,
// and requires that the property test of host/internal/proof notices.
//
// Takes: the mutations of this package's table, each a piece of a file's text and
// what stands there instead. Files are not changed: the compiler is given mutated
// copies by an overlay.
// Gives: a line per mutation on stdout, with the guarantee that was found broken
// and after how many schedules; exit code 1 if one was not noticed, if a piece of
// text is not found exactly once, or if the code as it is does not pass.
// Order and bounds: as many at once as there are processors; a test is stopped
// after a time limit, which counts as not noticed.
// Stops: when all have been tried, or on an interrupt.
package main
