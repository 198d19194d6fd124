// Command bench measures the host: the programs as they are shipped, with an
// ordinary config, between simulated networks that are processes of their own.
//
// Takes: the directory with plughost, simnetd and the plugs (-bin), and which
// figures are wanted (-only).
// Gives: a table on stdout and a JSON file (-out), a list of {name, value, unit,
// limit, ratio}. limit is what the figure is held against: the same work without
// us where there is such a thing, else the expected bound.
// Order and bounds: one figure after another, so that none disturbs another; the
// yardstick runs before, between and after our own runs; the ratio is the median
// of ours, each divided by the mean of its neighbours. The whole takes under 8
// minutes, with -short under 2.
// Stops: at the end, or at SIGINT; whatever it has started ends with it. A figure
// that is void is left out, with the reason, and the exit code is 1.
//
// host/BENCHMARKS.md has the method and the last figures.
package main
