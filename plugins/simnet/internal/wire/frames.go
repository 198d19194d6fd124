package wire

import (
	"encoding/json"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/script"
)

// Kind names the kind of a frame; it is the first byte of the body.
type Kind byte

// The kinds of frames.
const (
	KindCall Kind = iota + 1
	KindReply
	KindSend
	KindUpload
	KindFetch
	KindAnswer
	KindEvent
	KindMark
	KindCredit
	KindPing
	KindOrder
)

// What says what a Send asks for and an Event tells where that is more than a text; on
// the wire it is JSON. Messages are named by any name they have: id, alias, reference.
type What struct {
	Kind script.Kind `json:"kind,omitempty"`
	// Target is, in a Send, the message that it is done to; in an Event that is
	// MessageID.
	Target  string `json:"target,omitempty"`
	ReplyTo string `json:"reply_to,omitempty"`
	Thread  string `json:"thread,omitempty"`
	// Rich is JSON of the contract's Message, where there is more than a text.
	Rich json.RawMessage `json:"rich,omitempty"`

	Reaction   string `json:"reaction,omitempty"`
	ReactionID string `json:"reaction_id,omitempty"`
	// Reactions is somebody's whole set: in a Send of the kind KindReactions, and in an
	// Event with every reaction.
	Reactions []string `json:"reactions,omitempty"`

	Moderation bool         `json:"moderation,omitempty"`
	Stopped    bool         `json:"stopped,omitempty"`
	Users      []string     `json:"users,omitempty"`
	Title      *string      `json:"title,omitempty"`
	Topic      *string      `json:"topic,omitempty"`
	State      script.State `json:"state,omitempty"`
	To         string       `json:"to,omitempty"`

	// Told by the network only: who did it, where that is not the message's author; the
	// message's other names; the number of its revision; of the message that it answers
	// the author and the text.
	ActorID    string   `json:"actor_id,omitempty"`
	Actor      string   `json:"actor,omitempty"`
	Aliases    []string `json:"aliases,omitempty"`
	Reference  string   `json:"reference,omitempty"`
	Revision   string   `json:"revision,omitempty"`
	AnsweredID string   `json:"answered_id,omitempty"`
	Answered   string   `json:"answered,omitempty"`
	AnsweredBy string   `json:"answered_by,omitempty"`
}

// Frame is one thing said. The client gives every Call, Send, Upload and Fetch an
// ID of its own, and the network answers under it, in any order.
type Frame interface {
	kind() Kind
	append(b []byte) []byte
	parse(f *fields)
}

// Call asks for something rare: Body is a Request as JSON. Answered by a Reply.
type Call struct {
	ID   uint64
	Body string
}

// Reply answers a Call: Body is the JSON that the Request says, and Error, if not
// empty, says why the call failed.
type Reply struct {
	ID    uint64
	Error string
	Body  string
}

// Send puts a message into a channel, or does something else in it. Answered by an
// Answer.
type Send struct {
	ID          uint64
	Channel     string
	OperationID string
	// Author is the name shown; empty for the account's own.
	Author string
	// Text is the message. Empty in the second call of a two-call send.
	Text string
	// Upload is the handle that an Upload was answered with.
	Upload string
	// What is nil for a message that is nothing but a text.
	What *What
}

// Upload is the first call of a two-call send. Answered by an Answer with a
// handle.
type Upload struct {
	ID      uint64
	Channel string
	Text    string
}

// Fetch is the second call of a two-call pick-up. Answered by an Answer with the
// text.
type Fetch struct {
	ID uint64
	// Position is that of the Event without its text.
	Position uint64
}

// Answer answers a Send, an Upload or a Fetch.
type Answer struct {
	ID uint64
	// Verdict is empty if it was done, else one of script.Verdict.
	Verdict string
	// WholePlug is true if the verdict is about all channels of the account.
	WholePlug  bool
	RetryAfter time.Duration
	// Reason says why, for a person.
	Reason string
	// MessageID is that of the message. Empty if the network tells ids only in
	// the echo.
	MessageID string
	Time      time.Time
	// Content is the handle of an Upload, the text of a Fetch.
	Content string
	// What has the other names of a message, its revision, the id of a reaction.
	What *What
}

// Event shows a message, or something else that happened. It costs one credit.
type Event struct {
	// Position is the place in the account's log: the cursor after this event.
	Position  uint64
	Channel   string
	EventID   string
	MessageID string
	Time      time.Time
	// AuthorID and Author are who wrote it, as the network shows it.
	AuthorID string
	Author   string
	// Own is "yes", "no", "unknown", or empty where the network sets no mark.
	Own string
	// OperationID is what the network shows, whoever sent it.
	OperationID string
	Text        string
	// Fetch is true if the text has to be fetched.
	Fetch bool
	// What is nil for a message that is nothing but a text.
	What *What
}

// Mark moves the cursor without an event, or says that a scope has caught up. It
// costs one credit.
type Mark struct {
	Position uint64
	// Channel is empty for the whole account.
	Channel  string
	CaughtUp bool
}

// Credit allows the network to send Count more events and marks. Without credit
// none is sent, so a client that takes no events still gets its answers.
type Credit struct {
	Count uint64
}

// Ping says nothing; the network sends it to be heard.
type Ping struct{}

// Order tells the plug behind the connection to misbehave: Body is a script.Plug
// as JSON. Answered by a Reply, unless it is to happen at once.
type Order struct {
	ID   uint64
	Body string
}

func (*Call) kind() Kind   { return KindCall }
func (*Reply) kind() Kind  { return KindReply }
func (*Send) kind() Kind   { return KindSend }
func (*Upload) kind() Kind { return KindUpload }
func (*Fetch) kind() Kind  { return KindFetch }
func (*Answer) kind() Kind { return KindAnswer }
func (*Event) kind() Kind  { return KindEvent }
func (*Mark) kind() Kind   { return KindMark }
func (*Credit) kind() Kind { return KindCredit }
func (*Ping) kind() Kind   { return KindPing }
func (*Order) kind() Kind  { return KindOrder }

func newFrame(k Kind) Frame {
	switch k {
	case KindCall:
		return new(Call)
	case KindReply:
		return new(Reply)
	case KindSend:
		return new(Send)
	case KindUpload:
		return new(Upload)
	case KindFetch:
		return new(Fetch)
	case KindAnswer:
		return new(Answer)
	case KindEvent:
		return new(Event)
	case KindMark:
		return new(Mark)
	case KindCredit:
		return new(Credit)
	case KindPing:
		return new(Ping)
	case KindOrder:
		return new(Order)
	default:
		return nil
	}
}
