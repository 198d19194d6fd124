package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// ours begins the Once of a message that this plug put. What people say on the page
// has another beginning, so nobody can say something in our name.
const ours = "operation:"

// messageID boxes a row number: ids are strings everywhere else.
func messageID(row int64) string { return strconv.FormatInt(row, 10) }

func cursor(room string, row int64) plug.Cursor {
	return plug.Cursor{Scope: room, Value: strconv.AppendInt(nil, row, 10)}
}

func parseCursor(value []byte) (row int64, err error) {
	return strconv.ParseInt(string(value), 10, 64)
}

// toRoom is what we are asked to put, as the network knows it.
func toRoom(p *plug.Part) room.Message {
	m := room.Message{
		Room:     p.Channel,
		AuthorID: bridgedID(p.Author),
		Author:   fitting(p.Author.GetFormattedName()),
		Bridged:  true,
		Text:     p.Text,
		Once:     ours + p.OperationID,
	}
	if p.Author == nil { // said by the host itself, on nobody's behalf
		m.AuthorID, m.Author, m.Bridged = "plughost", "plughost", false
	}
	return m
}

// bridgedID tells people of other networks apart. It has another beginning than the
// ids of those on the page; and it is a hash, for their own ids may be as long as an
// id may be, and are no business of whoever looks at the page.
func bridgedID(a *plugv1.Author) string {
	id := cmp.Or(a.GetUser().GetId(), a.GetFormattedName())
	sum := sha256.Sum256([]byte(id))
	return "bridged:" + hex.EncodeToString(sum[:8])
}

// fitting is a name as the store takes it. One that is too long, or that nobody can
// see, is no reason to refuse what was said.
func fitting(name string) string {
	if !room.Visible(name) {
		return "someone"
	}
	if runes := []rune(name); len(runes) > room.MaxAuthor {
		return string(runes[:room.MaxAuthor])
	}
	return name
}

func receipt(m room.Message) *plugv1.Receipt {
	return &plugv1.Receipt{Id: messageID(m.Row), Time: timestamppb.New(m.Time)}
}

// event is a message as the host knows it. One that we put is our own, and says
// which operation it came of.
func event(m room.Message) *plugv1.Event {
	e := plug.NewMessage(m.Room, messageID(m.Row), m.Text, plugv1.Own_OWN_NO)
	e.Time = timestamppb.New(m.Time)
	e.Author = &plugv1.User{Id: m.AuthorID, DisplayName: m.Author}
	if operation, own := strings.CutPrefix(m.Once, ours); own {
		e.Own, e.OperationId = plugv1.Own_OWN_YES, operation
	}
	return e
}
