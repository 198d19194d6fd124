package network

import (
	"crypto/rand"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/agenda"
	"github.com/plughost/plughost/plugins/simnet/internal/board"
	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/memory"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// Network is one simulated network. Safe for concurrent use.
type Network struct {
	ledger *ledger.Writer
	// epoch begins every cursor, so that none survives the process: its positions
	// would mean other messages.
	epoch string

	// mu guards everything below, and what hangs on it: accounts, channels,
	// sessions. Nothing is waited for while it is held, except room.
	mu       sync.Mutex
	agenda   *agenda.Agenda
	settings script.Network
	accounts map[string]*account
	channels map[string]*channel
	board    board.Board
	uploads  memory.Uploads
	sessions uint64
	orders   uint64
	// room is signalled when a session took something while KeepUp is waiting.
	room    *sync.Cond
	waiting int
}

// New returns a network that writes to l. Close must be called in the end.
func New(l *ledger.Writer) *Network {
	n := &Network{
		ledger:   l,
		epoch:    rand.Text()[:8],
		accounts: map[string]*account{},
		channels: map[string]*channel{},
	}
	n.agenda = agenda.New(&n.mu)
	n.room = sync.NewCond(&n.mu)
	return n
}

// Close ends what is scheduled: what is due later never happens.
func (n *Network) Close() { n.agenda.Close() }

// Ledger is what New was given.
func (n *Network) Ledger() *ledger.Writer { return n.ledger }

// account returns the account of a name, made if need be.
func (n *Network) account(name string) *account {
	a := n.accounts[name]
	if a == nil {
		a = &account{name: name, set: script.Account{Name: name}, sessions: map[*Session]struct{}{}}
		n.accounts[name] = a
	}
	return a
}

// channel returns the channel of a name in any spelling, made if need be.
func (n *Network) channel(name string) *channel {
	name = strings.ToLower(name)
	c := n.channels[name]
	if c == nil {
		c = newChannel(name)
		n.channels[name] = c
	}
	return c
}

// message is one message, or one thing that was done to a message or a channel. It
// never changes once it is published.
type message struct {
	channel *channel
	// id is the message's, or of the one that it was done to.
	id string
	// eventID is empty for a message: it is the id then.
	eventID string
	time    time.Time
	// authorID, author and account are who wrote it, or who did it.
	authorID    string
	author      string
	account     string
	text        string
	operationID string
	// what is nil for a message that is nothing but a text.
	what *wire.What
	// of is what stands of the message that it was done to.
	of *board.Message
	// revision is that of an edit.
	revision int
}

// kind is what it is.
func (m *message) kind() script.Kind {
	if m.what == nil {
		return script.KindMessage
	}
	return m.what.Kind
}

// publish makes a message exist: it gets its id and time, and everybody in the
// channel but the account that sent it is shown it.
func (n *Network) publish(k ledger.Kind, m *message, session string, seen item) {
	c := m.channel
	m.time = time.Now()
	if m.kind() == script.KindMessage {
		if m.id == "" {
			m.id = n.nextID(c)
		}
		n.board.Add(c.name, m.id, &board.Message{AuthorID: m.authorID, Author: m.author, Account: m.account, Text: m.text})
		c.keep(m)
		n.record(k, m, session, "")
	} else {
		n.carryOut(m, session)
	}
	seen.message = m
	for a := range c.members {
		if a.name != m.account {
			a.show(seen)
		}
	}
}

func (n *Network) nextID(c *channel) string {
	c.lastID++
	id := strconv.FormatUint(c.lastID, 10)
	if !n.settings.CollidingIDs {
		id = c.name + "-" + id
	}
	return id
}

// record writes a line about a message to the ledger.
func (n *Network) record(k ledger.Kind, m *message, session, detail string) {
	e := ledger.Entry{
		Kind: k, Channel: m.channel.name, ID: m.id, Author: m.author, Account: m.account,
		Text: m.text, OperationID: m.operationID, Connection: session, Detail: detail,
	}
	if w := m.what; w != nil {
		e.Rich, e.ReplyTo, e.Thread, e.Reaction = w.Rich, bare(w.ReplyTo), bare(w.Thread), w.Reaction
		if k == ledger.Rejected || k == ledger.Repeated {
			e.Action = string(w.Kind)
		}
	}
	n.ledger.Append(e)
}
