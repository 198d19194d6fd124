package simnettest

import (
	"encoding/json"
	"slices"
	"strings"
)

// Message is a message as a channel shows it in the end.
type Message struct {
	ID string
	// Author is the name shown, Account the account that sent it; empty on a
	// stranger's.
	Author, Account string
	// Text and Rich are what it says now, Edits how often that changed.
	Text  string
	Rich  json.RawMessage
	Edits int
	// ReplyTo and Thread are ids of messages.
	ReplyTo, Thread string
	// Reactions are what is felt about it, oldest first.
	Reactions []Felt
}

// Felt is one reaction: of an account, or of a stranger by name.
type Felt struct{ Reaction, Who string }

// Standing replays a ledger into what a channel shows in the end, in the order in which
// it was said. What was deleted isn't shown.
func Standing(ledger []Entry, channel string) (board []*Message) {
	of := map[string]*Message{}
	for _, e := range ledger {
		if e.Channel != channel {
			continue
		}
		m := of[e.ID]
		who := e.Account
		if who == "" {
			who = e.Author
		}
		switch {
		case e.Kind == Accepted || e.Kind == Emitted:
			m = &Message{ID: e.ID, Author: e.Author, Account: e.Account, Text: e.Text, Rich: e.Rich, ReplyTo: e.ReplyTo, Thread: e.Thread}
			of[e.ID], board = m, append(board, m)
		case m == nil:
		case e.Kind == Edited:
			m.Text, m.Rich, m.Edits = e.Text, e.Rich, m.Edits+1
		case e.Kind == Deleted:
			delete(of, e.ID)
			board = slices.DeleteFunc(board, func(s *Message) bool { return s == m })
		case e.Kind == Reacted:
			m.Reactions = append(m.Reactions, Felt{e.Reaction, who})
		case e.Kind == Unreacted:
			m.Reactions = slices.DeleteFunc(m.Reactions, func(f Felt) bool { return f == Felt{e.Reaction, who} })
		}
	}
	return board
}

// Lines gives each message as a line: `Ann: hello (edited) > "hi" # "root" [👍 Bob]`,
// with the text of what it answers behind ">", and that of its thread's root behind
// "#"; "?" stands for what isn't there.
func Lines(board []*Message) (lines []string) {
	text := func(mark, id string) string {
		if id == "" {
			return ""
		}
		i := slices.IndexFunc(board, func(s *Message) bool { return s.ID == id })
		if i < 0 {
			return " " + mark + " ?"
		}
		return " " + mark + ` "` + board[i].Text + `"`
	}
	for _, s := range board {
		line := s.Author + ": " + s.Text
		if s.Edits > 0 {
			line += " (edited)"
		}
		line += text(">", s.ReplyTo) + text("#", s.Thread)
		for _, f := range s.Reactions {
			line += " [" + f.Reaction + " " + f.Who + "]"
		}
		lines = append(lines, strings.ReplaceAll(line, "\n", "⏎"))
	}
	return lines
}
