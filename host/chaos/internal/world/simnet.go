package world

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// simnet is what strangers do in the channels of one account.
type simnet struct {
	net     *simnettest.Process
	plug    string
	sources []string // all that its channels have in the run

	// moving is held for reading while somebody speaks or acts: nobody speaks in a source
	// that its channel has left.
	moving sync.RWMutex
	moved  map[string]string // where channels have gone on to, by their first source

	mu  sync.Mutex
	ids map[ledger.Token]said
}

// said is where a message stands.
type said struct{ source, id string }

func newSimnet(net *simnettest.Process, plug string, p *plan.Plan) *simnet {
	n := &simnet{net: net, plug: plug, sources: p.Sources(plug), moved: map[string]string{}, ids: map[ledger.Token]said{}}
	for _, source := range p.Sources(plug) {
		if to := p.To(ledger.Member{Plug: plug, Source: source}); to != "" {
			n.sources = append(n.sources, to)
		}
	}
	return n
}

func (n *simnet) said(t ledger.Token) said {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ids[t]
}

func (n *simnet) do(ctx context.Context, s plan.Step) error {
	n.moving.RLock()
	defer n.moving.RUnlock()
	switch s.Do {
	case plan.Say, plan.FromDevice, plan.Again:
		say := &simnettest.Say{Channel: n.now(s.Source), Author: s.Author, Text: s.Text}
		// What was said before the move can't be named after it.
		if answered := n.said(s.Answers); answered.source == say.Channel {
			say.ReplyTo = answered.id
		}
		if s.Do == plan.FromDevice {
			say.Account = n.plug
		}
		if s.Do == plan.Again {
			before := n.said(s.Token)
			say.Channel, say.ID = before.source, before.id
		}
		r, err := n.net.Do(ctx, simnettest.Command{Say: say})
		if err != nil {
			return err
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		if s.Token != 0 {
			n.ids[s.Token] = said{say.Channel, r.IDs[0]}
		}
		return nil
	}
	about := n.said(s.Token)
	act := &simnettest.Act{Channel: about.source, ID: about.id, Author: s.Author, Text: s.Text, Reaction: s.Reaction}
	switch s.Do {
	case plan.Edit:
		act.Kind = simnettest.KindEdit
	case plan.Delete:
		act.Kind = simnettest.KindDelete
	case plan.React:
		act.Kind = simnettest.KindReact
	case plan.Unreact:
		act.Kind = simnettest.KindUnreact
	default:
		return fmt.Errorf("nobody on a simnet can %s", s.Do)
	}
	_, err := n.net.Do(ctx, simnettest.Command{Act: act})
	return err
}

// now is the source that a channel has now. The caller holds moving.
func (n *simnet) now(source string) string { return cmp.Or(n.moved[source], source) }

// migrate has a channel go on, and its members go along.
func (n *simnet) migrate(ctx context.Context, source, to string) error {
	n.moving.Lock()
	defer n.moving.Unlock()
	if n.moved[source] != "" {
		return nil
	}
	_, err := n.net.Do(ctx, simnettest.Command{Act: &simnettest.Act{Channel: source, Kind: simnettest.KindMigrate, To: to, Follow: true}})
	if err == nil {
		n.moved[source] = to
	}
	return err
}

// command is a command about a channel as it is about the source that the channel has now.
func (n *simnet) command(c *simnettest.Command) *simnettest.Command {
	n.moving.RLock()
	defer n.moving.RUnlock()
	now := *c
	switch {
	case c.Puts != nil:
		f := *c.Puts
		f.Channel, now.Puts = n.now(f.Channel), &f
	case c.Plug != nil:
		f := *c.Plug
		f.Channel, now.Plug = n.now(f.Channel), &f
	case c.Echoes != nil:
		f := *c.Echoes
		f.Channel, now.Echoes = n.now(f.Channel), &f
	case c.Channel != nil:
		f := *c.Channel
		f.Name, now.Channel = n.now(f.Name), &f
	case c.Hold != nil:
		f := *c.Hold
		f.Channel, now.Hold = n.now(f.Channel), &f
	}
	return &now
}

func (n *simnet) lines(ctx context.Context) ([]ledger.Line, error) {
	entries, err := n.net.Ledger(ctx)
	return ledger.Simnet(entries, n.plug, n.sources), err
}

func (n *simnet) close() {}
