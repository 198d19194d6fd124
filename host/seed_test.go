package host_test

import (
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// "For disconnected instances within a single network, an identifier for the
// instance should also be included to avoid ID clashes": two instances that know
// nothing of each other, one account name, one channel name, the same message ids.
// What is said in one arrives in the other, once, in order, both ways.
func TestDisconnectedInstances(t *testing.T) {
	t.Parallel()
	const each = 50
	var nets [2]*simnettest.Process
	o := host.Options{Conversations: []host.Conversation{bridge(channel("east", "room"), channel("west", "room"))}}
	for i, name := range []id.InstanceName{"east", "west"} {
		var plug func(id.InstanceName, string) host.Plug
		nets[i], plug = simulated(t, simnettest.Account{Name: "bot", NetworkID: "simnet:" + string(name) + ":bot"})
		do(t, nets[i], simnettest.Command{Network: &simnettest.NetworkSettings{CollidingIDs: true}})
		o.Plugs = append(o.Plugs, plug(name, "bot"))
	}
	h := runHere(t, o, nets[:]...)
	for i, net := range nets {
		if err := net.Generate(t.Context(), simnettest.Generate{Channels: []string{"room"}, Count: each, First: 1 + i*each, Size: 20}); err != nil {
			t.Fatal(err)
		}
	}
	var members [2]simnettest.Member
	var ids [2]map[string]bool
	for i, net := range nets {
		accepted(t, net, "room", each, h.log.String)
		ledger, err := net.Ledger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		members[i] = simnettest.Member{Name: string(o.Plugs[i].Name), Ledger: ledger, Channel: "room"}
		ids[i] = map[string]bool{}
		for _, e := range ledger {
			ids[i][e.ID] = e.ID != ""
		}
	}
	if err := simnettest.Compare(members[0], members[1]).Err(); err != nil {
		t.Errorf("%v\n%s", err, h.log)
	}
	clashes := 0
	for name, is := range ids[0] {
		if is && ids[1][name] {
			clashes++
		}
	}
	if clashes != 2*each {
		t.Errorf("%d message ids are the same in both, want all %d", clashes, 2*each)
	}
}

// "Each channel needs a source, a unique string wrapper for underlying channel IDs"
// and "if a network has no concept of channels, use a constant-source channel": the
// config says "#Case", the network "#case", and the other one says nothing.
func TestCanonicalAndConstantSource(t *testing.T) {
	t.Parallel()
	const each = 20
	net, plug := simulated(t, simnettest.Account{Name: "irc"}, simnettest.Account{Name: "sms", NoChannels: true})
	h := runHere(t, host.Options{
		Plugs:         []host.Plug{plug("irc", "irc"), plug("sms", "sms")},
		Conversations: []host.Conversation{bridge(channel("irc", "#Case"), channel("sms", "simnet"))},
	}, net)
	for i, name := range []string{"#case", "@sms"} {
		if err := net.Generate(t.Context(), simnettest.Generate{Channels: []string{name}, Count: each, First: 1 + i*each, Size: 20}); err != nil {
			t.Fatal(err)
		}
	}
	accepted(t, net, "#case", each, h.log.String)
	accepted(t, net, "@sms", each, h.log.String)
	h.echoed(channel("irc", "#case"), each)
	h.echoed(channel("sms", "simnet"), each)
	h.stop()
	once(t, net, "#case", "@sms")
	h.l.mu.Lock()
	defer h.l.mu.Unlock()
	for _, d := range h.l.given {
		if s := d.Channel.Source; s != "#case" && s != "simnet" {
			t.Errorf("%q was yielded as channel %s", text(d.Event), d.Channel)
		}
	}
}

// "... unique": two names in the config that are one channel of the network are a
// mistake, which is told.
func TestTwoNamesOfOneChannel(t *testing.T) {
	t.Parallel()
	_, plug := simulated(t, simnettest.Account{Name: "irc"})
	p := plug("irc", "irc")
	p.Sources = []id.ChannelSource{"#Case", "#case"}
	h := startHost(t, childOptions{DataDir: dataDir(t), Plugs: []host.Plug{p}})
	h.becomes("irc", "failed", `channels "#Case" and "#case" are one channel of the network, "#case"; keep one of them`)
	h.stop()
}

// "You'll need to create your own background task during start() (it must not block
// the startup), and cancel it during stop()": the first pick-up blocks, the plug is
// ready and takes Puts; it is stopped in order while the pick-up still blocks.
func TestStartReturnsWhilePickUpBlocks(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "talk"}, simnettest.Account{Name: "bot", TwoCallFetch: true})
	o := host.Options{
		DataDir:       dataDir(t),
		Plugs:         []host.Plug{plug("talk", "talk"), plug("bot", "bot")},
		Conversations: []host.Conversation{bridge(channel("talk", "a"), channel("bot", "b"))},
	}
	// It learns where "now" is in the first life; in the second something waits.
	h := runHere(t, o, net)
	speak(t, net, "b", "before")
	h.l.until(t, "before")
	h.stop()
	do(t, net, simnettest.Command{Hold: &simnettest.Hold{Channel: "b", Stage: simnettest.StageFetches}})
	speak(t, net, "b", "blocks")

	h = runHere(t, o, net)
	if err := net.Wait(t.Context(), simnettest.Fetched, "b", 2); err != nil {
		t.Fatal(err)
	}
	until(t, "the plug is ready", func() bool { return h.Status()[1].State == "ready" })
	speak(t, net, "a", "hello")
	accepted(t, net, "b", 1, h.log.String)
	if h.l.find("blocks") != nil {
		t.Error("the message was yielded before its second call returned: it doesn't block")
	}
	begun := time.Now()
	h.stop()
	if took := time.Since(begun); took >= stopLimit {
		t.Errorf("the host took %v to stop", took)
	}
	if log := h.log.String(); strings.Contains(log, "did not disconnect in order") || strings.Contains(log, "goes on after its context") || !strings.Contains(log, "state=stopped") {
		t.Errorf("the plug was not stopped in order:\n%s", log)
	}
}

