package host_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// Bridging 1, 3, 4: everything arrives once though the host or a plug is killed after
// every step, while it is on its way: what was known of copies, reactions and names is
// known again.
func TestEverythingIsBridgedOverKills(t *testing.T) {
	t.Parallel()
	const hour, soon = simnettest.Duration(time.Hour), simnettest.Duration(40 * time.Millisecond)
	accounts := map[string]simnettest.Account{
		"id":         {},
		"named":      {Aliases: true, References: true},
		"by-id":      {Reactions: simnettest.ReactionsByID},
		"whole":      {Reactions: simnettest.ReactionsWhole},
		"idempotent": {Echo: simnettest.EchoOwn, Idempotent: hour},
		"none":       {Echo: simnettest.EchoNone, Idempotent: hour},
	}
	channels := map[string]simnettest.Channel{
		"before": {Echo: simnettest.Before, EchoDelay: soon, AnswerDelay: soon},
		"after":  {Echo: simnettest.After, EchoDelay: soon, AnswerDelay: soon},
	}
	all := []simnettest.Account{{Name: "talk", Aliases: true, References: true}}
	for name, a := range accounts {
		a.Name = name
		all = append(all, a)
	}
	net, plug := simulated(t, all...)
	do(t, net, simnettest.Command{Network: &simnettest.NetworkSettings{CollidingIDs: true}})
	o := childOptions{DataDir: dataDir(t), SettleTimeout: time.Second,
		Supervision: host.Supervision{BackoffMin: 50 * time.Millisecond, BackoffMax: 100 * time.Millisecond, MaxExits: 1000}}
	talks := map[string]*talk{}
	for _, a := range all {
		o.Plugs = append(o.Plugs, plug(id.InstanceName(a.Name), a.Name))
		for kind, c := range channels {
			if a.Name == "talk" {
				continue
			}
			c.Name = a.Name + " " + kind
			do(t, net, simnettest.Command{Channel: &c})
			from := "to " + c.Name
			o.Conversations = append(o.Conversations, bridge(channel("talk", from), channel(id.InstanceName(a.Name), c.Name)))
			talks[c.Name] = &talk{t: t, net: net, here: from, there: c.Name}
		}
	}
	h := startHost(t, o)
	for _, x := range talks {
		x.log = h.log
	}
	for _, a := range all {
		h.ready(id.InstanceName(a.Name), 0)
	}
	allListen(t, net, len(all))
	settle(talks, -1) // from here on the host has a cursor of each channel
	round := 0
	play(talks, func() {
		round++
		switch round % 3 {
		case 0:
			h.kill()
			return
		case 1:
			kill(t, h, "talk")
		}
		for name := range accounts {
			kill(t, h, id.InstanceName(name))
		}
	})
	h.stop()
	over(t, talks)
	nothingWaits(t, o.DataDir)
}

// kill kills a plug.
func kill(t *testing.T, h *hostProcess, name id.InstanceName) {
	t.Helper()
	if err := syscall.Kill(h.ready(name, 0).Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
