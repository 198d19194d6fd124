package host

import (
	"cmp"
	"context"
	"fmt"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/link"
	"github.com/plughost/plughost/host/internal/lookup"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Users looks up the people of a plug's network. That the plug is not there, is down,
// or can't do it is told by the calls.
func (h *Host) Users(plug id.InstanceName) hook.Users { return h.lookups().Users(plug) }

// Channels looks up and changes the channels of a plug's network, as Users.
func (h *Host) Channels(plug id.InstanceName) hook.Channels { return h.lookups().Channels(plug) }

// History reads what a plug's network keeps, as Users.
func (h *Host) History(plug id.InstanceName) hook.History { return h.lookups().History(plug) }

func (h *Host) lookups() *lookup.Lookups {
	return &lookup.Lookups{Plugs: livePlugs{h}, Error: explain}
}

// livePlugs implements lookup.Plugs.
type livePlugs struct{ *Host }

// Link implements lookup.Plugs.
func (p livePlugs) Link(plug id.InstanceName) (lookup.Link, error) {
	if err := p.known(plug); err != nil {
		return nil, err
	}
	p.mu.Lock()
	l := p.links[plug]
	p.mu.Unlock()
	if l != nil {
		return l, nil
	}
	for _, s := range p.Status() {
		if s.Plug == plug {
			return nil, link.Down(plug, fmt.Sprintf("it is %s, so it can't be asked: %s", s.State, cmp.Or(s.Reason, "try again soon")))
		}
	}
	return nil, errStopped
}

// setLink notes the link to a plug that is up; nil: it is down.
func (h *Host) setLink(plug id.InstanceName, l *link.Link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l == nil {
		delete(h.links, plug)
		return
	}
	h.links[plug] = l
}

// Canonical implements lookup.Plugs.
func (p livePlugs) Canonical(c hook.Channel) hook.Channel { return p.directory.Now(c) }

// Delivery implements lookup.Plugs.
func (p livePlugs) Delivery(ctx context.Context, plug id.InstanceName, e *plugv1.Event) (*hook.Delivery, error) {
	network := p.directory.network(plug)
	facts, _ := p.directory.Instance(network)
	home := p.directory.Canonical(hook.Channel{Plug: plug, Source: id.ChannelSource(e.Channel)})
	d := &hook.Delivery{Channel: home, Network: network, NetworkName: facts.NetworkName, Event: e}
	if e.Own == plugv1.Own_OWN_NO {
		return d, nil
	}
	origin, err := p.put.Origin(ctx, d.In(), e)
	d.Origin = origin
	d.Ours = origin != nil || e.Own == plugv1.Own_OWN_YES || !facts.NeverEchoes
	return d, err
}
