package room

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits, in Unicode code points where nothing else is said.
const (
	// MaxText is the longest text.
	MaxText = 4000
	// MaxName is the longest name of a person. One that came over a bridge is longer
	// than what a person may type: it often names the network too.
	MaxName = 256
	// MaxFiles is the most files of one message.
	MaxFiles = 10
	// MaxWords bounds a file's name and its description.
	MaxWords = 500
	// MaxEmoji is the longest reaction, in bytes: a family has 25, a flag 28.
	MaxEmoji = 64
	// maxDetails bounds what a message has beside its text, in bytes as stored.
	maxDetails = 128 << 10
)

// Origin is where something was done.
type Origin int

// The origins.
const (
	Page   Origin = iota // by a person on the page
	Bridge               // by a person on another network, put here by the plug
	Host                 // by the host itself, on nobody's behalf
)

// Person is whoever does something.
type Person struct {
	// ID stays the same over renames; Name is what is shown.
	ID, Name string
	Origin   Origin
}

// Content is what a message says.
type Content struct {
	// Text as it was written. On the page that is with the signs of its formatting.
	Text string `json:"-"`
	// Segments are the same text with its formatting done; empty: there is none.
	Segments []Segment `json:"segments,omitempty"`
	Files    []File    `json:"files,omitempty"`
	// Emote is true for what its author does rather than says.
	Emote bool `json:"emote,omitempty"`
	// Avatar is the hash of its author's picture, an image that a browser may show;
	// empty: there is none.
	Avatar string `json:"avatar,omitempty"`
}

// Hashes are the files that it needs, each by its hash.
func (c Content) Hashes() (all []string) {
	for _, f := range c.Files {
		all = append(all, f.Hash)
	}
	if c.Avatar != "" {
		all = append(all, c.Avatar)
	}
	return all
}

// Segment is a run of text with one formatting.
type Segment struct {
	Text      string `json:"text"`
	Bold      bool   `json:"bold,omitempty"`
	Italic    bool   `json:"italic,omitempty"`
	Underline bool   `json:"underline,omitempty"`
	Strike    bool   `json:"strike,omitempty"`
	Code      bool   `json:"code,omitempty"`
	// Block is a block of preformatted lines, in Language if that is known.
	Block    bool   `json:"block,omitempty"`
	Language string `json:"language,omitempty"`
	Link     string `json:"link,omitempty"`
	Mention  bool   `json:"mention,omitempty"`
}

// File is a file of a message. Its bytes are elsewhere, under their hash.
type File struct {
	Hash string `json:"hash"` // SHA-256, in hexadecimal
	Name string `json:"name"`
	Type string `json:"type"` // media type, as found out from the bytes
	Size int64  `json:"size"`
	// Width and Height are set for an image that a browser may show, in pixels.
	Width  int `json:"width,omitempty"`
	Height int `json:"height,omitempty"`
	// Alt is words for those who don't see it.
	Alt string `json:"alt,omitempty"`
}

// Empty is true for what says nothing: a deleted message is left like this.
func (c Content) Empty() bool { return !Visible(c.Text) && len(c.Files) == 0 }

// Plain is the text as it is read, without signs of formatting.
func (c Content) Plain() string {
	if len(c.Segments) == 0 {
		return c.Text
	}
	var b strings.Builder
	for _, s := range c.Segments {
		b.WriteString(s.Text)
	}
	return b.String()
}

func (c Content) check() error {
	switch {
	case c.Empty():
		return errors.New("the message is empty")
	case utf8.RuneCountInString(c.Text) > MaxText:
		return fmt.Errorf("the message has more than %d characters", MaxText)
	case len(c.Files) > MaxFiles:
		return fmt.Errorf("the message has more than %d files", MaxFiles)
	}
	for _, f := range c.Files {
		if utf8.RuneCountInString(f.Name) > MaxWords || utf8.RuneCountInString(f.Alt) > MaxWords {
			return fmt.Errorf("the name or description of a file has more than %d characters", MaxWords)
		}
	}
	details, err := c.Details()
	if err == nil && len(details) > maxDetails {
		err = errors.New("the message has too much formatting")
	}
	return err
}

// Details is what is stored beside the text; "" for a plain one.
func (c Content) Details() (string, error) {
	if len(c.Segments) == 0 && len(c.Files) == 0 && !c.Emote && c.Avatar == "" {
		return "", nil
	}
	b, err := json.Marshal(c)
	return string(b), err
}

func (p Person) check() error {
	switch {
	case !Visible(p.Name):
		return errors.New("the name is empty")
	case utf8.RuneCountInString(p.Name) > MaxName:
		return fmt.Errorf("the name has more than %d characters", MaxName)
	}
	return nil
}

// Visible says whether anything of a text can be seen: neither spaces nor
// zero-width characters can.
func Visible(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) })
}
