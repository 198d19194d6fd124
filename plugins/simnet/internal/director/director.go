package director

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/network"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
)

// Do carries out one command and returns when it is done, or when ctx ends.
func Do(ctx context.Context, n *network.Network, c script.Command) (script.Result, error) {
	if err := c.Validate(); err != nil {
		return script.Result{}, err
	}
	switch {
	case c.Act != nil:
		id, err := n.Act(c.Act)
		return script.Result{IDs: []string{id}}, err
	case c.Generate != nil:
		return script.Result{}, generate(ctx, n, c.Generate)
	case c.Wait != nil:
		what := ledger.Match{Kind: ledger.Kind(c.Wait.Kind), Channel: c.Wait.Channel, Account: c.Wait.Account}
		return script.Result{}, n.Ledger().Wait(ctx, what, c.Wait.Count)
	case c.Plug != nil:
		return order(ctx, n, c.Plug)
	case c.Flush != nil:
		return script.Result{}, n.Ledger().Flush()
	default:
		return n.Apply(c), nil
	}
}

// order waits until the plugs have taken an order, where that can be known.
func order(ctx context.Context, n *network.Network, p *script.Plug) (script.Result, error) {
	taken := n.Order(p)
	if len(taken) == 0 {
		return script.Result{}, fmt.Errorf("no plug is logged in to account %q", p.Account)
	}
	if p.At == script.AtOnce || p.At == "" {
		return script.Result{Count: len(taken)}, nil
	}
	for _, t := range taken {
		select {
		case <-t:
		case <-ctx.Done():
			return script.Result{}, fmt.Errorf("wait for the plug to take the order: %w", ctx.Err())
		}
	}
	return script.Result{Count: len(taken)}, nil
}

const (
	// maxAhead is how far a generator without a rate is ahead of the slowest
	// account, and burst how much it says between two looks.
	maxAhead = 4096
	burst    = 64
	// tick is how often a generator with a rate speaks.
	tick = 2 * time.Millisecond
)

// generator says numbered texts.
type generator struct {
	n       *network.Network
	g       *script.Generate
	padding string
	said    int
}

func generate(ctx context.Context, n *network.Network, g *script.Generate) error {
	x := &generator{n: n, g: g}
	if rest := g.Size - script.NumberDigits; rest > 0 {
		x.padding = " " + strings.Repeat(".", rest-1)
	}
	var err error
	if g.PerSecond > 0 {
		err = x.atRate(ctx)
	} else {
		err = x.asTaken(ctx)
	}
	if err != nil {
		return fmt.Errorf("generate: stopped after %d of %d: %w", x.said, g.Count, err)
	}
	return nil
}

// say says up to count texts.
func (x *generator) say(count int) {
	first := max(x.g.First, 1)
	for range min(count, x.g.Count-x.said) {
		x.n.Say(&script.Say{
			Channel: x.g.Channels[x.said%len(x.g.Channels)],
			Author:  x.g.Author,
			Text:    fmt.Sprintf("%0*d%s", script.NumberDigits, first+x.said, x.padding),
		})
		x.said++
	}
}

// atRate keeps to the rate on the whole: what a late tick missed, it says at once.
func (x *generator) atRate(ctx context.Context) error {
	begin := time.Now()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		x.say(int(time.Since(begin).Seconds()*x.g.PerSecond) - x.said)
		if x.said == x.g.Count {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// asTaken speaks as long as every account in the channels keeps up.
func (x *generator) asTaken(ctx context.Context) error {
	for x.said < x.g.Count {
		if err := x.n.KeepUp(ctx, x.g.Channels, maxAhead); err != nil {
			return err
		}
		x.say(burst)
	}
	return nil
}
