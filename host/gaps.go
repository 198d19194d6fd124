package host

import (
	"time"

	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// Gap is a time of which a plug could not be told everything by its network.
type Gap struct {
	// Source is the channel; empty for all channels of the plug.
	Source id.ChannelSource
	// Since is zero if it is not known.
	Since, Until time.Time
	// Reason says why the network did not give it, for a person.
	Reason string
	// Filled counts the messages that the network's history gave since; they are in
	// the journal and were not bridged.
	Filled int
	// Closed tells that nothing more is done to fill it.
	Closed bool
	// Lack says why nothing, or not all, could be filled; empty: all was, or will be.
	Lack string
}

// setGaps notes the gaps of a network, and tells who watches its plug.
func (h *Host) setGaps(n id.NetworkID, gaps []*journalv1.GapRecord) {
	h.mu.Lock()
	before := h.gaps[n]
	h.gaps[n] = gaps
	h.mu.Unlock()
	if facts, ok := h.directory.Instance(n); ok && len(before)+len(gaps) > 0 {
		h.supervisor(facts.Name).Show()
	}
}

func publicGaps(records []*journalv1.GapRecord) []Gap {
	gaps := make([]Gap, len(records))
	for i, r := range records {
		gaps[i] = Gap{Source: id.ChannelSource(r.Gap.Scope), Until: r.Gap.Until.AsTime(), Reason: r.Gap.Reason,
			Filled: int(r.Filled), Closed: r.ClosedTime != nil, Lack: r.Lack}
		if r.Gap.Since != nil {
			gaps[i].Since = r.Gap.Since.AsTime()
		}
	}
	return gaps
}
