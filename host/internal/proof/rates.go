package proof

import (
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Rate is what a network takes at the most; 0 per second: anything.
type Rate struct {
	Burst     uint32
	PerSecond float64
}

// limits is what the plug declares of its network's rate.
func (n *network) limits() *plugv1.Limits {
	if n.Rate.PerSecond == 0 {
		return nil
	}
	rate := &plugv1.Rate{Burst: n.Rate.Burst, PerSecond: n.Rate.PerSecond}
	if n.RateOfAll {
		return &plugv1.Limits{PlugRate: rate}
	}
	return &plugv1.Limits{ChannelRate: rate}
}

// bucket is what a network may be asked still, by its rate. It is full before the first
// Put, and knows nothing of hosts that die.
type bucket struct {
	tokens float64
	asked  time.Time // last
}

// checkPace checks that a network is asked no more than it declared to take (contract,
// "Limits").
func (w *witness) checkPace(n *network, ch *channel, a *attempt) {
	if n.Rate.PerSecond == 0 {
		return
	}
	b := &ch.bucket
	if n.RateOfAll {
		b = &w.networks[n.id].bucket
	}
	burst := float64(n.Rate.Burst)
	since := a.begun.Sub(b.asked)
	if b.asked.IsZero() {
		b.tokens = burst
	}
	b.tokens = min(burst, b.tokens+n.Rate.PerSecond*since.Seconds())
	if b.tokens < 1-rounding {
		w.breachLocked("pace", "attempt %d of %s, with %.3f of a token left", a.number, a.id, b.tokens)
	}
	if b.tokens < 1+rounding && since.Seconds()*n.Rate.PerSecond < 1+rounding {
		w.counts[Paced]++ // it began as soon as it might
	}
	b.tokens--
	b.asked = a.begun
}

// rounding is what a token may lack.
const rounding = 1e-3
