package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/moves"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// A channel that migrates goes on under another source. What is kept for it stays under
// its home, the canonical source that the config's name had first; only the plug is
// asked for the present one.

// recallNetwork learns from the journal what is kept of a plug's network.
func (h *Host) recallNetwork(ctx context.Context, p Plug, known *journalv1.InstanceRecord) error {
	n := id.NetworkID(known.NetworkId)
	if n == "" {
		return nil
	}
	gaps, err := h.journal.Gaps(ctx, n)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.gaps[n] = gaps
	h.mu.Unlock()
	named := map[string]string{}
	for _, s := range h.o.sources(p) {
		named[s] = cmp.Or(known.Sources[s], s)
	}
	h.setNamed(n, named)
	return nil
}

// setNamed tells which canonical sources stand for those of the config.
func (h *Host) setNamed(n id.NetworkID, sources map[string]string) {
	var all []id.ChannelSource
	for _, s := range sources {
		all = append(all, id.ChannelSource(s))
	}
	h.moves.Named(n, all)
}

// asked are the sources that a plug is started with.
type asked struct {
	names []string          // each once
	as    map[string]string // by those that the config names
}

func (a *asked) add(s, as string) {
	a.as[s] = as
	if !slices.Contains(a.names, as) {
		a.names = append(a.names, as)
	}
}

// asked finds the sources to start a plug with. A channel that has migrated is asked for
// under the source of its last cursor, so that the plug goes on from there and finds its
// way to the present one; without a cursor, under that.
func (h *Host) asked(ctx context.Context, p Plug, known *journalv1.InstanceRecord) (*asked, error) {
	a := &asked{as: map[string]string{}}
	n := id.NetworkID(known.NetworkId)
	cursors, err := h.journal.Cursors(ctx, n)
	if err != nil {
		return nil, err
	}
	has := map[id.ChannelSource]bool{}
	for _, c := range cursors {
		has[id.ChannelSource(c.Scope)] = true
	}
	for _, s := range h.o.sources(p) {
		as := s
		names := h.moves.Names(id.Channel{Network: n, Source: id.ChannelSource(cmp.Or(known.Sources[s], s))})
		// One that has not is asked for by the config's name: the plug knows its spelling.
		if len(names) > 1 {
			as = string(names[len(names)-1])
			if i := slices.IndexFunc(names, func(s id.ChannelSource) bool { return has[s] }); i >= 0 {
				as = string(names[i])
			}
		}
		a.add(s, as)
	}
	return a, nil
}

// canonical gives the canonical source of each that the config names. One that is
// another than before is a migration too, of which only the answer of Start tells.
func (h *Host) canonical(ctx context.Context, n id.NetworkID, before map[string]string, a *asked, answered []*plugv1.ChannelStatus) (map[string]string, error) {
	answers := map[string]string{}
	for _, c := range answered {
		answers[c.Requested] = c.Source
	}
	sources := map[string]string{}
	for name, as := range a.as {
		answer, home := answers[as], before[name]
		if home == "" {
			home = answer
		}
		if home == "" {
			continue
		}
		sources[name] = home
		c := id.Channel{Network: n, Source: id.ChannelSource(home)}
		if answer == "" || answer == as && slices.Contains(h.moves.Names(c), id.ChannelSource(as)) {
			continue
		}
		if h.moves.Now(c).Source != id.ChannelSource(answer) {
			if err := h.moves.Moved(ctx, c, id.ChannelSource(answer)); err != nil && !errors.Is(err, moves.ErrTooMany) {
				return nil, err
			}
		}
	}
	h.setNamed(n, sources)
	return sources, nil
}

// moved shows what came of a channel's migration.
func (h *Host) moved(from id.Channel, to id.ChannelSource) {
	h.log.Info("a channel migrated; what is kept for it follows", "channel", h.Label(from).String(), "to", string(to))
	h.showMet(from.Network)
}

// showMet shows a plug as degraded of which two channels have become one.
func (h *Host) showMet(n id.NetworkID) {
	one, other, met := h.moves.Met(n)
	facts, ok := h.directory.Instance(n)
	if !met || !ok {
		return
	}
	reason := fmt.Sprintf("channels %q and %q are one on the network now; what is said in both members of a conversation is said twice there; remove one of them from the config", one, other)
	h.log.Warn("two channels became one", "plug", string(facts.Name), "reason", reason)
	h.supervisor(facts.Name).Degrade(reason)
}
