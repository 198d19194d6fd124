// Package conversation is the built-in bridging: what is said and done in one member of
// a conversation is said and done in every other.
//
// Takes: events, as a hook.
// Gives: for each message, edit, delete and reaction that is not ours one send per other
// member, with the author's name formatted for it and the message that it is about; with
// a reply its quote, with an edit its repost, for networks without them. Typing, if it can
// be shown at once.
// Order and bounds: the drain's. In memory: how the last recentMessages messages began,
// for quotes; whom names mean is asked of People.
// Stops: it has nothing that runs.
package conversation
