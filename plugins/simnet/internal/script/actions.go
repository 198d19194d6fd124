package script

import (
	"encoding/json"
	"errors"
)

// Say has somebody speak in a channel.
type Say struct {
	Channel string `json:"channel"`
	// Author is a stranger's name; "stranger" if empty.
	Author string `json:"author,omitempty"`
	// Account speaks instead of a stranger: from another device, outside any
	// connection.
	Account string `json:"account,omitempty"`
	Text    string `json:"text"`
	// Rich is the message where it is more than a text: text with formatting and
	// mentions, attachments, emote, as JSON of the contract's Message. Text is then what
	// the ledger has of it.
	Rich json.RawMessage `json:"rich,omitempty"`
	// ReplyTo is the id of the message that is answered, Thread that of the root of the
	// thread that it is in.
	ReplyTo string `json:"reply_to,omitempty"`
	Thread  string `json:"thread,omitempty"`
	// ID is the message's, in place of a new one: a network may say a message again.
	ID string `json:"id,omitempty"`
	// Count is how often, with a number behind the text if more than 1; 0: once.
	Count int `json:"count,omitempty"`
	// OperationID is shown with the message to everybody: a stranger may send the
	// id of somebody else's operation.
	OperationID string `json:"operation_id,omitempty"`
	// Own is the mark that everybody sees; empty: "no" on a stranger's, and an
	// account's own setting on its own.
	Own Own `json:"own,omitempty"`
}

func (s *Say) validate() error {
	return join(
		need("channel", s.Channel),
		oneOf("own", s.Own, OwnNo, OwnYes, OwnUnknown, OwnMissing),
		notNegative("count", s.Count),
	)
}

// Generate has a stranger say numbered texts, channel by channel in turn: nine
// digits, a space, and dots up to the size. It ends when all are said.
type Generate struct {
	Channels []string `json:"channels"`
	Author   string   `json:"author,omitempty"`
	// Count is how many over all channels.
	Count int `json:"count"`
	// First is the number of the first text; 0: 1.
	First int `json:"first,omitempty"`
	// Size of each text in bytes, at least 9.
	Size int `json:"size"`
	// PerSecond is the rate over all channels; 0: as fast as the accounts in the
	// channels take them, at most 4096 ahead of the slowest.
	PerSecond float64 `json:"per_second,omitempty"`
}

func (g *Generate) validate() error {
	var err error
	if len(g.Channels) == 0 {
		err = errors.New(`"channels" is missing`)
	}
	if g.Size < NumberDigits || g.Count < 1 {
		err = join(err, errors.New(`"count" must be at least 1, "size" at least 9`))
	}
	return join(err, notNegative("first", g.First), notNegative("per_second", g.PerSecond))
}

// NumberDigits is how many digits begin a text that Generate made.
const NumberDigits = 9

// Stage is what Hold holds.
type Stage string

// Stages.
const (
	StageAnswers Stage = "answers"
	StageEchoes  Stage = "echoes"
	StageUploads Stage = "uploads"
	StageFetches Stage = "fetches"
)

// Hold holds back every answer, echo, upload or fetch of a channel from now on,
// until Release.
type Hold struct {
	Channel string `json:"channel"`
	Stage   Stage  `json:"stage"`
}

func (h *Hold) validate() error { return stage(h.Channel, h.Stage) }

// Release lets go what Hold held.
type Release struct {
	Channel string `json:"channel"`
	Stage   Stage  `json:"stage"`
	// Count releases only so many, oldest first, and holds on; 0: all, and the
	// holding ends.
	Count int `json:"count,omitempty"`
}

func (r *Release) validate() error {
	return join(stage(r.Channel, r.Stage), notNegative("count", r.Count))
}

func stage(channel string, s Stage) error {
	return join(need("channel", channel), need("stage", string(s)),
		oneOf("stage", s, StageAnswers, StageEchoes, StageUploads, StageFetches))
}

// Mark moves an account's cursor without an event.
type Mark struct {
	Account string `json:"account"`
	// Channel whose cursor moves; empty: the whole account's.
	Channel string `json:"channel,omitempty"`
}

func (m *Mark) validate() error { return need("account", m.Account) }

