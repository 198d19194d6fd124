package page

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/plughost/plughost/plugins/webchat/internal/clean"
	"github.com/plughost/plughost/plugins/webchat/internal/files"
	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

// kinds are the frames that want something done.
var kinds = map[string]room.Kind{
	"say": room.Said, "edit": room.Edited, "delete": room.Deleted, "react": room.Reacted, "unreact": room.Unreacted,
}

// names are what a page is told of the kinds of changes.
var names = map[room.Kind]string{
	room.Said: "said", room.Edited: "edited", room.Deleted: "deleted", room.Reacted: "reacted", room.Unreacted: "unreacted",
	room.Joined: "joined", room.Left: "left", room.Renamed: "renamed",
}

// publicID is who someone is for others: it doesn't tell the browser's secret.
func publicID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:8])
}

// fromPage begins the Once of what a page does. The person is part of it, so that
// nobody can use up another's ids.
func fromPage(self string) string { return "page:" + self + ":" }

// person is who a page says it is, in one of the rooms.
func (f frame) person(self string, rooms []string) (room.Person, error) {
	if !slices.Contains(rooms, f.Room) {
		return room.Person{}, fmt.Errorf("there is no room %q any more; reload the page", f.Room)
	}
	who := room.Person{ID: self, Name: clean.Name(f.Name)}
	if !room.Visible(who.Name) {
		return room.Person{}, errors.New("the name is empty")
	}
	if utf8.RuneCountInString(who.Name) > maxName {
		return room.Person{}, fmt.Errorf("the name has more than %d characters", maxName)
	}
	return who, nil
}

// toRoom makes a change of what a page wants done. The error is for the person.
func (f frame) toRoom(self string, o Options) (room.Change, error) {
	who, err := f.person(self, o.Rooms)
	if err != nil {
		return room.Change{}, err
	}
	if len(f.Client) < 8 || len(f.Client) > 64 {
		return room.Change{}, errors.New("the page gave this no id; reload it")
	}
	c := room.Change{Kind: kinds[f.Type], Room: f.Room, By: who, About: max(f.Message, 0), Once: fromPage(self) + f.Client}
	switch c.Kind {
	case room.Said, room.Edited:
		if c.Content, err = f.content(o); err != nil {
			return room.Change{}, err
		}
	case room.Reacted:
		if !clean.IsEmoji(f.Emoji) {
			return room.Change{}, errors.New("that is not an emoji")
		}
		c.Emoji = f.Emoji
	case room.Unreacted:
		c.Emoji = f.Emoji
	}
	return c, c.Check()
}

func (f frame) content(o Options) (c room.Content, err error) {
	c.Text = clean.Text(f.Text)
	if rest, emote := strings.CutPrefix(c.Text, "/me "); emote {
		c.Text, c.Emote = strings.TrimSpace(rest), true
	}
	if o.Format != nil {
		c.Segments = o.Format(c.Text)
	}
	if len(f.Files) > room.MaxFiles {
		return c, fmt.Errorf("a message can have %d files", room.MaxFiles)
	}
	for _, a := range f.Files {
		info, err := o.Files.Info(a.Hash)
		if errors.Is(err, files.ErrNone) {
			return c, room.ErrNoFile
		}
		if err != nil {
			return c, errors.New("a file could not be read")
		}
		c.Files = append(c.Files, room.File{
			Hash: info.Hash, Type: info.Type, Size: info.Size, Width: info.Width, Height: info.Height,
			Name: clean.FileName(a.Name), Alt: clean.Words(a.Alt, room.MaxWords),
		})
	}
	return c, nil
}

// fromChange makes what a page is sent of a change.
func fromChange(c room.Change, self string) change {
	sent := change{Row: c.Row, Kind: names[c.Kind], By: person{c.By.ID, c.By.Name}, Emoji: c.Emoji}
	if client, own := strings.CutPrefix(c.Once, fromPage(self)); own {
		sent.Client = client
	}
	switch c.Kind {
	case room.Said:
		m := fromMessage(room.Message{Change: c, IsDeleted: c.Empty()}, self)
		sent.Message = &m
	case room.Edited:
		m := fromMessage(room.Message{Change: c}, self)
		sent.About, sent.Message = c.About, &m
	default:
		sent.About = c.About
	}
	return sent
}

// fromMessage makes what a page is sent of a message as it stands.
func fromMessage(m room.Message, self string) message {
	sent := message{
		Row: m.Row, AuthorID: m.By.ID, Author: m.By.Name, Avatar: m.Avatar, Bridged: m.By.Origin == room.Bridge, Foreign: m.By.Origin != room.Page,
		Text: m.Text, Segments: m.Segments, Emote: m.Emote, Time: m.Time.UnixMilli(), Edited: m.Edited != 0, Deleted: m.IsDeleted,
	}
	for _, f := range m.Files {
		sent.Files = append(sent.Files, file{File: f, Shown: files.Shown(f.Type)})
	}
	if m.Quote != nil {
		sent.Reply = &reply{Row: m.About, Author: m.Quote.By.Name, Text: m.Quote.Text}
	}
	for _, r := range m.Reactions {
		sent.Reactions = append(sent.Reactions, reaction{Emoji: r.Emoji, By: people(r.By)})
	}
	if client, own := strings.CutPrefix(m.Once, fromPage(self)); own {
		sent.Client = client
	}
	return sent
}

func people(all []room.Person) (sent []person) {
	for _, p := range all {
		sent = append(sent, person{p.ID, p.Name})
	}
	return sent
}
