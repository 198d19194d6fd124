package network

import (
	"errors"
	"slices"
	"strings"

	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// keptMessages is how many messages of a channel can be listed and found.
const keptMessages = 10_000

// keep keeps a message for the accounts that have History.
func (c *channel) keep(m *message) {
	for a := range c.members {
		if a.set.History {
			c.kept.Add(m, keptMessages)
			return
		}
	}
}

// newest gives the messages that are kept and stand, the newest first, until yield
// returns false.
func (n *Network) newest(c *channel, yield func(*message) bool) {
	for at := c.kept.End(); at > c.kept.Forgotten(); at-- {
		m, _ := c.kept.At(at)
		if n.board.Find(c.name, m.id) != nil && !yield(m) {
			return
		}
	}
}

var errNoLogin = errors.New("history is read after a login")

// List gives messages of a channel before one of them. An error ends the connection.
func (s *Session) List(l *wire.List) (reply wire.ListReply, err error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.account == nil {
		return reply, errNoLogin
	}
	before := bare(l.Before)
	reply.Unknown = before != ""
	s.n.newest(s.n.channel(s.inner(l.Channel)), func(m *message) bool {
		if reply.Unknown {
			reply.Unknown = m.id != before
			return true
		}
		reply.Events = append(reply.Events, s.past(m))
		return len(reply.Events) < l.Limit
	})
	slices.Reverse(reply.Events)
	return reply, nil
}

// Find gives what an operation of the account made. An error ends the connection.
func (s *Session) Find(f *wire.Find) (reply wire.FindReply, err error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.account == nil {
		return reply, errNoLogin
	}
	s.n.newest(s.n.channel(s.inner(f.Channel)), func(m *message) bool {
		if name, _, _ := strings.Cut(m.operationID, "-"); m.account == s.account.name && name == f.OperationID {
			e := s.past(m)
			e.OperationID = m.operationID
			reply.Events = append(reply.Events, e)
		}
		return true
	})
	slices.Reverse(reply.Events)
	return reply, nil
}

// past is a message as the account sees it later.
func (s *Session) past(m *message) *wire.Event {
	it := item{message: m, own: script.OwnNo}
	if m.account == s.account.name {
		it = m.own(s.account)
	}
	e := s.event(it)
	e.Text = s.n.board.Find(m.channel.name, m.id).Text
	return e
}

// own is a message as the account that sent it sees it.
func (m *message) own(a *account) item {
	it := item{message: m, own: a.ownMark()}
	if a.set.Echo != script.EchoOwn {
		it.operationID = m.operationID
	}
	return it
}
