package host_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// simulated starts a network with accounts, and gives plugs for them.
func simulated(t *testing.T, accounts ...simnettest.Account) (*simnettest.Process, func(id.InstanceName, string) host.Plug) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real processes")
	}
	bin := built(t)
	var commands []simnettest.Command
	for _, a := range accounts {
		commands = append(commands, simnettest.Command{Account: &a})
	}
	net, err := simnettest.Start(t.Context(), bin.Simnetd, t.TempDir(), commands...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = net.Stop() })
	return net, func(name id.InstanceName, account string) host.Plug {
		config, err := json.Marshal(map[string]string{"address": net.Address, "account": account})
		if err != nil {
			t.Fatal(err)
		}
		return host.Plug{Name: name, Path: bin.Plug, Config: config}
	}
}

func (h *hostProcess) becomes(name id.InstanceName, state, reason string) {
	h.t.Helper()
	h.until(name, state+" because of "+reason, func(s host.Status) bool {
		return s.State == state && strings.Contains(s.Reason, reason)
	})
}

// "Each plug should provide a constant identifier that uniquely defines access to
// the underlying network": two instances that are one access never both run.
func TestOneNetworkTwice(t *testing.T) {
	t.Parallel()
	_, plug := simulated(t, simnettest.Account{Name: "ann"}, simnettest.Account{Name: "bo"})
	h := startHost(t, childOptions{DataDir: filepath.Join(t.TempDir(), "data"), Plugs: []host.Plug{plug("one", "ann"), plug("other", "bo")}})
	h.ready("one", 0)
	h.ready("other", 0)
	h.stop()

	// Another instance with the account of the first: it is held, and the first
	// goes on.
	h = startHost(t, childOptions{DataDir: filepath.Join(t.TempDir(), "data"), Plugs: []host.Plug{plug("one", "ann")}})
	h.ready("one", 0)
	h.stop()
	h.options.Plugs = append(h.options.Plugs, plug("twin", "ann"))
	h.start()
	held, running := id.InstanceName("twin"), id.InstanceName("one")
	h.until("twin", "ready or held", func(s host.Status) bool {
		if s.State == "ready" {
			held, running = running, held
		}
		return s.State == "ready" || s.State == "held"
	})
	h.ready(running, 0)
	h.becomes(held, "held", "plug "+string(running)+` is already network "simnet:ann"`)
}

// "... constant": an instance that is another network than it was is held, so that
// what is stored of the one never goes to the other.
func TestAnotherNetwork(t *testing.T) {
	t.Parallel()
	_, plug := simulated(t, simnettest.Account{Name: "ann"}, simnettest.Account{Name: "bo"})
	h := startHost(t, childOptions{DataDir: filepath.Join(t.TempDir(), "data"), Plugs: []host.Plug{plug("one", "ann")}})
	h.ready("one", 0)
	h.stop()
	h.options.Plugs = []host.Plug{plug("one", "bo")}
	h.start()
	h.becomes("one", "held", `now network "simnet:bo" and was "simnet:ann"`)
	h.stop()
	h.options.Plugs = []host.Plug{plug("one", "ann")}
	h.start()
	h.ready("one", 0)
	h.stop()
}

