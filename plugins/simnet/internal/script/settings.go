package script

import "slices"

// Network replaces the settings of the whole network.
type Network struct {
	// CollidingIDs makes the channels count their message ids each for itself, so
	// that the same id names a message in each of them. Otherwise an id has the
	// channel's name in it.
	CollidingIDs bool `json:"colliding_ids,omitempty"`
	// LogShown adds a line to the ledger for each event written to a connection.
	LogShown bool `json:"log_shown,omitempty"`
}

func (*Network) validate() error { return nil }

// Echo is what an account is shown of its own messages.
type Echo string

// Kinds of echo.
const (
	EchoOperationID Echo = "operation_id"
	EchoOwn         Echo = "own"
	EchoNone        Echo = "none"
)

// Own is the mark on an account's own messages.
type Own string

// Marks. OwnNo is only for Say: a message that is ours and does not look it.
const (
	OwnYes     Own = "yes"
	OwnUnknown Own = "unknown"
	OwnMissing Own = "missing"
	OwnNo      Own = "no"
)

// Resume is what an account's cursors are good for.
type Resume string

// Kinds of resuming.
const (
	// ResumeYes serves everything since the cursor.
	ResumeYes Resume = "yes"
	// ResumeRefused says that it is resumable and then refuses every cursor.
	ResumeRefused Resume = "refused"
	// ResumeNo neither says nor does it.
	ResumeNo Resume = "no"
)

// CursorScope is what one cursor is about.
type CursorScope string

// Scopes of cursors.
const (
	CursorChannel CursorScope = "channel"
	CursorAccount CursorScope = "account"
)

// Account replaces the settings of an account, which begins to exist by it, or by
// its first login. The network acts by them at once, a plug learns of them at its
// next login. All zero is a well-behaved network: echoes with the operation id,
// resumable, cursors per channel.
type Account struct {
	// Name is what the plug logs in with. Required.
	Name string `json:"name"`
	// Token is the password; empty: any will do.
	Token string `json:"token,omitempty"`
	// NetworkID is what Start returns; "simnet:" and the name if empty.
	NetworkID string `json:"network_id,omitempty"`
	// NoChannels gives the account one unnamed stream of messages: it is kept as
	// the channel "@" and the name, which the plug never sees.
	NoChannels bool `json:"no_channels,omitempty"`

	Echo Echo `json:"echo,omitempty"`
	Own  Own  `json:"own,omitempty"`
	// Careless makes the plug pass on an operation id even of a message that is
	// not proven its own.
	Careless bool `json:"careless,omitempty"`
	// IDsByEcho leaves the message id out of the answer: only the echo tells it.
	IDsByEcho bool `json:"ids_by_echo,omitempty"`

	Resume      Resume      `json:"resume,omitempty"`
	CursorScope CursorScope `json:"cursor_scope,omitempty"`
	// Keep is how many messages and marks the network keeps for the account; a
	// cursor from before them is refused. 100,000 if 0.
	Keep int `json:"keep,omitempty"`

	// History lets the plug list a channel's messages, and find what an operation made:
	// of the newest 10,000 that were said in a channel while such an account was in it.
	History bool `json:"history,omitempty"`

	// Idempotent is how long the network answers a known operation id with the
	// message it already has; 0: never.
	Idempotent Duration `json:"idempotent,omitempty"`
	// TwoCallSend makes the plug upload, then post.
	TwoCallSend bool `json:"two_call_send,omitempty"`
	// TwoCallFetch shows messages without their text, which has to be fetched.
	TwoCallFetch bool `json:"two_call_fetch,omitempty"`

	// MaxSilence is announced by the plug, and the network then pings three times
	// as often; 0: no pings.
	MaxSilence Duration `json:"max_silence,omitempty"`
	// PutTimeout is announced by the plug; 0: not.
	PutTimeout Duration `json:"put_timeout,omitempty"`
	// TextLength is the most bytes of a message; 0: no limit.
	TextLength int `json:"text_length,omitempty"`
	// TextAuthors has the author's name stand in the text, in place of beside it.
	TextAuthors bool `json:"text_authors,omitempty"`

	// Lacks is what the network cannot do: the plug does not announce it, and it is
	// answered with Unsupported.
	Lacks []Ability `json:"lacks,omitempty"`
	// Moderates lets the account delete what others wrote; it may edit only its own.
	Moderates bool `json:"moderates,omitempty"`
	// Aliases gives each message a second id, by which everything later names it.
	Aliases bool `json:"aliases,omitempty"`
	// References gives each message a reference, without which it is not found again.
	References bool `json:"references,omitempty"`
	// Reactions is how they are told and taken.
	Reactions ReactionStyle `json:"reactions,omitempty"`
	// MaxReactions is how many one message can have of the account; 0: no limit.
	MaxReactions int `json:"max_reactions,omitempty"`
}

