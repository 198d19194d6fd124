package conversation

import (
	"sync"

	"github.com/plughost/plughost/host/hook"
)

// hearing finds the members whose channel something is said in, by its canonical source.
// It costs the same with two channels as with ten thousand: they are put in order anew
// only when what they are called has changed. Safe for concurrent use.
type hearing struct {
	channels Channels

	mu      sync.Mutex
	version uint64
	by      map[hook.Channel][]place // nil: not in order yet; not changed once it is
}

// place is a member of a conversation.
type place struct {
	conversation *Conversation
	member       int
}

// places gives a channel's members, in each conversation the first one that is heard.
func (h *hearing) places(conversations []Conversation, c hook.Channel) []place {
	h.mu.Lock()
	defer h.mu.Unlock()
	// Asked before: a change meanwhile is for the next time.
	if version := h.channels.Version(); h.by == nil || version != h.version {
		h.by, h.version = map[hook.Channel][]place{}, version
		for i := range conversations {
			h.order(&conversations[i])
		}
	}
	return h.by[c]
}

func (h *hearing) order(c *Conversation) {
	here := map[hook.Channel]bool{}
	for i, m := range c.Members {
		if m.Direction == Out {
			continue
		}
		if said := h.channels.Canonical(m.Channel); !here[said] {
			here[said] = true
			h.by[said] = append(h.by[said], place{c, i})
		}
	}
}