// "For disconnected instances within a single network, an identifier for the
// instance should also be included to avoid ID clashes": the same ids on both
// sides are different messages; "each channel needs a unique string": as the
// network itself writes it, or constant where it has none.
func TestSameIDsAndCanonicalSources(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t,
		simnettest.Account{Name: "ann", NetworkID: "simnet:space:ann"},
		simnettest.Account{Name: "bo", NetworkID: "simnet:space:bo", NoChannels: true})
	if _, err := net.Do(t.Context(), simnettest.Command{Network: &simnettest.NetworkSettings{CollidingIDs: true}}); err != nil {
		t.Fatal(err)
	}
	member := func(plug id.InstanceName, source id.ChannelSource) host.Member {
		return host.Member{Channel: hook.Channel{Plug: plug, Source: source}, Name: "{name}"}
	}
	o := childOptions{DataDir: filepath.Join(t.TempDir(), "data"), SettleTimeout: time.Second,
		Plugs:         []host.Plug{plug("one", "ann"), plug("other", "bo")},
		Conversations: []host.Conversation{{Name: "c", Members: []host.Member{member("one", "#Case"), member("other", "all")}}}}
	h := startHost(t, o)
	h.ready("one", 0)
	h.ready("other", 0)
	allListen(t, net, 2)
	for range 3 {
		for _, channel := range []string{"#case", "@bo"} {
			if _, err := net.Say(t.Context(), channel, "stranger", "hello from "+channel); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, channel := range []string{"#case", "@bo"} {
		if err := net.Wait(t.Context(), simnettest.Accepted, channel, 3); err != nil {
			t.Fatalf("%s: %v\n%s", channel, err, h.log())
		}
	}
	h.stop()
	ledger, err := net.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, e := range ledger {
		if e.ID != "" {
			ids[e.ID]++
		}
		if e.Kind == simnettest.Accepted && strings.HasSuffix(e.Text, e.Channel) {
			t.Errorf("%q came back to where it was said", e.Text)
		}
	}
	if ids["1"] < 2 {
		t.Errorf("the ids did not collide: %v", ids)
	}
}

// S2, I1: a plug that can't run is no reason for the host or another not to.
func TestBadPlugs(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "ann"})
	missing, crashing, refused := plug("missing", "x"), plug("crashing", "y"), plug("refused", "z")
	missing.Path = "/nowhere/plug"
	crashing.Path = "/bin/false"
	refused.Config = json.RawMessage(`{"address": "nonsense without a port", "account": "z"}`)
	if _, err := net.Do(t.Context(), simnettest.Command{Logins: &simnettest.Logins{Account: "later", Verdict: simnettest.LoginUnreachable, Count: 2}}); err != nil {
		t.Fatal(err)
	}
	o := childOptions{DataDir: filepath.Join(t.TempDir(), "data"), Plugs: []host.Plug{missing, crashing, plug("good", "ann"), plug("later", "later"), refused}}
	o.Supervision = host.Supervision{BackoffMin: 50 * time.Millisecond, BackoffMax: 100 * time.Millisecond}
	h := startHost(t, o)
	h.ready("good", 0)
	h.becomes("missing", "failed", "/nowhere/plug")
	h.becomes("crashing", "failed", "")
	h.until("refused", "not ready", func(s host.Status) bool { return s.State == "failed" || s.State == "backoff" })
	h.ready("later", 0) // the network is there again
	h.stop()
}

// D3, S2: a plug that the config has spoiled is failed with the reason, and what is
// said to it meanwhile waits for it.
func TestFaultKeepsMessages(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "ann"}, simnettest.Account{Name: "bo"})
	member := func(plug id.InstanceName, source id.ChannelSource) host.Member {
		return host.Member{Channel: hook.Channel{Plug: plug, Source: source}, Name: "{name}"}
	}
	o := childOptions{DataDir: filepath.Join(t.TempDir(), "data"), Plugs: []host.Plug{plug("one", "ann"), plug("other", "bo")},
		Conversations: []host.Conversation{{Name: "c", Members: []host.Member{member("one", "a"), member("other", "b")}}}}
	h := startHost(t, o)
	h.ready("one", 0)
	h.ready("other", 0)
	allListen(t, net, 2)
	if _, err := net.Say(t.Context(), "a", "stranger", "first"); err != nil {
		t.Fatal(err)
	}
	accepted(t, net, "b", 1, h.log) // from here on the host has a cursor of the channel
	h.stop()
	h.options.Plugs[1].Fault = "its config is wrong"
	h.start()
	h.ready("one", 0)
	if _, err := net.Say(t.Context(), "a", "stranger", "for later"); err != nil {
		t.Fatal(err)
	}
	h.stop()
	h.options.Plugs[1].Fault = ""
	h.start()
	accepted(t, net, "b", 2, h.log)
	h.stop()
}
