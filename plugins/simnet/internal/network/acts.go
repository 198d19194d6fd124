package network

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/plughost/plughost/plugins/simnet/internal/board"
	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// What stands before the other names of a message.
const (
	aliasMark     = "alias:"
	referenceMark = "reference:"
)

// bare is the id behind any name of a message.
func bare(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, aliasMark), referenceMark)
}

// lines are the ledger's kinds of what is done.
var lines = map[script.Kind]ledger.Kind{
	script.KindEdit: ledger.Edited, script.KindDelete: ledger.Deleted, script.KindTyping: ledger.Typed,
	script.KindRead: ledger.Seen, script.KindJoined: ledger.Joined, script.KindLeft: ledger.Left,
	script.KindChange: ledger.Changed, script.KindState: ledger.StateChanged, script.KindMigrate: ledger.Migrated,
}

// abilities are what they need.
var abilities = map[script.Kind]script.Ability{
	script.KindEdit: script.CanEdit, script.KindDelete: script.CanDelete, script.KindReact: script.CanReact,
	script.KindUnreact: script.CanReact, script.KindReactions: script.CanReact, script.KindTyping: script.CanType,
	script.KindRead: script.CanRead, script.KindChange: script.CanChange,
}

// toMessage tells whether a kind is done to a message.
func toMessage(k script.Kind) bool {
	switch k {
	case script.KindEdit, script.KindDelete, script.KindReact, script.KindUnreact, script.KindReactions, script.KindRead:
		return true
	}
	return false
}

// fleeting tells whether it is of use only while it happens.
func (m *message) fleeting() bool {
	return m.kind() == script.KindTyping || m.kind() == script.KindRead
}

// event is the id of the event.
func (m *message) event() string {
	if m.eventID != "" {
		return m.eventID
	}
	return m.id
}

// checkWhat refuses what an account asks for beyond a text, if something speaks
// against it.
func (n *Network) checkWhat(a *account, m *message) (script.Verdict, string) {
	w := m.what
	if w.Kind == script.KindMessage {
		return n.checkNamed(a, m)
	}
	can, known := abilities[w.Kind]
	if !known || !a.set.Can(can) {
		return script.Unsupported, "the network knows no " + string(w.Kind)
	}
	if w.Kind == script.KindReactions != (a.set.Reactions == script.ReactionsWhole) && can == script.CanReact {
		return script.Unsupported, "reactions are set in another way here"
	}
	if w.Kind == script.KindUnreact && a.set.Reactions == script.ReactionsByID && w.ReactionID == "" {
		return script.Refused, "a reaction is removed by its own id here"
	}
	if !toMessage(w.Kind) {
		return "", ""
	}
	m.id, m.of = n.named(a, m.channel, w.Target)
	if m.of == nil {
		return script.TargetGone, "there is no such message"
	}
	return m.of.Check(m.deed(), board.Rights{Account: a.name, Moderates: a.set.Moderates, MaxReactions: a.set.MaxReactions})
}

// checkNamed refuses a message that names another which is not there, or which the
// network has no way to name.
func (n *Network) checkNamed(a *account, m *message) (script.Verdict, string) {
	for _, named := range []struct {
		name *string
		can  script.Ability
	}{{&m.what.ReplyTo, script.CanReply}, {&m.what.Thread, script.CanThread}} {
		if *named.name == "" {
			continue
		}
		if !a.set.Can(named.can) {
			return script.Refused, "the network knows no " + string(named.can)
		}
		id, of := n.named(a, m.channel, *named.name)
		if of == nil {
			return script.TargetGone, "there is no message to this " + string(named.can)
		}
		*named.name = id
		if named.can == script.CanReply {
			m.of = of
		}
	}
	return "", ""
}

// named finds a message by a name that an account has for it. Where messages have
// references, they are found by nothing else.
func (n *Network) named(a *account, c *channel, name string) (id string, of *board.Message) {
	if a.set.References && !strings.HasPrefix(name, referenceMark) {
		return bare(name), nil
	}
	return bare(name), n.board.Find(c.name, bare(name))
}

func (m *message) deed() *board.Deed {
	return &board.Deed{Kind: m.what.Kind, Who: m.authorID, Text: m.text,
		Reaction: m.what.Reaction, ReactionID: m.what.ReactionID, Reactions: m.what.Reactions}
}

