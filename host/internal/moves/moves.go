package moves

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
)

// maxMoves bounds the sources that the channels of one network have moved to.
const maxMoves = 10_000

// ErrTooMany says that a move is not followed.
var ErrTooMany = fmt.Errorf("the network's channels have moved to %d sources; no more are followed", maxMoves)

// Journal is where moves are kept.
type Journal interface {
	SaveMove(ctx context.Context, m journal.Move) error
	Moves(ctx context.Context) ([]journal.Move, error)
}

// Moves are the moves of all networks. Safe for concurrent use. A nil one knows of none.
type Moves struct {
	journal Journal

	mu       sync.RWMutex
	version  uint64
	networks map[id.NetworkID]*network
}

// network is one network's. A source that the config names is a home of its own, though
// another channel has moved there.
type network struct {
	named map[id.ChannelSource]bool
	homes map[id.ChannelSource]id.ChannelSource   // by the source that a channel moved to
	names map[id.ChannelSource][]id.ChannelSource // by home: that it moved to, the last one last
}

// Open reads the moves that were made.
func Open(ctx context.Context, j Journal) (*Moves, error) {
	m := &Moves{journal: j, networks: map[id.NetworkID]*network{}}
	made, err := j.Moves(ctx)
	if err != nil {
		return nil, err
	}
	for _, move := range made {
		m.network(move.To.Network).add(move.Home, move.To.Source)
	}
	return m, nil
}

// network returns a network's. The caller holds mu, or is alone.
func (m *Moves) network(n id.NetworkID) *network {
	of := m.networks[n]
	if of == nil {
		of = &network{named: map[id.ChannelSource]bool{}, homes: map[id.ChannelSource]id.ChannelSource{}, names: map[id.ChannelSource][]id.ChannelSource{}}
		m.networks[n] = of
	}
	return of
}

func (n *network) add(home, to id.ChannelSource) {
	n.homes[to] = home
	names := slices.DeleteFunc(n.names[home], func(s id.ChannelSource) bool { return s == to })
	n.names[home] = append(names, to)
}

func (n *network) home(s id.ChannelSource) id.ChannelSource {
	if home, moved := n.homes[s]; moved && !n.named[s] {
		return home
	}
	return s
}

// now is the source of the channel that was called so first.
func (n *network) now(home id.ChannelSource) id.ChannelSource {
	if names := n.names[home]; len(names) > 0 {
		return names[len(names)-1]
	}
	return home
}

// Named tells which canonical sources of a network the config names.
func (m *Moves) Named(n id.NetworkID, sources []id.ChannelSource) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.version++
	of := m.network(n)
	of.named = map[id.ChannelSource]bool{}
	for _, s := range sources {
		of.named[s] = true
	}
}

// Moved follows a channel that has moved, from whichever of its sources. Its error is
// ErrTooMany, or the journal's.
func (m *Moves) Moved(ctx context.Context, from id.Channel, to id.ChannelSource) error {
	if m == nil {
		return nil
	}
	m.mu.RLock()
	move := journal.Move{To: id.Channel{Network: from.Network, Source: to}, Home: from.Source}
	full, follows := false, false
	if of := m.networks[from.Network]; of != nil {
		move.Home = of.home(from.Source)
		full, follows = len(of.homes) >= maxMoves, of.now(move.Home) == to
	}
	m.mu.RUnlock()
	switch {
	case follows:
		return nil
	case full:
		return ErrTooMany
	}
	if err := m.journal.SaveMove(ctx, move); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.version++
	m.network(from.Network).add(move.Home, to)
	return nil
}

// Version changes whenever what Home and Now answer may have changed.
func (m *Moves) Version() uint64 {
	if m == nil {
		return 0
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.version
}

// Home is the channel under which everything of c is kept.
func (m *Moves) Home(c id.Channel) id.Channel {
	if m == nil {
		return c
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if of := m.networks[c.Network]; of != nil {
		c.Source = of.home(c.Source)
	}
	return c
}

// Now is the channel under the source that it has now.
func (m *Moves) Now(c id.Channel) id.Channel {
	if m == nil {
		return c
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if of := m.networks[c.Network]; of != nil {
		c.Source = of.now(of.home(c.Source))
	}
	return c
}

// Names lists all sources that a channel has had, the first one first and the present
// one last.
func (m *Moves) Names(c id.Channel) []id.ChannelSource {
	if m == nil {
		return []id.ChannelSource{c.Source}
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	of := m.networks[c.Network]
	if of == nil {
		return []id.ChannelSource{c.Source}
	}
	home := of.home(c.Source)
	names := slices.Clone(of.names[home])
	if !slices.Contains(names, home) {
		names = slices.Insert(names, 0, home)
	}
	return names
}

// Met gives two channels that the config names and that have become one; ok is false if
// there are none.
func (m *Moves) Met(n id.NetworkID) (one, other id.ChannelSource, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	of := m.networks[n]
	if of == nil {
		return "", "", false
	}
	at := map[id.ChannelSource]id.ChannelSource{}
	for s := range of.named {
		now := of.now(s)
		if met, ok := at[now]; ok {
			return min(s, met), max(s, met), true
		}
		at[now] = s
	}
	return "", "", false
}