// The lock of the seed, seen from the other side: while one half of a pick-up
// blocks, sends go on and return (O2: a waiting drain never delays a new Put);
// their echoes wait in line behind it, and know whose they are when they come.
func TestSendsReturnWhilePickUpBlocks(t *testing.T) {
	t.Parallel()
	const sends = 5
	for name, scoped := range map[string]bool{"plug scope": true, "channel scope": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			net, plug := simulated(t, simnettest.Account{Name: "talk"},
				simnettest.Account{Name: "bot", TwoCallFetch: true, TwoCallSend: true, Echo: simnettest.EchoOwn})
			o := host.Options{
				DataDir:       dataDir(t),
				Plugs:         []host.Plug{plug("talk", "talk"), plug("bot", "bot")},
				Conversations: []host.Conversation{bridge(channel("talk", "a"), channel("bot", "b"))},
			}
			if scoped {
				o.Plugs[1].Path = built(t).PlugWithScope
			}
			h := runHere(t, o, net)
			do(t, net, simnettest.Command{Hold: &simnettest.Hold{Channel: "b", Stage: simnettest.StageFetches}})
			speak(t, net, "b", "blocks")
			if err := net.Wait(t.Context(), simnettest.Fetched, "b", 1); err != nil {
				t.Fatal(err)
			}
			for range sends {
				speak(t, net, "a", "hello")
			}
			// The second one begins only when the first has returned, and so on.
			accepted(t, net, "b", sends, h.log.String)
			if n := len(h.in(channel("bot", "b"))); n != 0 {
				t.Errorf("%d events were yielded of a channel whose pick-up blocks", n)
			}
			do(t, net, simnettest.Command{Release: &simnettest.Release{Channel: "b", Stage: simnettest.StageFetches}})
			h.echoed(channel("bot", "b"), sends)
			given := h.in(channel("bot", "b"))
			if len(given) != sends+1 || given[0].Ours || text(given[0].Event) != "blocks" {
				t.Fatalf("yielded were %d events, the first %v", len(given), given[0].Event)
			}
			for _, d := range given[1:] {
				if d.Origin == nil {
					t.Errorf("an echo was yielded without its origin: %v", d.Event)
				}
			}
			accepted(t, net, "a", 1, h.log.String)
			h.stop()
			once(t, net, "a", "b")
			nothingWaits(t, o.DataDir)
		})
	}
}
