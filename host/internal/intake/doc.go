// Package intake brings what a plug says into the journal, at once and in order,
// and then acknowledges it.
//
// Takes: the answers of a plug's stream.
// Gives: records of events in the journal, then cursors, then the
// acknowledgement, never in another order (D1); and word of each appended event
// to whoever settles uncertain Puts. Before it is stored an event gets what only the
// host knows (complete.go): its files are in the host's store, a whole set of reactions
// has its difference, a reaction's own id its message. What is best effort is told at
// once and not stored.
// Order and bounds: one answer is stored at a time, while the next one is prepared
// (beside.go), and its cursors beside the next one's events, at most one record each
// cursorGap. Its events are grouped by
// channel, a channel's run is one record, stored whole or not at all, so a
// refused append can't leave a later event before an earlier one; it is tried
// again until it stands, and meanwhile the stream is not read, which stops the
// plug by back-pressure. Repeats are removed by event id (D2); the memory for
// that is bounded by knownEvents, and while the plug resumes by what is stored
// behind its cursors.
// Channels that migrate: a channel's events are kept under its home, the source that it
// had first, so that they stay in one order (O6).
// Gaps (gaps.go): what the plug could not replay is recorded before the cursors
// that come with it; Backfill stores what the network's history gives for it.
// Stops: Run when the stream ends or its context does.
package intake
