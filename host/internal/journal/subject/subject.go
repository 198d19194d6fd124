package subject

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/plughost/plughost/host/id"
)

// Kinds of records; the first token of every subject.
const (
	Meta     = "meta"
	Instance = "instance"
	Events   = "ev"
	Cursor   = "cursor"
	Gap      = "gap"
	Moved    = "moved"
	Out      = "out"
	Put      = "put"
	Done     = "done"
	Parked   = "parked"
	Copy     = "copy"
	From     = "from"
	Original = "original"
	Reacted  = "reacted"
	Felt     = "felt"
	Feels    = "feels"
	Known    = "known"
	Avatar   = "avatar"
	Request  = "request"
)

// Names are the names of the kinds of records for people.
var Names = map[string]string{
	Meta: "meta", Instance: "instances", Events: "events", Cursor: "cursors", Gap: "gaps", Moved: "moves",
	Out: "operations", Put: "puts", Done: "progress of hooks", Parked: "parked",
	Copy: "copies", From: "copies by source", Original: "originals", Reacted: "our reactions",
	Felt: "reactions by id", Feels: "reactions by user", Known: "known names", Avatar: "avatars",
	Request: "requests",
}

// Filters of all subjects of the log, and of the map. They must not be changed.
var (
	Log = []string{
		Meta, Instance + ".>", Events + ".>", Cursor + ".>", Gap + ".>", Moved + ".>",
		Out + ".>", Put + ".>", Done + ".>", Parked + ".>",
	}
	Map = []string{
		Copy + ".>", From + ".>", Original + ".>", Reacted + ".>", Felt + ".>", Feels + ".>", Known + ".>", Avatar + ".>",
		Request + ".>",
	}
)

// Token makes a subject's token of any string: base64url without padding, since
// networks, sources and ids may hold dots, spaces and wildcards. An empty string
// is "_", which base64url never gives alone.
func Token[S ~string](s S) string {
	if s == "" {
		return "_"
	}
	return base64.RawURLEncoding.EncodeToString([]byte(s))
}

// Untoken gives back what Token was given.
func Untoken(t string) (string, error) {
	if t == "_" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(t)
	return string(b), err
}

// Join makes a subject, or a filter, of tokens.
func Join(tokens ...string) string { return strings.Join(tokens, ".") }

// Channel is the subject of a channel's records of a kind.
func Channel(kind string, c id.Channel) string {
	return Join(kind, Token(c.Network), Token(c.Source))
}

// ParseChannel reads the channel from the last two tokens of a subject.
func ParseChannel(s string) (id.Channel, error) {
	t := strings.Split(s, ".")
	if len(t) < 3 {
		return id.Channel{}, fmt.Errorf("subject %q names no channel", s)
	}
	network, err := Untoken(t[len(t)-2])
	if err != nil {
		return id.Channel{}, fmt.Errorf("subject %q: %w", s, err)
	}
	source, err := Untoken(t[len(t)-1])
	if err != nil {
		return id.Channel{}, fmt.Errorf("subject %q: %w", s, err)
	}
	return id.Channel{Network: id.NetworkID(network), Source: id.ChannelSource(source)}, nil
}

// LastToken is the last token of a subject.
func LastToken(s string) string { return s[strings.LastIndexByte(s, '.')+1:] }

// Message is the subject of what is known of a message.
func Message(kind string, m id.Message) string {
	return Join(kind, Token(m.Channel.Network), Token(m.Channel.Source), Token(m.ID))
}
