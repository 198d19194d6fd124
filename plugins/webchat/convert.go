package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
	"github.com/plughost/plughost/sdk/go/text/markdown"
)

// ours begins the Once of what this plug did. What people do on the page has another
// beginning, so nobody can do something in our name.
const ours = "operation:"

// id boxes a row number: ids are strings everywhere else.
func id(row int64) string { return strconv.FormatInt(row, 10) }

// row unboxes the id of a message; 0, which no message has, if it is none of ours.
func row(r *plugv1.Receipt) int64 {
	row, err := strconv.ParseInt(r.GetId(), 10, 64)
	if err != nil {
		return 0
	}
	return row
}

func cursor(room string, row int64) plug.Cursor {
	return plug.Cursor{Scope: room, Value: strconv.AppendInt(nil, row, 10)}
}

func parseCursor(value []byte) (row int64, err error) {
	return strconv.ParseInt(string(value), 10, 64)
}

// bridged is somebody of another network as the page knows them. The id has another
// beginning than those of people on the page; and it is a hash, for their own ids may
// be as long as an id may be, and are no business of whoever looks at the page.
func bridged(a *plugv1.Author) room.Person {
	if a == nil { // the host itself, on nobody's behalf
		return room.Person{ID: "plughost", Name: "plughost", Origin: room.Host}
	}
	sum := sha256.Sum256([]byte(cmp.Or(a.GetUser().GetId(), a.GetFormattedName())))
	return room.Person{ID: "bridged:" + hex.EncodeToString(sum[:8]), Name: fitting(a.GetFormattedName()), Origin: room.Bridge}
}

// user is a person as the host knows them.
func user(p room.Person) *plugv1.User { return &plugv1.User{Id: p.ID, DisplayName: p.Name} }

// fitting is a name as the store takes it. One that is too long, or that nobody can
// see, is no reason to refuse what was said.
func fitting(name string) string {
	if !room.Visible(name) {
		return "someone"
	}
	if runes := []rune(name); len(runes) > room.MaxName {
		return string(runes[:room.MaxName])
	}
	return name
}

// content is what we are asked to say, as the network knows it.
func (w *webchat) content(p *plug.Part) (room.Content, error) {
	taken, words, err := w.takeFiles(p.Attachments)
	if err != nil {
		return room.Content{}, err
	}
	c := room.Content{Text: p.Text, Segments: segments(p.Content), Files: taken, Emote: p.Emote}
	for _, said := range words {
		longer := strings.TrimPrefix(c.Text+"\n"+said, "\n")
		if utf8.RuneCountInString(longer) > room.MaxText {
			break
		}
		if c.Text = longer; c.Segments != nil {
			c.Segments = append(c.Segments, room.Segment{Text: "\n" + said})
		}
	}
	return c, nil
}

// segments are a text's formatting; nil if it has none.
func segments(t *plugv1.Text) (all []room.Segment) {
	for _, s := range t.GetSegments() {
		all = append(all, room.Segment{
			Text: s.GetText(), Bold: s.GetBold(), Italic: s.GetItalic(), Underline: s.GetUnderline(), Strike: s.GetStrike(), Code: s.GetCode(),
			Block: s.GetPreformatted() != nil, Language: s.GetPreformatted().GetLanguage(), Link: s.GetLink(),
			Mention: s.GetMention() != nil || s.GetMassMention() != plugv1.MassMention_MASS_MENTION_UNSPECIFIED,
		})
	}
	if !slices.ContainsFunc(all, func(s room.Segment) bool { return s != room.Segment{Text: s.Text} }) {
		return nil
	}
	return all
}

// text is a message's words as the host knows them.
func text(c room.Content) *plugv1.Text {
	if len(c.Segments) == 0 {
		return plug.NewText(c.Text)
	}
	t := &plugv1.Text{}
	for _, s := range c.Segments {
		segment := &plugv1.Segment{Text: s.Text, Bold: s.Bold, Italic: s.Italic, Underline: s.Underline, Strike: s.Strike, Code: s.Code, Link: s.Link}
		if s.Block {
			segment.Preformatted = &plugv1.Preformatted{Language: s.Language}
		}
		t.Segments = append(t.Segments, segment)
	}
	return t
}

// emoji is a reaction as the page shows it; "" if it can't.
func emoji(r *plugv1.Reaction) string {
	if name := r.GetName(); r.GetCustom() != "" && room.Visible(name) && len(name) <= room.MaxEmoji-2 {
		return ":" + name + ":"
	}
	return r.GetEmoji()
}

// Where an event goes: into the queue, or into an answer about the history.
const (
	inQueue = iota
	inHistory
)

// event is a change as the host knows it; nil if it has no word for it, or if there
// is nothing left to tell.
func (w *webchat) event(c room.Change, where int) (*plugv1.Event, error) {
	own, noFiles := plugv1.Own_OWN_NO, ""
	operation, isOurs := strings.CutPrefix(c.Once, ours)
	switch {
	case isOurs:
		own, noFiles = plugv1.Own_OWN_YES, "it came from the host"
	case where == inHistory: // nobody would take it out of the spool
		noFiles = "it is not read again"
	}
	var e *plugv1.Event
	switch c.Kind {
	case room.Said:
		// What was deleted since never needs to be told; but the host waits for what
		// it put itself.
		if c.Empty() && !isOurs {
			return nil, nil
		}
		e = plug.NewMessage(c.Room, id(c.Row), "", own)
		e.Author = user(c.By)
		m := e.GetMessage()
		if c.Quote != nil {
			m.ReplyTo = &plugv1.Reply{MessageId: id(c.About), Author: user(c.Quote.By), Text: plug.NewText(c.Quote.Text)}
		}
		if err := w.fill(m, c.Content, noFiles); err != nil {
			return nil, err
		}
	case room.Edited:
		if c.Empty() && !isOurs {
			return nil, nil
		}
		e = plug.NewEdit(c.Room, id(c.About), "", own)
		e.Author, e.GetEdit().Revision = user(c.By), id(c.Row)
		if err := w.fill(e.GetEdit().GetContent(), c.Content, noFiles); err != nil {
			return nil, err
		}
	case room.Deleted:
		e = plug.NewDelete(c.Room, id(c.About), own)
		e.Author = user(c.By)
	case room.Reacted:
		e = plug.NewReactionAdded(c.Room, id(c.About), plug.Emoji(c.Emoji), own)
		e.Actor = user(c.By)
	case room.Unreacted:
		e = plug.NewReactionRemoved(c.Room, id(c.About), plug.Emoji(c.Emoji), own)
		e.Actor = user(c.By)
	case room.Joined:
		e = plug.NewMembersJoined(c.Room, []*plugv1.User{user(c.By)}, own)
	case room.Left:
		e = plug.NewMembersLeft(c.Room, []*plugv1.User{user(c.By)}, "", own)
	default:
		return nil, nil
	}
	if isOurs {
		e.OperationId = operation
	}
	if c.Kind != room.Said { // whose id the SDK derives from that of the message
		e.EventId = "row:" + id(c.Row)
	}
	e.Time = timestamppb.New(c.Time)
	return e, nil
}

// fill fills a message; noFiles says why the bytes of its files are not given.
func (w *webchat) fill(m *plugv1.Message, c room.Content, noFiles string) (err error) {
	m.Text, m.Emote = text(c), c.Emote
	m.Attachments, err = w.giveFiles(c.Files, noFiles)
	return err
}

// formatted is the formatting in what somebody typed on the page; nil if there is
// none.
func formatted(typed string) []room.Segment { return segments(markdown.Format{}.Parse(typed)) }
