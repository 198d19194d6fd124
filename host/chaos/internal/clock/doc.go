// Package clock gives one program a wall clock of its own, which a test moves while the
// program runs.
//
// Takes: a command that isn't started, and at any time how far its clock goes wrong.
// Gives: the program. Whatever of it asks for CLOCK_REALTIME by clock_gettime, as time.Now
// does, gets the true time and that difference. CLOCK_MONOTONIC stays the kernel's, so
// timers, timeouts and time.Since go on as they do when a machine's clock is set. The
// program's children keep the true clock, and so do the times that the kernel itself
// writes, those of files.
// How: a seccomp filter, which the program inherits, has the kernel ask this process about
// each such call. The vDSO, which would answer without any call, is taken out of the
// program's auxiliary vector before its first instruction. Go and the C libraries make
// calls where there is none. It takes Linux 5.19 on amd64 or arm64; root it doesn't take,
// where a process may trace its children. Such a call costs about ten microseconds.
// Order and bounds: the methods of a Clock may be called at the same time. A program can
// be set to no other clock once it runs; any number may share one.
// Stops: the program ends with this process, since nobody would answer it. What answers
// ends with the last process that has the filter: the program or a child of it.
package clock
