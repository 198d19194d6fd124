package page

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

// Caps of what a page sends.
const (
	// maxFrame is the largest frame, in bytes: a text of room.MaxText code points in
	// JSON, and some room.
	maxFrame = 32 << 10
	// maxRows is the most rooms that a hello names.
	maxRows = 1000
	// maxName is the longest name that may be typed, in Unicode code points.
	maxName = 64
)

// frame is what a page sends. The first is a hello; later ones say something, or
// only that the page is alive.
type frame struct {
	Type string `json:"type"` // "hello", "say" or "alive"

	// hello: a secret of the browser's, by which a person stays the same; and the
	// chat that the page was at, with the last row it has of each room there.
	Token string           `json:"token"`
	Chat  string           `json:"chat"`
	Rows  map[string]int64 `json:"rows"`

	// say: where, as whom, what, and the page's own id of the message.
	Room   string `json:"room"`
	Name   string `json:"name"`
	Text   string `json:"text"`
	Client string `json:"client"`
}

// answer is what a page is sent: a welcome, messages up to the present, caught_up,
// then messages as they come, what was refused, and alive at each beat.
type answer struct {
	Type string `json:"type"` // "welcome", "messages", "caught_up", "refused" or "alive"

	// welcome: where the page is, and who it is.
	Chat  string   `json:"chat,omitempty"`
	Title string   `json:"title,omitempty"`
	Rooms []string `json:"rooms,omitempty"`
	Self  string   `json:"self,omitempty"`

	// messages: of one room.
	Room     string    `json:"room,omitempty"`
	Messages []message `json:"messages,omitempty"`

	// refused: the page's own id of what it said, and why not.
	Client string `json:"client,omitempty"`
	Reason string `json:"reason,omitempty"`
}

type message struct {
	Row      int64  `json:"row"`
	AuthorID string `json:"author_id"`
	Author   string `json:"author"`
	Bridged  bool   `json:"bridged,omitempty"`
	Text     string `json:"text"`
	Time     int64  `json:"time"`             // Unix milliseconds
	Client   string `json:"client,omitempty"` // only to the page that said it
}

// parse reads a frame: foreign bytes.
func parse(data []byte) (f frame, err error) {
	if err := json.Unmarshal(data, &f); err != nil {
		return frame{}, fmt.Errorf("read the page's frame: %w", err)
	}
	if len(f.Rows) > maxRows {
		return frame{}, errors.New("read the page's frame: it names too many rooms")
	}
	return f, nil
}

// publicID is who someone is for others: it doesn't tell the browser's secret.
func publicID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:8])
}

// fromPage begins the Once of what a page says. The person is part of it, so that
// nobody can use up another's ids.
func fromPage(self string) string { return "page:" + self + ":" }

// toRoom makes a message of what a page says. The error is for the person.
func (f frame) toRoom(self string, rooms []string) (room.Message, error) {
	if !slices.Contains(rooms, f.Room) {
		return room.Message{}, fmt.Errorf("there is no room %q any more; reload the page", f.Room)
	}
	if len(f.Client) < 8 || len(f.Client) > 64 {
		return room.Message{}, errors.New("the page gave the message no id; reload it")
	}
	m := room.Message{Room: f.Room, AuthorID: self, Author: cleanName(f.Name), Text: cleanText(f.Text), Once: fromPage(self) + f.Client}
	if utf8.RuneCountInString(m.Author) > maxName {
		return room.Message{}, fmt.Errorf("the name has more than %d characters", maxName)
	}
	return m, m.Check()
}

// fromRoom makes what a page is sent of a message.
func fromRoom(m room.Message, self string) message {
	sent := message{Row: m.Row, AuthorID: m.AuthorID, Author: m.Author, Bridged: m.Bridged, Text: m.Text, Time: m.Time.UnixMilli()}
	if client, own := strings.CutPrefix(m.Once, fromPage(self)); own {
		sent.Client = client
	}
	return sent
}

// cleanName makes one line of a name, in which nothing turns the direction of what
// stands behind it.
func cleanName(name string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Noncharacter_Code_Point, r):
			return -1
		}
		return r
	}, name)), " ")
}

// cleanText keeps lines and tabs, and drops the other control characters and what
// is no character at all.
func cleanText(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	return strings.TrimRightFunc(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Noncharacter_Code_Point, r) {
			return -1
		}
		return r
	}, text), unicode.IsSpace)
}
