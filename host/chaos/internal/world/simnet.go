package world

import (
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
	sources []string

	mu  sync.Mutex
	ids map[ledger.Token]string
}

func (n *simnet) id(t ledger.Token) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ids[t]
}

func (n *simnet) do(ctx context.Context, s plan.Step) error {
	switch s.Do {
	case plan.Say, plan.FromDevice, plan.Again:
		say := &simnettest.Say{Channel: s.Source, Author: s.Author, Text: s.Text, ReplyTo: n.id(s.Answers)}
		if s.Do == plan.FromDevice {
			say.Account = n.plug
		}
		if s.Do == plan.Again {
			say.ID = n.id(s.Token)
		}
		r, err := n.net.Do(ctx, simnettest.Command{Say: say})
		if err != nil {
			return err
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		if s.Token != 0 {
			n.ids[s.Token] = r.IDs[0]
		}
		return nil
	}
	act := &simnettest.Act{Channel: s.Source, ID: n.id(s.Token), Author: s.Author, Text: s.Text, Reaction: s.Reaction}
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

func (n *simnet) lines(ctx context.Context) ([]ledger.Line, error) {
	entries, err := n.net.Ledger(ctx)
	return ledger.Simnet(entries, n.plug, n.sources), err
}

func (n *simnet) close() {}
