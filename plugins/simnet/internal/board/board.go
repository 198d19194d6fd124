package board

import (
	"slices"

	"github.com/plughost/plughost/plugins/simnet/internal/script"
)

// Keep is how many messages are kept.
const Keep = 100_000

// Message is a message as it stands.
type Message struct {
	// AuthorID and Author are who wrote it, Account the account that sent it.
	AuthorID, Author, Account string
	Text                      string
	// Revision counts its edits.
	Revision int
	// Felt are the reactions to it, oldest first.
	Felt []Felt

	deleted bool
}

// Felt is one reaction.
type Felt struct {
	Who, Reaction string
	// ID is the reaction's own.
	ID string
}

// key names a message.
type key struct{ channel, id string }

// Board holds messages. The zero value is empty.
type Board struct {
	messages map[key]*Message
	ring     []key // grows up to Keep, then wraps
	next     int
}

// Add puts a message on the board.
func (b *Board) Add(channel, id string, m *Message) {
	if b.messages == nil {
		b.messages = map[key]*Message{}
	}
	k := key{channel, id}
	if b.messages[k] != nil {
		return // it is said again, and is what it was
	}
	if len(b.ring) < Keep {
		b.ring = append(b.ring, k)
	} else {
		delete(b.messages, b.ring[b.next])
		b.ring[b.next] = k
		b.next = (b.next + 1) % Keep
	}
	b.messages[k] = m
}

// Find returns a message that is there; nil for one that is deleted or forgotten.
func (b *Board) Find(channel, id string) *Message {
	if m := b.messages[key{channel, id}]; m != nil && !m.deleted {
		return m
	}
	return nil
}

// Deed is what somebody does to a message.
type Deed struct {
	Kind script.Kind
	// Who does it: an author's id.
	Who  string
	Text string
	// Reaction is added or removed, ReactionID its own id.
	Reaction, ReactionID string
	// Reactions is a whole set.
	Reactions []string
}

// Rights are what an account may do.
type Rights struct {
	Account      string
	Moderates    bool
	MaxReactions int
}

// Check says what speaks against a deed of an account; empty: nothing.
func (m *Message) Check(d *Deed, r Rights) (script.Verdict, string) {
	switch d.Kind {
	case script.KindEdit:
		if m.Account != r.Account {
			return script.Refused, "it is not your message"
		}
	case script.KindDelete:
		if m.Account != r.Account && !r.Moderates {
			return script.Refused, "it is not your message, and you are no moderator"
		}
	case script.KindReact:
		own := m.By(d.Who)
		if slices.Contains(own, d.Reaction) {
			return script.Already, ""
		}
		if r.MaxReactions > 0 && len(own) >= r.MaxReactions {
			return script.Refused, "there are too many reactions of yours"
		}
	case script.KindUnreact:
		if m.find(d) < 0 {
			return script.Already, ""
		}
	case script.KindReactions:
		if r.MaxReactions > 0 && len(d.Reactions) > r.MaxReactions {
			return script.Refused, "there are too many reactions of yours"
		}
		if added, removed := m.difference(d); len(added)+len(removed) == 0 {
			return script.Already, ""
		}
	}
	return "", ""
}

// Change is one reaction that came or went.
type Change struct {
	Felt
	Removed bool
}

// Do does it. The reactions that changed by it are returned; id is that of a new one.
func (m *Message) Do(d *Deed, id string) (changes []Change) {
	switch d.Kind {
	case script.KindEdit:
		m.Text = d.Text
		m.Revision++
	case script.KindDelete:
		m.deleted = true
	case script.KindReact:
		if !slices.Contains(m.By(d.Who), d.Reaction) {
			changes = append(changes, m.add(Felt{d.Who, d.Reaction, id}))
		}
	case script.KindUnreact:
		if i := m.find(d); i >= 0 {
			changes = append(changes, m.remove(i))
		}
	case script.KindReactions:
		added, removed := m.difference(d)
		for _, r := range removed {
			changes = append(changes, m.remove(m.find(&Deed{Who: d.Who, Reaction: r})))
		}
		for _, r := range added {
			changes = append(changes, m.add(Felt{d.Who, r, id}))
		}
	}
	return changes
}

// By lists somebody's reactions.
func (m *Message) By(who string) (reactions []string) {
	for _, f := range m.Felt {
		if f.Who == who {
			reactions = append(reactions, f.Reaction)
		}
	}
	return reactions
}

func (m *Message) add(f Felt) Change {
	m.Felt = append(m.Felt, f)
	return Change{Felt: f}
}

func (m *Message) remove(i int) Change {
	f := m.Felt[i]
	m.Felt = slices.Delete(m.Felt, i, i+1)
	return Change{f, true}
}

// find finds the reaction that a deed is about: by its own id where it has that.
func (m *Message) find(d *Deed) int {
	return slices.IndexFunc(m.Felt, func(f Felt) bool {
		if d.ReactionID != "" {
			return f.Who == d.Who && f.ID == d.ReactionID
		}
		return f.Who == d.Who && f.Reaction == d.Reaction
	})
}

func (m *Message) difference(d *Deed) (added, removed []string) {
	own := m.By(d.Who)
	for _, r := range d.Reactions {
		if !slices.Contains(own, r) && !slices.Contains(added, r) {
			added = append(added, r)
		}
	}
	for _, r := range own {
		if !slices.Contains(d.Reactions, r) {
			removed = append(removed, r)
		}
	}
	return added, removed
}
