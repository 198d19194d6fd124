// Package loop finds the ways in which messages would go in a circle between
// conversations, or arrive twice.
//
// Takes: conversations with their members.
//
// Gives: circles and doubled pairs, once for each set of conversations.
//
// Order and bounds: in the order of the conversations. Only members in more than
// one conversation cost time.
//
// How it stops: it has nothing that runs.
//
// A channel may be in several conversations: what is said there goes to each of
// them. It must not be carried in a circle, though. With dev: [a, b] and
// help: [b, a], or with three conversations [a, b], [b, c] and [c, a], a message of
// a would come back to a by another conversation wherever a network cannot tell
// our own messages from those of others; and even where it can, two conversations
// between the same two channels say everything twice.
package loop
