package page

import (
	"encoding/json"
	"errors"
	"fmt"

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

// frame is what a page sends. The first is a hello; later ones want something done
// ("say", "edit", "delete", "react", "unreact"), or tell how it is now ("enter",
// "typing"), or ask for older messages ("older"), or say only that the page is alive.
type frame struct {
	Type string `json:"type"`

	// hello: a secret of the browser's, by which a person stays the same; and the
	// chat that the page was at, with the last row it has of each room there.
	Token string           `json:"token,omitempty"`
	Chat  string           `json:"chat,omitempty"`
	Rows  map[string]int64 `json:"rows,omitempty"`

	// All others: where, and as whom. To enter is to look at a room under a name.
	Room string `json:"room,omitempty"`
	Name string `json:"name,omitempty"`

	// What is to be done: the page's own id of it; what is said; and the row of the
	// message that is answered, changed, or reacted to.
	Client  string     `json:"client,omitempty"`
	Text    string     `json:"text,omitempty"`
	Files   []attached `json:"files,omitempty"`
	Message int64      `json:"message,omitempty"`
	Emoji   string     `json:"emoji,omitempty"`

	// typing: whether the person is.
	Typing bool `json:"typing,omitempty"`
	// older: the messages before this row.
	Before int64 `json:"before,omitempty"`
}

// attached is a file that was uploaded before.
type attached struct {
	Hash string `json:"hash"`
	Name string `json:"name"`
	Alt  string `json:"alt,omitempty"`
}

// answer is what a page is sent: a welcome, of each room its members and its history
// or changes up to the present, caught_up, then changes as they come. "done" and
// "refused" answer what the page wants done, "locked" a page without the password;
// alive comes at each beat.
type answer struct {
	Type string `json:"type"`

	// welcome: where the page is, who it is, and what it may upload, in bytes.
	Chat    string   `json:"chat,omitempty"`
	Title   string   `json:"title,omitempty"`
	Rooms   []string `json:"rooms,omitempty"`
	Self    string   `json:"self,omitempty"`
	MaxFile int64    `json:"max_file,omitempty"`

	// All that follow: of one room.
	Room string `json:"room,omitempty"`
	// members: who is there; typing: who is writing. All of them.
	People []person `json:"people,omitempty"`
	// history: messages as they stand; More says that there are older ones, Before is
	// what was asked for: 0 at first.
	Messages []message `json:"messages,omitempty"`
	More     bool      `json:"more,omitempty"`
	Before   int64     `json:"before,omitempty"`
	// Row is what a first history makes the last row that the page has.
	Row int64 `json:"row,omitempty"`
	// changes: what happened.
	Changes []change `json:"changes,omitempty"`

	// done, refused: the page's own id, and why not.
	Client string `json:"client,omitempty"`
	Reason string `json:"reason,omitempty"`
}

type person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// change is one row of the log.
type change struct {
	Row  int64  `json:"row"`
	Kind string `json:"kind"`
	// By is who did it.
	By person `json:"by"`
	// About is the message that it is about, Message is what is said, now or newly.
	About   int64    `json:"about,omitempty"`
	Message *message `json:"message,omitempty"`
	Emoji   string   `json:"emoji,omitempty"`
	Client  string   `json:"client,omitempty"` // only to the page that did it
}

type message struct {
	Row      int64          `json:"row"`
	AuthorID string         `json:"author_id"`
	Author   string         `json:"author"`
	Avatar   string         `json:"avatar,omitempty"` // the hash of the author's picture
	Bridged  bool           `json:"bridged,omitempty"`
	Foreign  bool           `json:"foreign,omitempty"` // nobody on the page may change it
	Text     string         `json:"text"`
	Segments []room.Segment `json:"segments,omitempty"`
	Files    []file         `json:"files,omitempty"`
	Emote    bool           `json:"emote,omitempty"`
	Time     int64          `json:"time"` // Unix milliseconds
	Reply    *reply         `json:"reply,omitempty"`
	Edited   bool           `json:"edited,omitempty"`
	Deleted  bool           `json:"deleted,omitempty"`
	// Reactions are in a message as it stands; changes tell of each.
	Reactions []reaction `json:"reactions,omitempty"`
	Client    string     `json:"client,omitempty"` // only to the page that said it
}

type file struct {
	room.File
	Shown bool `json:"shown,omitempty"` // an image that the page may show
}

type reply struct {
	Row    int64  `json:"row"`
	Author string `json:"author"`
	Text   string `json:"text,omitempty"`
}

type reaction struct {
	Emoji string   `json:"emoji"`
	By    []person `json:"by"`
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
