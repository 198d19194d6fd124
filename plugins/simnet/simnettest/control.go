package simnettest

import (
	"context"
	"fmt"

	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
)

// The vocabulary of scripts; see the README of the plug.
type (
	Command  = script.Command
	Result   = script.Result
	Duration = script.Duration

	NetworkSettings = script.Network
	Account         = script.Account
	Channel         = script.Channel
	Say             = script.Say
	Act             = script.Act
	Generate        = script.Generate
	Logins          = script.Logins
	Puts            = script.Puts
	Echoes          = script.Echoes
	Hold            = script.Hold
	Release         = script.Release
	Mark            = script.Mark
	Forget          = script.Forget
	Drop            = script.Drop
	Freeze          = script.Freeze
	Plug            = script.Plug
	Wait            = script.Wait

	Echo         = script.Echo
	Own          = script.Own
	Resume       = script.Resume
	CursorScope  = script.CursorScope
	When         = script.When
	State        = script.State
	Verdict      = script.Verdict
	LoginVerdict = script.LoginVerdict
	EchoFault    = script.EchoFault
	Stage        = script.Stage
	Fault        = script.Fault
	Point        = script.Point

	ActKind       = script.Kind
	NetworkState  = script.NetworkState
	Ability       = script.Ability
	ReactionStyle = script.ReactionStyle
)

// The values of their fields.
const (
	EchoOperationID = script.EchoOperationID
	EchoOwn         = script.EchoOwn
	EchoNone        = script.EchoNone

	OwnYes     = script.OwnYes
	OwnNo      = script.OwnNo
	OwnUnknown = script.OwnUnknown
	OwnMissing = script.OwnMissing

	ResumeYes     = script.ResumeYes
	ResumeRefused = script.ResumeRefused
	ResumeNo      = script.ResumeNo

	CursorChannel = script.CursorChannel
	CursorAccount = script.CursorAccount

	After  = script.After
	At     = script.At
	Before = script.Before
	Never  = script.Never

	StateJoined   = script.StateJoined
	StatePending  = script.StatePending
	StateReadOnly = script.StateReadOnly
	StateDenied   = script.StateDenied
	StateNotFound = script.StateNotFound

	NotSent     = script.NotSent
	RateLimited = script.RateLimited
	Uncertain   = script.Uncertain
	Refused     = script.Refused
	Already     = script.Already
	TargetGone  = script.TargetGone
	Unsupported = script.Unsupported
	LoggedOut   = script.LoggedOut
	NoAnswer    = script.NoAnswer
	Disconnect  = script.Disconnect
	Accept      = script.Accept

	LoginUnreachable = script.LoginUnreachable
	LoginLoggedOut   = script.LoginLoggedOut
	LoginBadConfig   = script.LoginBadConfig
	LoginAccept      = script.LoginAccept

	EchoLost     = script.EchoLost
	EchoTwice    = script.EchoTwice
	EchoNewEvent = script.EchoNewEvent
	EchoSwapped  = script.EchoSwapped
	EchoRight    = script.EchoRight

	StageAnswers = script.StageAnswers
	StageEchoes  = script.StageEchoes
	StageUploads = script.StageUploads
	StageFetches = script.StageFetches

	FaultExit  = script.FaultExit
	FaultCrash = script.FaultCrash
	FaultPanic = script.FaultPanic
	FaultHang  = script.FaultHang
	FaultState = script.FaultState

	NetworkConnecting = script.NetworkConnecting
	NetworkConnected  = script.NetworkConnected
	NetworkDegraded   = script.NetworkDegraded
	NetworkLoggedOut  = script.NetworkLoggedOut

	AtOnce       = script.AtOnce
	BeforeSend   = script.BeforeSend
	AfterAccept  = script.AfterAccept
	BeforeAnswer = script.BeforeAnswer

	KindEdit      = script.KindEdit
	KindDelete    = script.KindDelete
	KindReact     = script.KindReact
	KindUnreact   = script.KindUnreact
	KindReactions = script.KindReactions
	KindTyping    = script.KindTyping
	KindRead      = script.KindRead
	KindJoined    = script.KindJoined
	KindLeft      = script.KindLeft
	KindChange    = script.KindChange
	KindState     = script.KindState
	KindMigrate   = script.KindMigrate

	CanEdit    = script.CanEdit
	CanDelete  = script.CanDelete
	CanReact   = script.CanReact
	CanType    = script.CanType
	CanRead    = script.CanRead
	CanChange  = script.CanChange
	CanReply   = script.CanReply
	CanThread  = script.CanThread
	CanFormat  = script.CanFormat
	CanMention = script.CanMention
	CanLocate  = script.CanLocate
	CanEmote   = script.CanEmote

	ReactionsOne   = script.ReactionsOne
	ReactionsByID  = script.ReactionsByID
	ReactionsWhole = script.ReactionsWhole
)

// Entry is a line of a ledger, Kind what it is about.
type (
	Entry = ledger.Entry
	Kind  = ledger.Kind
)

// The kinds of lines.
const (
	Accepted     = ledger.Accepted
	Emitted      = ledger.Emitted
	Repeated     = ledger.Repeated
	Rejected     = ledger.Rejected
	Uploaded     = ledger.Uploaded
	Fetched      = ledger.Fetched
	Shown        = ledger.Shown
	Connected    = ledger.Connected
	Subscribed   = ledger.Subscribed
	Disconnected = ledger.Disconnected

	Edited       = ledger.Edited
	Deleted      = ledger.Deleted
	Reacted      = ledger.Reacted
	Unreacted    = ledger.Unreacted
	Typed        = ledger.Typed
	Seen         = ledger.Seen
	Joined       = ledger.Joined
	Left         = ledger.Left
	Changed      = ledger.Changed
	StateChanged = ledger.StateChanged
	Migrated     = ledger.Migrated
)

// Control commands a network. Safe for concurrent use.
type Control struct {
	do func(context.Context, Command) (Result, error)
}

// Do carries out commands, one after another, and stops at the first that fails.
// It gives the last one's result.
func (c Control) Do(ctx context.Context, commands ...Command) (result Result, err error) {
	for i, command := range commands {
		if result, err = c.do(ctx, command); err != nil {
			return result, fmt.Errorf("command %d of %d: %w", i+1, len(commands), err)
		}
	}
	return result, nil
}

// Say has a stranger speak in a channel and returns the message's id.
func (c Control) Say(ctx context.Context, channel, author, text string) (id string, err error) {
	r, err := c.Do(ctx, Command{Say: &Say{Channel: channel, Author: author, Text: text}})
	if err != nil {
		return "", err
	}
	return r.IDs[0], nil
}

// Wait returns when the ledger has count lines of a kind in a channel; an empty
// channel is any.
func (c Control) Wait(ctx context.Context, kind Kind, channel string, count int) error {
	_, err := c.Do(ctx, Command{Wait: &Wait{Kind: string(kind), Channel: channel, Count: count}})
	return err
}

// WaitAccount is Wait for the lines of an account: connected, subscribed, and what
// it sent.
func (c Control) WaitAccount(ctx context.Context, kind Kind, account string, count int) error {
	_, err := c.Do(ctx, Command{Wait: &Wait{Kind: string(kind), Account: account, Count: count}})
	return err
}

// Generate has a stranger say numbered texts and returns when all are said.
func (c Control) Generate(ctx context.Context, g Generate) error {
	_, err := c.Do(ctx, Command{Generate: &g})
	return err
}

// flush makes sure that what has happened so far is in the ledger's file.
func (c Control) flush(ctx context.Context) error {
	_, err := c.Do(ctx, Command{Flush: &script.Flush{}})
	return err
}
