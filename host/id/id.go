// Package id holds the types of everything that names something, so that a
// wrong argument doesn't compile.
package id

// InstanceName is the name of a plug instance in the config: a label, which may
// change.
type InstanceName string

// NetworkID is the constant identifier of an access to a network, as the plug's
// Start gave it. Everything stored is keyed by it.
type NetworkID string

// ChannelSource is the plug's own opaque, canonical name of a channel.
type ChannelSource string

// MessageID is a network's id of a message, unique within its channel only.
type MessageID string

// EventID is a network's id of an event, unique within its channel and the same
// on replay.
type EventID string

// OperationID is the host's id of one accepted action: 20 characters [0-9a-v].
type OperationID string

// HookName is the name under which a hook's progress is stored.
type HookName string

// Sequence is a place in the journal. Zero is before the first record.
type Sequence uint64

// Channel names a channel for good.
type Channel struct {
	Network NetworkID
	Source  ChannelSource
}

// String gives the channel for logs: "network/source".
func (c Channel) String() string { return string(c.Network) + "/" + string(c.Source) }

// Message names a message for good.
type Message struct {
	Channel Channel
	ID      MessageID
}