// Forget makes the network refuse all cursors that it gave an account so far.
type Forget struct {
	Account string `json:"account"`
}

func (f *Forget) validate() error { return need("account", f.Account) }

// Drop closes the connections of an account.
type Drop struct {
	Account string `json:"account"`
}

func (d *Drop) validate() error { return need("account", d.Account) }

// Freeze makes the connections of an account, those to come too, look open and be
// dead: nothing is read or written, not even pings.
type Freeze struct {
	Account string `json:"account"`
	// Thaw ends it.
	Thaw bool `json:"thaw,omitempty"`
}

func (f *Freeze) validate() error { return need("account", f.Account) }

// Fault is how a plug misbehaves.
type Fault string

// Faults of a plug.
const (
	// FaultExit ends the process with status 3.
	FaultExit Fault = "exit"
	// FaultCrash panics on a goroutine of the plug's own, which ends the process.
	FaultCrash Fault = "crash"
	// FaultPanic panics inside Put, which the SDK contains.
	FaultPanic Fault = "panic"
	// FaultHang, at once, stops the whole process as SIGSTOP does: heartbeats,
	// health, all. Inside Put only that Put hangs, deaf to its deadline.
	FaultHang Fault = "hang"
	// FaultState has the plug say that its connection is as State says; nothing else
	// happens.
	FaultState Fault = "state"
)

// NetworkState is how a plug says that its connection is.
type NetworkState string

// States of a connection.
const (
	NetworkConnecting NetworkState = "connecting"
	NetworkConnected  NetworkState = "connected"
	NetworkDegraded   NetworkState = "degraded"
	NetworkLoggedOut  NetworkState = "logged_out"
)

// Point is where in a Put a plug misbehaves.
type Point string

// Points.
const (
	// AtOnce is outside any Put.
	AtOnce Point = "now"
	// BeforeSend is when nothing has gone to the network.
	BeforeSend Point = "before_send"
	// AfterAccept is when the network's answer has come.
	AfterAccept Point = "after_accept"
	// BeforeAnswer is when the ids are known, the last moment of the Put.
	BeforeAnswer Point = "before_answer"
)

// Plug orders the plugs logged in to an account to misbehave. The command ends
// when they have taken the order, or at once if it cannot be confirmed (AtOnce).
type Plug struct {
	Account string `json:"account"`
	Fault   Fault  `json:"fault"`
	At      Point  `json:"at,omitempty"`
	// Channel limits it to Puts of one channel; empty: the next Put of any.
	Channel string `json:"channel,omitempty"`
	// State and Reason are what the plug says, with FaultState.
	State  NetworkState `json:"state,omitempty"`
	Reason string       `json:"reason,omitempty"`
}

func (p *Plug) validate() error {
	err := join(
		need("account", p.Account), need("fault", string(p.Fault)),
		oneOf("fault", p.Fault, FaultExit, FaultCrash, FaultPanic, FaultHang, FaultState),
		oneOf("state", p.State, NetworkConnecting, NetworkConnected, NetworkDegraded, NetworkLoggedOut),
		oneOf("at", p.At, AtOnce, BeforeSend, AfterAccept, BeforeAnswer),
	)
	if p.Fault == FaultPanic && (p.At == AtOnce || p.At == "") {
		err = join(err, errors.New(`"panic" happens inside a Put: set "at"`))
	}
	if p.Fault == FaultState {
		err = join(err, need("state", string(p.State)))
		if p.At != AtOnce && p.At != "" {
			err = join(err, errors.New(`"state" is said at once: leave "at" out`))
		}
	}
	return err
}

// Wait ends when the ledger has Count lines of a kind, counted from the network's
// beginning.
type Wait struct {
	// Kind is one of the ledger's.
	Kind string `json:"kind"`
	// Channel and Account of the lines to count; empty: any.
	Channel string `json:"channel,omitempty"`
	Account string `json:"account,omitempty"`
	Count   int    `json:"count"`
}

func (w *Wait) validate() error {
	return join(need("kind", w.Kind), notNegative("count", w.Count))
}

// Flush writes the ledger out: what has happened so far can be read after it.
type Flush struct{}

func (*Flush) validate() error { return nil }