// Can tells whether the network can do something for the account.
func (a *Account) Can(what Ability) bool { return !slices.Contains(a.Lacks, what) }

func (a *Account) validate() error {
	var err error
	for _, l := range a.Lacks {
		err = join(err, oneOf("lacks", l, CanEdit, CanDelete, CanReact, CanType, CanRead, CanChange,
			CanReply, CanThread, CanFormat, CanMention, CanLocate, CanEmote))
	}
	return join(
		err,
		need("name", a.Name),
		oneOf("echo", a.Echo, EchoOperationID, EchoOwn, EchoNone),
		oneOf("own", a.Own, OwnYes, OwnUnknown, OwnMissing),
		oneOf("resume", a.Resume, ResumeYes, ResumeRefused, ResumeNo),
		oneOf("cursor_scope", a.CursorScope, CursorChannel, CursorAccount),
		notNegative("keep", a.Keep),
		notNegative("idempotent", a.Idempotent),
		notNegative("max_silence", a.MaxSilence),
		notNegative("put_timeout", a.PutTimeout),
		notNegative("text_length", a.TextLength),
		oneOf("reactions", a.Reactions, ReactionsOne, ReactionsByID, ReactionsWhole),
		notNegative("max_reactions", a.MaxReactions),
	)
}

// When is when an echo comes, relative to the answer.
type When string

// Times of an echo.
const (
	// After is EchoDelay after the answer.
	After When = "after"
	// At is in one write with the answer, and in front of it.
	At When = "at"
	// Before is EchoDelay after the message was accepted; the answer comes
	// AnswerDelay after the echo.
	Before When = "before"
	// Never is never, not even on resuming.
	Never When = "never"
)

// State is whether a channel can be used.
type State string

// States of a channel.
const (
	StateJoined   State = "joined"
	StatePending  State = "pending"
	StateReadOnly State = "read_only"
	StateDenied   State = "denied"
	StateNotFound State = "not_found"
)

// Channel replaces the settings of a channel, which begins to exist by it, or
// when it is first joined, spoken in or named. Names are lower case: "#Case" is
// "#case" everywhere but in a login, which is told the canonical spelling.
type Channel struct {
	// Name of the channel. Required.
	Name string `json:"name"`
	// State holds for logins from now on. Only "joined" takes messages, and
	// "read_only" shows them.
	State State `json:"state,omitempty"`
	// Reason is the state's, in words.
	Reason string `json:"reason,omitempty"`

	Echo        When     `json:"echo,omitempty"`
	AnswerDelay Duration `json:"answer_delay,omitempty"`
	EchoDelay   Duration `json:"echo_delay,omitempty"`
	UploadDelay Duration `json:"upload_delay,omitempty"`
	FetchDelay  Duration `json:"fetch_delay,omitempty"`
}

func (c *Channel) validate() error {
	return join(
		need("name", c.Name),
		oneOf("state", c.State, StateJoined, StatePending, StateReadOnly, StateDenied, StateNotFound),
		oneOf("echo", c.Echo, After, At, Before, Never),
		notNegative("answer_delay", c.AnswerDelay),
		notNegative("echo_delay", c.EchoDelay),
		notNegative("upload_delay", c.UploadDelay),
		notNegative("fetch_delay", c.FetchDelay),
	)
}
