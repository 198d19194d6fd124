package simplug

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"

	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
	"github.com/plughost/plughost/sdk/go/plug"
)

// ConstantSource is the source of all messages of an account without channels.
const ConstantSource = "simnet"

// source is the host's name of a channel, wireName the network's.
func (l *line) source(channel string) string {
	if l.login.Settings.NoChannels {
		return ConstantSource
	}
	return channel
}

func (l *line) wireName(source string) string {
	if l.login.Settings.NoChannels {
		return ""
	}
	return source
}

// scope is the cursor's scope of a channel.
func (l *line) scope(channel string) string {
	if l.login.Settings.CursorScope == script.CursorAccount {
		return ""
	}
	return l.source(channel)
}

// scopes are all scopes in use, each once.
func (l *line) scopes() (scopes []string) {
	seen := map[string]bool{}
	for _, c := range l.login.Channels {
		joined := c.State == script.StateJoined || c.State == script.StateReadOnly
		if scope := l.scope(c.Name); joined && !seen[scope] {
			seen[scope] = true
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// cursor is a position as the host keeps it: with the time, so that a gap can say
// since when.
func (l *line) cursor(scope string, position uint64, at time.Time) plug.Cursor {
	value := strconv.AppendInt(nil, at.UnixMilli(), 10)
	value = append(value, '/')
	value = append(value, l.login.Epoch...)
	value = append(value, '.')
	return plug.Cursor{Scope: scope, Value: strconv.AppendUint(value, position, 10)}
}

// parseCursor takes a value of cursor apart; the network judges what is left.
func parseCursor(value []byte) (at time.Time, cursor string) {
	milli, cursor, _ := strings.Cut(string(value), "/")
	if n, err := strconv.ParseInt(milli, 10, 64); err == nil {
		at = time.UnixMilli(n)
	}
	return at, cursor
}

// echoKey is what an echo is known by inside a running Put: the operation id where
// the network shows it, else channel and text.
func (l *line) echoKey(operationID, source, text string) string {
	if l.login.Settings.Echo == script.EchoOwn || operationID == "" {
		return source + "\n" + text
	}
	return operationID
}

func own(o script.Own) plugv1.Own {
	switch o {
	case script.OwnYes:
		return plugv1.Own_OWN_YES
	case script.OwnNo:
		return plugv1.Own_OWN_NO
	case script.OwnUnknown:
		return plugv1.Own_OWN_UNKNOWN
	default:
		return plugv1.Own_OWN_UNSPECIFIED
	}
}

// abilities are what an account's settings allow.
func abilities(s script.Account) *plugv1.Abilities {
	a := &plugv1.Abilities{
		Echo:       plugv1.Echo_ECHO_OPERATION_ID,
		Resumable:  s.Resume != script.ResumeNo,
		AuthorMode: plugv1.AuthorMode_AUTHOR_MODE_NATIVE,
		Limits:     &plugv1.Limits{TextLength: uint32(s.TextLength), TextUnit: plugv1.LengthUnit_LENGTH_UNIT_BYTES},
	}
	switch s.Echo {
	case script.EchoOwn:
		a.Echo = plugv1.Echo_ECHO_OWN
	case script.EchoNone:
		a.Echo = plugv1.Echo_ECHO_NONE
	}
	if s.TextAuthors {
		a.AuthorMode = plugv1.AuthorMode_AUTHOR_MODE_TEXT
	}
	if s.Idempotent > 0 {
		a.IdempotentPut = &plugv1.IdempotentPut{Window: durationpb.New(time.Duration(s.Idempotent))}
	}
	if s.MaxSilence > 0 {
		a.MaxSilence = durationpb.New(time.Duration(s.MaxSilence))
	}
	if s.PutTimeout > 0 {
		a.Limits.PutTimeout = durationpb.New(time.Duration(s.PutTimeout))
	}
	a.Limits.Reactions = uint32(s.MaxReactions)
	a.Actions = append(a.Actions, plugv1.ActionKind_ACTION_KIND_MESSAGE)
	for _, can := range actions {
		if s.Can(can.ability) {
			a.Actions = append(a.Actions, can.kinds...)
		}
	}
	for _, can := range features {
		if s.Can(can.ability) {
			a.Features = append(a.Features, can.feature)
		}
	}
	return a
}

var actions = []struct {
	ability script.Ability
	kinds   []plugv1.ActionKind
}{
	{script.CanEdit, []plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_EDIT}},
	{script.CanDelete, []plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_DELETE}},
	{script.CanReact, []plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_REACTION_ADDED, plugv1.ActionKind_ACTION_KIND_REACTION_REMOVED}},
	{script.CanChange, []plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_CHANNEL_CHANGED}},
	{script.CanType, []plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_TYPING}},
	{script.CanRead, []plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_READ_MARKER}},
}

var features = []struct {
	ability script.Ability
	feature plugv1.Feature
}{
	{script.CanFormat, plugv1.Feature_FEATURE_FORMATTING},
	{script.CanMention, plugv1.Feature_FEATURE_MENTION},
	{script.CanReply, plugv1.Feature_FEATURE_REPLY},
	{script.CanThread, plugv1.Feature_FEATURE_THREAD},
	{script.CanLocate, plugv1.Feature_FEATURE_LOCATION},
	{script.CanEmote, plugv1.Feature_FEATURE_EMOTE},
}

// status is the state of a channel as the host takes it.
func (l *line) status(c wire.ChannelStatus) *plugv1.ChannelStatus {
	return &plugv1.ChannelStatus{Requested: c.Requested, Source: l.source(c.Name), Reason: c.Reason, State: channelState(c.State)}
}

func channelState(s script.State) plugv1.ChannelState {
	switch s {
	case script.StatePending:
		return plugv1.ChannelState_CHANNEL_STATE_PENDING
	case script.StateReadOnly:
		return plugv1.ChannelState_CHANNEL_STATE_READ_ONLY
	case script.StateDenied:
		return plugv1.ChannelState_CHANNEL_STATE_DENIED
	case script.StateNotFound:
		return plugv1.ChannelState_CHANNEL_STATE_NOT_FOUND
	default:
		return plugv1.ChannelState_CHANNEL_STATE_JOINED
	}
}
