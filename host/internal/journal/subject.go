package journal

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/plughost/plughost/host/id"
)

// Kinds of records; the first token of every subject.
const (
	kindMeta     = "meta"
	kindInstance = "instance"
	kindEvents   = "ev"
	kindCursor   = "cursor"
	kindGap      = "gap"
	kindMoved    = "moved"
	kindOut      = "out"
	kindPut      = "put"
	kindDone     = "done"
	kindParked   = "parked"
	kindCopy     = "copy"
	kindFrom     = "from"
	kindOriginal = "original"
	kindReacted  = "reacted"
	kindFelt     = "felt"
	kindFeels    = "feels"
	kindKnown    = "known"
	kindAvatar   = "avatar"
	kindRequest  = "request"
)

// token makes a subject's token of any string: base64url without padding, since
// networks, sources and ids may hold dots, spaces and wildcards. An empty string
// is "_", which base64url never gives alone.
func token[S ~string](s S) string {
	if s == "" {
		return "_"
	}
	return base64.RawURLEncoding.EncodeToString([]byte(s))
}

func untoken(t string) (string, error) {
	if t == "_" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(t)
	return string(b), err
}

func subject(tokens ...string) string { return strings.Join(tokens, ".") }

func channelSubject(kind string, c id.Channel) string {
	return subject(kind, token(c.Network), token(c.Source))
}

// parseChannel reads the channel from the last two tokens of a subject.
func parseChannel(s string) (id.Channel, error) {
	t := strings.Split(s, ".")
	if len(t) < 3 {
		return id.Channel{}, fmt.Errorf("subject %q names no channel", s)
	}
	network, err := untoken(t[len(t)-2])
	if err != nil {
		return id.Channel{}, fmt.Errorf("subject %q: %w", s, err)
	}
	source, err := untoken(t[len(t)-1])
	if err != nil {
		return id.Channel{}, fmt.Errorf("subject %q: %w", s, err)
	}
	return id.Channel{Network: id.NetworkID(network), Source: id.ChannelSource(source)}, nil
}

func lastToken(s string) string { return s[strings.LastIndexByte(s, '.')+1:] }
