package room

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	name, text := strings.Repeat("ö", MaxName), strings.Repeat("é", MaxText)
	change := func(kind Kind, name, text, emoji string, files ...File) Change {
		return Change{Kind: kind, By: Person{Name: name}, Content: Content{Text: text, Files: files}, Emoji: emoji}
	}
	for what, c := range map[string]Change{
		"the longest text and name": change(Said, name, text, ""),
		"only a file":               change(Said, "Ann", "", "", File{}),
		"the longest edit":          change(Edited, "Ann", text, ""),
		"a family":                  change(Reacted, "Ann", "", "👨‍👩‍👧‍👦"),
		"a deletion":                change(Deleted, "Ann", "", ""),
	} {
		if err := c.Check(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, c := range map[string]Change{
		"empty":                  change(Said, "Ann", " \n", ""),
		"zero-width":             change(Said, "Ann", "\u200b\u2060", ""),
		"too long":               change(Said, "Ann", text+"é", ""),
		"an empty edit":          change(Edited, "Ann", " ", ""),
		"no name":                change(Said, "\u3000", "x", ""),
		"a name of marks":        change(Said, "\u200d\u200e", "x", ""),
		"a name that is long":    change(Joined, name+"ö", "", ""),
		"too many files":         change(Said, "Ann", "", "", make([]File, MaxFiles+1)...),
		"a long file name":       change(Said, "Ann", "", "", File{Name: strings.Repeat("x", MaxWords+1)}),
		"no reaction":            change(Reacted, "Ann", "", "\u200d"),
		"a long reaction":        change(Unreacted, "Ann", "", strings.Repeat("x", MaxEmoji+1)),
		"formatting without end": {Kind: Said, By: Person{Name: "Ann"}, Content: Content{Text: "x", Segments: make([]Segment, 1<<14)}},
	} {
		if c.Check() == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestPlain(t *testing.T) {
	c := Content{Text: "**so**", Segments: []Segment{{Text: "so", Bold: true}}}
	if got := c.Plain(); got != "so" {
		t.Errorf("got %q", got)
	}
	if got := (Content{Text: "so"}).Plain(); got != "so" {
		t.Errorf("got %q", got)
	}
}
