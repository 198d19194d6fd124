package host

import (
	"context"
	"crypto/rand"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// bestEffort shows an event that is never stored to the hooks that take part in such,
// and carries out what they answer, at once or not at all. It doesn't block: it is
// called by the intake.
func (h *Host) bestEffort(c id.Channel, e *plugv1.Event) {
	facts, ok := h.directory.Instance(c.Network)
	if !ok || e.Own == plugv1.Own_OWN_YES || e.Own != plugv1.Own_OWN_NO && !facts.NeverEchoes {
		return
	}
	d := &hook.Delivery{
		Channel: hook.Channel{Plug: facts.Name, Source: c.Source}, Network: c.Network, NetworkName: facts.NetworkName, Event: e,
	}
	for _, hk := range append([]hook.Hook{h.bridge}, h.o.Hooks...) {
		taking, ok := hk.(hook.BestEffort)
		if !ok {
			continue
		}
		for _, send := range taking.ReceiveBestEffort(d) {
			if to, ok := h.directory.known(send.Channel); ok {
				h.put.BestEffort(context.Background(), to, rand.Text(), send.Action, nil)
			}
		}
	}
}
