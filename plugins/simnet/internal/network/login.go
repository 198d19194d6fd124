package network

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// Login logs the session in, once; the answer may be a refusal. An error ends the
// connection.
func (s *Session) Login(l *wire.Login) (wire.LoginReply, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.account != nil {
		return wire.LoginReply{}, errors.New("a second login")
	}
	a := s.n.account(l.Account)
	refused := a.logins.Next(a.name)
	if a.set.Token != "" && l.Token != a.set.Token {
		refused = script.Logins{Account: a.name, Verdict: script.LoginLoggedOut, Message: "the token is wrong"}
	}
	if refused.Verdict != "" && refused.Verdict != script.LoginAccept {
		return wire.LoginReply{Refused: &refused}, nil
	}
	s.account = a
	a.sessions[s] = struct{}{}
	s.position = a.log.End()
	s.n.ledger.Append(ledger.Entry{Kind: ledger.Connected, Account: a.name, Connection: s.name})
	reply := wire.LoginReply{
		Connection: s.name, NetworkID: a.set.NetworkID, Settings: a.set,
		Epoch: s.n.epoch, Position: s.position,
	}
	reply.Settings.Token = ""
	if reply.NetworkID == "" {
		reply.NetworkID = "simnet:" + a.name
	}
	for _, requested := range l.Channels {
		reply.Channels = append(reply.Channels, s.join(requested))
	}
	if silence := time.Duration(a.set.MaxSilence); silence > 0 {
		s.ping(silence / 3)
	}
	return reply, nil
}

// join enters one channel, if its state allows. The account stays in it for good,
// so that its log goes on while no plug is there.
func (s *Session) join(requested string) wire.ChannelStatus {
	ch := s.n.channel(s.inner(requested))
	if s.account.set.Resume == script.ResumeNo {
		// It is shown nothing of before, and not where the channel went.
		for ch.to != nil {
			ch = ch.to
		}
	}
	status := wire.ChannelStatus{Requested: requested, Name: s.outer(ch)}
	status.State, status.Reason = ch.state()
	if !open(status.State) {
		s.asked[ch] = struct{}{}
		return status
	}
	for ; ch != nil; ch = ch.to {
		ch.members[s.account] = struct{}{}
		s.joined[ch] = s.position
	}
	return status
}

// open tells whether a channel in a state shows its messages.
func open(s script.State) bool { return s == script.StateJoined || s == script.StateReadOnly }

// letIn lets those into a channel that has opened who asked for it at their login.
func (n *Network) letIn(c *channel) {
	for _, a := range n.accounts {
		for s := range a.sessions {
			if _, asked := s.asked[c]; asked {
				delete(s.asked, c)
				c.members[a] = struct{}{}
				s.joined[c] = a.log.End()
			}
		}
	}
}

// Subscribe starts the flow of events, once: each channel after its own cursor, or
// after the whole account's, or after the login. An error ends the connection.
func (s *Session) Subscribe(request *wire.Subscribe) (wire.SubscribeReply, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	a := s.account
	if a == nil || s.subscribed {
		return wire.SubscribeReply{}, errors.New("subscribe goes once, after a login")
	}
	reply := wire.SubscribeReply{Refused: map[string]string{}, Position: s.position}
	known := map[string]uint64{}
	for scope, cursor := range request.Cursors {
		position, reason := a.resume(s.n.epoch, cursor)
		if reason != "" {
			reply.Refused[scope] = reason
			continue
		}
		known[scope] = position
	}
	first := s.position
	scopes := map[string]struct{}{}
	for ch := range s.joined {
		scope := s.outer(ch)
		if position, ok := known[""]; ok {
			s.joined[ch] = position
		}
		if position, ok := known[scope]; ok {
			s.follow(ch, position, known)
		}
		first = min(first, s.joined[ch])
		if a.set.CursorScope == script.CursorAccount {
			scope = ""
		}
		scopes[scope] = struct{}{}
	}
	s.catchingUp, s.catchUpAt = slices.Sorted(maps.Keys(scopes)), a.log.End()
	s.subscribed, s.position = true, first
	a.taken = max(a.taken, first)
	s.n.ledger.Append(ledger.Entry{
		Kind: ledger.Subscribed, Account: a.name, Connection: s.name, Detail: refusals(reply.Refused),
	})
	return reply, nil
}

// follow shows a channel from a position on, and what it goes on as, unless that has a
// cursor of its own.
func (s *Session) follow(ch *channel, position uint64, known map[string]uint64) {
	s.joined[ch] = position
	for to := ch.to; to != nil; to = to.to {
		if _, own := known[s.outer(to)]; own {
			return
		}
		if _, in := s.joined[to]; in {
			s.joined[to] = position
		}
	}
}

// migrate has a channel go on as another.
func (n *Network) migrate(c, to *channel) {
	c.to, to.to = to, nil
	for a := range c.members {
		to.members[a] = struct{}{}
		for s := range a.sessions {
			if _, in := s.joined[c]; in {
				s.joined[to] = a.log.End()
			}
		}
	}
}

func refusals(refused map[string]string) string {
	var list []string
	for _, scope := range slices.Sorted(maps.Keys(refused)) {
		list = append(list, fmt.Sprintf("%q: %s", scope, refused[scope]))
	}
	return strings.Join(list, "; ")
}
