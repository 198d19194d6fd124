package gate

import (
	"context"
	"sync"
	"time"

	"github.com/plughost/plughost/host/id"
)

// Scope says which events a Pass delays.
type Scope int

const (
	// Plug delays all events of the plug.
	Plug Scope = iota
	// Channel delays the events of the Put's own channel.
	Channel
)

// Gate is the barrier between the Puts and the drain of all plugs. Safe for
// concurrent use.
type Gate struct {
	mu    sync.Mutex
	floor id.Sequence
	plugs map[id.NetworkID]*plug
}

type plug struct {
	appended id.Sequence
	passes   map[*Pass]struct{}
}

// New makes a gate over a journal whose last sequence is end.
func New(end id.Sequence) *Gate {
	return &Gate{floor: end, plugs: map[id.NetworkID]*plug{}}
}

func (g *Gate) plug(n id.NetworkID) *plug {
	p := g.plugs[n]
	if p == nil {
		p = &plug{appended: g.floor, passes: map[*Pass]struct{}{}}
		g.plugs[n] = p
	}
	return p
}

// Appended says that the plug's events up to a sequence are in the journal.
func (g *Gate) Appended(n id.NetworkID, s id.Sequence) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.plug(n)
	p.appended = max(p.appended, s)
}

// Pass is one Put that may delay events, from Begin to End.
type Pass struct {
	gate    *Gate
	channel id.Channel
	scope   Scope
	noted   id.Sequence

	// Guarded by gate.mu.
	running bool
	until   time.Time     // while not running: own events are held until then
	changed chan struct{} // closed at the next change, and at the end
}

// Begin opens a pass. It is called before the Put's attempt is recorded.
func (g *Gate) Begin(c id.Channel, scope Scope) *Pass {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.add(c, scope, g.plug(c.Network).appended, true)
}

// Resume opens the pass of a Put that began before the host was started and
// whose outcome is uncertain: own events after noted are held for at most hold.
// It is called before anything is yielded.
func (g *Gate) Resume(c id.Channel, scope Scope, noted id.Sequence, hold time.Duration) *Pass {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.add(c, scope, noted, false)
	p.until = time.Now().Add(hold)
	return p
}

func (g *Gate) add(c id.Channel, scope Scope, noted id.Sequence, running bool) *Pass {
	p := &Pass{gate: g, channel: c, scope: scope, noted: noted, running: running, changed: make(chan struct{})}
	g.plug(c.Network).passes[p] = struct{}{}
	return p
}

// Noted is the last sequence appended when the Put began: no echo of it is older.
func (p *Pass) Noted() id.Sequence { return p.noted }

// Uncertain says that the RPC has ended and nobody knows its outcome: strangers'
// events may be yielded again, own ones are held until End, at most for hold
// (O5).
func (p *Pass) Uncertain(hold time.Duration) {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	if !p.running {
		return
	}
	p.running, p.until = false, time.Now().Add(hold)
	close(p.changed)
	p.changed = make(chan struct{})
}

// End closes the pass: the receipt is durable, or it is certain that nothing was
// sent, or the operation was given up. Later calls do nothing.
func (p *Pass) End() {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	passes := p.gate.plug(p.channel.Network).passes
	if _, open := passes[p]; open {
		delete(passes, p)
		close(p.changed)
	}
}

// Blocked tells whether Wait would wait.
func (g *Gate) Blocked(c id.Channel, s id.Sequence, own bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	blocking, _ := g.blocking(c, s, own)
	return blocking != nil
}

// Wait returns when event s of a channel may be yielded, or with the context's
// error. own says that the event may be an echo of ours, or about a message of ours.
func (g *Gate) Wait(ctx context.Context, c id.Channel, s id.Sequence, own bool) error {
	// What is being drained was appended, even if intake has not said so yet.
	g.Appended(c.Network, s)
	for {
		g.mu.Lock()
		p, until := g.blocking(c, s, own)
		if p == nil {
			g.mu.Unlock()
			return ctx.Err()
		}
		changed := p.changed
		g.mu.Unlock()
		if err := await(ctx, changed, until); err != nil {
			return err
		}
	}
}

// blocking returns a pass that delays the event, and until when at the most; the
// zero time means until the pass changes.
func (g *Gate) blocking(c id.Channel, s id.Sequence, own bool) (*Pass, time.Time) {
	for p := range g.plug(c.Network).passes {
		if p.noted >= s || p.scope == Channel && p.channel != c {
			continue
		}
		if p.running {
			return p, time.Time{}
		}
		if own && time.Now().Before(p.until) {
			return p, p.until
		}
	}
	return nil, time.Time{}
}

func await(ctx context.Context, changed <-chan struct{}, until time.Time) error {
	var expired <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-expired:
	}
	return nil
}
