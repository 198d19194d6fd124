package host

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/drain"
	"github.com/plughost/plughost/host/internal/moves"
)

// directory knows which network each plug instance is, also while it is down.
type directory struct {
	mu      sync.Mutex
	entries map[id.InstanceName]*entry
	version uint64        // counts changes
	changed chan struct{} // closed at every change
	moves   *moves.Moves  // nil until Run
}

type entry struct {
	label       string // of the config
	networkName string // as the plug says
	network     id.NetworkID
	sources     map[string]string // canonical by requested
	neverEchoes bool
	fixed       bool // it is known to have no channels but sources
	tried       bool // the first start has ended, one way or the other
	running     bool
}

func newDirectory() *directory {
	return &directory{entries: map[id.InstanceName]*entry{}, changed: make(chan struct{})}
}

// change changes an instance's entry and wakes whoever waits for one.
func (d *directory) change(name id.InstanceName, do func(*entry)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[name]
	if e == nil {
		e = &entry{}
		d.entries[name] = e
	}
	do(e)
	d.version++
	close(d.changed)
	d.changed = make(chan struct{})
}

// claim notes that an instance runs as a network. It returns the instance that
// already does, if there is one.
func (d *directory) claim(name id.InstanceName, n id.NetworkID) (other id.InstanceName, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for o, e := range d.entries {
		if o != name && e.running && e.network == n {
			return o, false
		}
	}
	d.entries[name].running, d.entries[name].network = true, n
	d.version++
	return "", true
}

func (d *directory) release(name id.InstanceName) {
	d.change(name, func(e *entry) { e.running = false })
}

// Instance implements drain.Directory.
func (d *directory) Instance(n id.NetworkID) (drain.Facts, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, e := range d.entries {
		if e.network == n {
			label := e.label
			if label == "" {
				label = e.networkName
			}
			return drain.Facts{Name: name, NetworkName: label, NeverEchoes: e.neverEchoes}, true
		}
	}
	return drain.Facts{}, false
}

// Resolve implements drain.Directory.
func (d *directory) Resolve(ctx context.Context, c hook.Channel) (id.Channel, bool) {
	for {
		d.mu.Lock()
		e := d.entries[c.Plug]
		if e == nil || e.network == "" && e.tried {
			d.mu.Unlock()
			return id.Channel{}, false
		}
		if e.network != "" {
			channel := d.moves.Home(id.Channel{Network: e.network, Source: e.canonical(c.Source)})
			d.mu.Unlock()
			return channel, true
		}
		changed := d.changed
		d.mu.Unlock()
		select {
		case <-ctx.Done():
			return id.Channel{}, false
		case <-changed:
		}
	}
}

// lacks tells whether a plug is known to have no such channel, and which it has.
func (d *directory) lacks(c hook.Channel) (has []string, lacks bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[c.Plug]
	if e == nil || !e.fixed {
		return nil, false
	}
	has = slices.Sorted(maps.Values(e.sources))
	home := d.moves.Home(id.Channel{Network: e.network, Source: e.canonical(c.Source)})
	return has, !slices.Contains(has, string(home.Source))
}

// known returns the channel under which a hook's target is kept, if that is known now.
func (d *directory) known(c hook.Channel) (id.Channel, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[c.Plug]
	if e == nil || e.network == "" {
		return id.Channel{}, false
	}
	return d.moves.Home(id.Channel{Network: e.network, Source: e.canonical(c.Source)}), true
}

// Canonical gives a channel its canonical source, under which all of it is kept.
func (d *directory) Canonical(c hook.Channel) hook.Channel {
	c, network, moves := d.literal(c)
	c.Source = moves.Home(id.Channel{Network: network, Source: c.Source}).Source
	return c
}

// Version changes whenever what Canonical gives may have changed.
func (d *directory) Version() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.version + d.moves.Version() // neither ever falls
}

// Now gives a channel the source that it has now.
func (d *directory) Now(c hook.Channel) hook.Channel {
	c, network, moves := d.literal(c)
	c.Source = moves.Now(id.Channel{Network: network, Source: c.Source}).Source
	return c
}

// literal gives a channel of the config the canonical source of this name, though the
// channel was called otherwise first, or is now; its network; and the moves there.
func (d *directory) literal(c hook.Channel) (hook.Channel, id.NetworkID, *moves.Moves) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[c.Plug]
	if e == nil {
		return c, "", d.moves
	}
	c.Source = e.canonical(c.Source)
	return c, e.network, d.moves
}

// follow has channels be followed where they move.
func (d *directory) follow(m *moves.Moves) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.moves = m
	d.version++
}

func (e *entry) canonical(s id.ChannelSource) id.ChannelSource {
	if canonical := e.sources[string(s)]; canonical != "" {
		return id.ChannelSource(canonical)
	}
	return s
}

func (d *directory) network(name id.InstanceName) id.NetworkID {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.entries[name]; e != nil {
		return e.network
	}
	return ""
}
