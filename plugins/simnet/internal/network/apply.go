package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// Apply carries out a valid command that takes no time: all but Act, Generate, Wait,
// Plug and Flush.
func (n *Network) Apply(c script.Command) (r script.Result) {
	if c.Say != nil {
		r.IDs = n.Say(c.Say)
		return r
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case c.Network != nil:
		n.settings = *c.Network
	case c.Account != nil:
		n.account(c.Account.Name).set = *c.Account
	case c.Channel != nil:
		n.channel(c.Channel.Name).set = *c.Channel
	case c.Logins != nil:
		n.account(c.Logins.Account).logins.Add(*c.Logins, "", c.Logins.Count)
	case c.Puts != nil:
		n.channel(c.Puts.Channel).puts.Add(*c.Puts, c.Puts.Account, c.Puts.Count)
	case c.Echoes != nil:
		n.channel(c.Echoes.Channel).echoes.Add(*c.Echoes, c.Echoes.Account, c.Echoes.Count)
	case c.Hold != nil:
		n.channel(c.Hold.Channel).gates[c.Hold.Stage].Shut()
	case c.Release != nil:
		gate := n.channel(c.Release.Channel).gates[c.Release.Stage]
		if c.Release.Count == 0 {
			r.Count = gate.Open()
		} else {
			r.Count = gate.Release(c.Release.Count)
		}
	case c.Mark != nil:
		it := item{}
		if c.Mark.Channel != "" {
			it.channel = n.channel(c.Mark.Channel)
		}
		n.account(c.Mark.Account).show(it)
	case c.Forget != nil:
		a := n.account(c.Forget.Account)
		// A place is used up, so that no cursor given so far is the one to come.
		a.show(item{})
		a.refused = a.log.End()
	case c.Drop != nil:
		for s := range n.account(c.Drop.Account).sessions {
			s.end(errors.New("dropped by the script"))
			r.Count++
		}
	case c.Freeze != nil:
		r.Count = n.account(c.Freeze.Account).freeze(!c.Freeze.Thaw)
	}
	return r
}

// Say has somebody speak and returns the ids of the messages.
func (n *Network) Say(s *script.Say) (ids []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := max(s.Count, 1)
	for i := range count {
		text := s.Text
		if count > 1 {
			text = fmt.Sprintf("%s %d", s.Text, i+1)
		}
		ids = append(ids, n.say(s, text))
	}
	return ids
}

func (n *Network) say(s *script.Say, text string) (id string) {
	m := &message{
		channel: n.channel(s.Channel), author: s.Author, authorID: s.Author,
		text: text, operationID: s.OperationID, id: s.ID,
	}
	if s.ReplyTo != "" || s.Thread != "" || len(s.Rich) > 0 {
		m.what = &wire.What{ReplyTo: bare(s.ReplyTo), Thread: bare(s.Thread), Rich: s.Rich}
		m.of = n.board.Find(m.channel.name, bare(s.ReplyTo))
	}
	if s.ID != "" {
		m.channel.lastAct++
		m.eventID = fmt.Sprintf("%s again-%d", s.ID, m.channel.lastAct)
	}
	n.byScript(m, s.Account, s.Own)
	return m.id
}

// byScript publishes what somebody of a script does: a stranger, or an account from
// another device.
func (n *Network) byScript(m *message, account string, own script.Own) {
	seen := item{own: own, operationID: m.operationID}
	if seen.own == "" {
		seen.own = script.OwnNo
	}
	if account == "" {
		if m.author == "" {
			m.author, m.authorID = "stranger", "stranger"
		}
		n.publish(ledger.Emitted, m, "", seen)
		return
	}
	m.account, m.authorID = account, account
	if m.author == "" {
		m.author = account
	}
	n.publish(ledger.Emitted, m, "", seen)
	// What another device sends is shown to the account itself as its echoes are.
	a := n.account(account)
	if _, in := m.channel.members[a]; in && a.set.Echo != script.EchoNone {
		it := item{message: m, own: own, operationID: m.operationID}
		if it.own == "" {
			it.own = a.ownMark()
		}
		a.show(it)
	}
}

// Order tells the plugs that are logged in to an account to misbehave. There is a
// channel for each, closed when it has taken the order.
func (n *Network) Order(p *script.Plug) (taken []<-chan struct{}) {
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers can always be marshalled
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for s := range n.account(p.Account).sessions {
		n.orders++
		done := make(chan struct{})
		s.orders[n.orders] = done
		taken = append(taken, done)
		s.answer(&wire.Order{ID: n.orders, Body: string(body)})
	}
	return taken
}

// KeepUp waits until every account in the channels has taken all but ahead of what
// it is shown.
func (n *Network) KeepUp(ctx context.Context, channels []string, ahead uint64) error {
	stop := context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.room.Broadcast()
	})
	defer stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting++
	defer func() { n.waiting-- }()
	for n.behind(channels) > ahead && ctx.Err() == nil {
		n.room.Wait()
	}
	return ctx.Err()
}

// behind is how much the slowest account in the channels has not taken.
func (n *Network) behind(channels []string) (most uint64) {
	for _, name := range channels {
		for a := range n.channel(name).members {
			most = max(most, a.log.End()-a.taken)
		}
	}
	return most
}
