// Package proof is a model of the world around the stages, to find out whether
// what the host guarantees holds whatever happens. It is for tests only.
//
// Takes: a Schedule: what two networks are like, and what happens to them, to
// their plugs and to the host, and when.
// Gives: the guarantees that were broken, which is none, and how often each
// situation came up.
// Order and bounds: the stages are the real ones (intake, backfill, journal, gate, drain,
// put and bridging); the store keeps records in memory and refuses, delays and
// dies as the schedule says; the plugs and networks are models that know the
// truth. A witness stands between them: it sees every record at the moment it is
// durable, every Put as it begins and ends, and every event as it is yielded.
// All time is virtual: Run is called inside a synctest bubble.
// Stops: Run ends by letting everything heal, waits until nothing is left
// waiting, and then for all it started.
package proof