// carryOut does what is no message, and writes its lines to the ledger.
func (n *Network) carryOut(m *message, session string) {
	c, w := m.channel, m.what
	c.lastAct++
	m.eventID = fmt.Sprintf("%s %s-%d", c.name, w.Kind, c.lastAct)
	if m.of != nil {
		for _, change := range m.of.Do(m.deed(), m.eventID) {
			felt, kind := *m, ledger.Reacted
			felt.what = &wire.What{Kind: w.Kind, Reaction: change.Reaction}
			if change.Removed {
				kind = ledger.Unreacted
			}
			n.record(kind, &felt, session, "")
			w.Reaction, w.ReactionID = change.Reaction, change.ID
		}
		m.revision, w.Reactions = m.of.Revision, m.of.By(m.authorID)
	}
	line, one := lines[w.Kind]
	if !one {
		return
	}
	detail := strings.Join(w.Users, ", ")
	switch w.Kind {
	case script.KindTyping:
		if detail = "begun"; w.Stopped {
			detail = "stopped"
		}
	case script.KindChange:
		if w.Title != nil {
			c.title = *w.Title
		}
		if w.Topic != nil {
			c.topic = *w.Topic
		}
		detail = c.title + " / " + c.topic
	case script.KindState:
		c.set.State, c.set.Reason = w.State, m.text
		if open(w.State) {
			n.letIn(c)
		}
		detail = string(w.State)
	case script.KindMigrate:
		detail = w.To
	}
	n.record(line, m, session, detail)
}

// Act has somebody of a script do something.
func (n *Network) Act(a *script.Act) (eventID string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := &message{
		channel: n.channel(a.Channel), id: bare(a.ID), author: a.Author, authorID: a.Author,
		text: a.Text, operationID: a.OperationID,
		what: &wire.What{
			Kind: a.Kind, Rich: a.Rich, Moderation: a.Moderation, Reaction: a.Reaction, Reactions: a.Reactions,
			Stopped: a.Stopped, Users: a.Users, Title: a.Title, Topic: a.Topic, State: a.State, To: a.To,
		},
	}
	if toMessage(a.Kind) {
		if m.of = n.board.Find(m.channel.name, m.id); m.of == nil {
			return "", fmt.Errorf("there is no message %q in channel %q", a.ID, a.Channel)
		}
	}
	n.byScript(m, a.Account, a.Own)
	if a.Follow {
		n.migrate(m.channel, n.channel(a.To))
	}
	return m.eventID, nil
}

// names are what an account is told of a message beside its id; nil: nothing.
func (m *message) names(a *account) *wire.What {
	w := &wire.What{}
	told := false
	if m.kind() == script.KindMessage || m.kind() == script.KindEdit {
		if a.set.Aliases {
			w.Aliases, told = []string{aliasMark + m.id}, true
		}
		if a.set.References {
			w.Reference, told = referenceMark+m.id, true
		}
	}
	if m.revision > 0 {
		w.Revision, told = strconv.Itoa(m.revision), true
	}
	if m.what != nil && m.what.ReactionID != "" {
		w.ReactionID, told = m.what.ReactionID, true
	}
	if !told {
		return nil
	}
	return w
}

// tell completes an event as an account is told it: with the message's author where
// somebody else did it, and with the names that the account has for messages.
func (m *message) tell(e *wire.Event, a *account) {
	names := m.names(a)
	if m.what == nil {
		e.What = names
		return
	}
	w := *m.what
	w.Target = ""
	if names != nil {
		// The other names of a message are told once: with it.
		w.Revision = names.Revision
		if w.Kind == script.KindMessage {
			w.Aliases, w.Reference = names.Aliases, names.Reference
		}
	}
	if w.Kind == script.KindMessage && m.of != nil {
		w.AnsweredID, w.AnsweredBy, w.Answered = m.of.AuthorID, m.of.Author, m.of.Text
	}
	if w.Kind != script.KindMessage && m.of != nil {
		w.ActorID, w.Actor = m.authorID, m.author
		e.AuthorID, e.Author = m.of.AuthorID, m.of.Author
	}
	if a.set.Aliases {
		for _, name := range []*string{&w.ReplyTo, &w.Thread} {
			if *name != "" {
				*name = aliasMark + *name
			}
		}
		if m.of != nil && w.Kind != script.KindMessage {
			e.MessageID = aliasMark + e.MessageID
		}
	}
	e.What = &w
}
