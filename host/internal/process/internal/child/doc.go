// Package child runs one program as a child process that does not outlive the
// host, with descendants that do not outlive the child.
//
// Takes: a command, a private directory, and two functions that read its output.
// Gives: its pid, the moment of its exit, how it ended, and its end on demand.
//
// Order and bounds: the exit is known by waiting for the pid, so that nobody who
// holds the child's pipes can hide it. What follows takes at most SweepPatience:
// the process group is killed, then every other descendant that can be found, the
// rest of the output is read for PipePatience, and only then is the pid given
// back to the system, so that no signal ever reaches a stranger. One goroutine per
// child attends to this, two read its output; one thread and one small guard
// process serve all children, as long as there are any.
//
// Stops: Close kills and waits for all of the above.
//
// # How descendants are found
//
// A child leads a session of its own. To it belong, found in /proc: all processes
// in that session; all whose environment, as it was when they were executed, names
// the child's private directory; and all descendants of these. So a daemon is
// found that left the session and whose parents are gone (it kept its
// environment), and so is a program that left session and environment behind as
// long as its parents live.
//
// Not found is a process that has done all three: left the session, been executed
// with another environment, lost its parents before the kill. Nor can one be
// killed that runs as another user. Only a cgroup or a pid namespace holds these.
//
// # When the host is killed
//
// After SIGKILL the host can do nothing any more. The kernel kills each child (a
// parent-death signal, set by the thread that forks it; the thread is pinned, for
// the signal is sent when the thread ends, not the process). Each child also sees
// the end of its stdin. Their descendants, and the private directories, are left
// to the guard: this program executed once more under another name, waiting for
// the end of a pipe. If somebody kills the guard as well, descendants live on. A
// guard that was killed alone is replaced at the next start or end of a child.
//
// A host that is pid 1 of a container inherits all orphans, and should run below
// an init that reaps them.
//
// The package is for Linux.
package child
