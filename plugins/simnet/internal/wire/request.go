package wire

import "github.com/plughost/plughost/plugins/simnet/internal/script"

// Request is the body of a Call; exactly one field is set.
type Request struct {
	// Login is answered by a LoginReply. Once per connection.
	Login *Login `json:"login,omitempty"`
	// Subscribe is answered by a SubscribeReply; events flow after it. Once per
	// connection, after Login.
	Subscribe *Subscribe `json:"subscribe,omitempty"`
	// List is answered by a ListReply, Find by a FindReply; after Login.
	List *List `json:"list,omitempty"`
	Find *Find `json:"find,omitempty"`
	// Command is answered by a script.Result. It needs no login.
	Command *script.Command `json:"command,omitempty"`
}

// Login names an account and the channels to join.
type Login struct {
	Account  string   `json:"account"`
	Token    string   `json:"token,omitempty"`
	Channels []string `json:"channels,omitempty"`
}

// LoginReply says as whom one is in, or why not.
type LoginReply struct {
	// Refused is set if the login was refused; the rest is then empty.
	Refused *script.Logins `json:"refused,omitempty"`
	// Connection is the connection's name in the ledger.
	Connection string          `json:"connection,omitempty"`
	NetworkID  string          `json:"network_id,omitempty"`
	Settings   script.Account  `json:"settings"`
	Channels   []ChannelStatus `json:"channels,omitempty"`
	// Epoch is part of every cursor: "<epoch>.<position>".
	Epoch string `json:"epoch,omitempty"`
	// Position is now: where a scope without a cursor begins.
	Position uint64 `json:"position"`
}

// ChannelStatus is what became of one channel of a Login.
type ChannelStatus struct {
	Requested string `json:"requested"`
	// Name is the canonical one.
	Name   string       `json:"name"`
	State  script.State `json:"state"`
	Reason string       `json:"reason,omitempty"`
}

// Subscribe begins the flow of events.
type Subscribe struct {
	// Cursors by channel; "" is the whole account's. A channel without one begins
	// at LoginReply.Position.
	Cursors map[string]string `json:"cursors,omitempty"`
}

// SubscribeReply says which cursors are not known.
type SubscribeReply struct {
	// Refused holds a reason for each cursor refused, by channel; such a channel
	// begins now.
	Refused map[string]string `json:"refused,omitempty"`
	// Position is where those begin.
	Position uint64 `json:"position"`
}

// List asks for messages of a channel.
type List struct {
	Channel string `json:"channel"`
	// Before is the message before which they are; empty: the newest.
	Before string `json:"before,omitempty"`
	Limit  int    `json:"limit"`
}

// ListReply has the messages, oldest first, as they stand now.
type ListReply struct {
	Events []*Event `json:"events,omitempty"`
	// Unknown: there is no such message to be before.
	Unknown bool `json:"unknown,omitempty"`
}

// Find asks for what an operation of the account made, with all its parts.
type Find struct {
	Channel     string `json:"channel"`
	OperationID string `json:"operation_id"`
}

// FindReply has the messages, as the account is shown them.
type FindReply struct {
	Events []*Event `json:"events,omitempty"`
}
