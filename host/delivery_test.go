package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// pair is two simulated networks, bridged channel by channel by a host that is a
// process of its own.
type pair struct {
	t        *testing.T
	net      [2]*simnettest.Process
	host     *hostProcess
	channels []string
	said     int // messages in each network so far
}

var accounts = [2]id.InstanceName{"left", "right"}

func newPair(t *testing.T, channels int, settings simnettest.Account) *pair {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real processes")
	}
	bin := built(t)
	p := &pair{t: t}
	o := childOptions{DataDir: filepath.Join(t.TempDir(), "data"), SettleTimeout: 2 * time.Second}
	for i, name := range accounts {
		account := settings
		account.Name = string(name)
		net, err := simnettest.Start(t.Context(), bin.Simnetd, t.TempDir(), simnettest.Command{Account: &account})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := net.Stop(); err != nil {
				t.Errorf("stop simnetd: %v", err)
			}
		})
		p.net[i] = net
		config, err := json.Marshal(map[string]string{"address": net.Address, "account": string(name)})
		if err != nil {
			t.Fatal(err)
		}
		o.Plugs = append(o.Plugs, host.Plug{Name: name, Path: bin.Plug, Config: config})
	}
	for i := range channels {
		source := fmt.Sprintf("c%d", i)
		p.channels = append(p.channels, source)
		o.Conversations = append(o.Conversations, host.Conversation{Name: source, Members: []host.Member{
			{Channel: hook.Channel{Plug: "left", Source: id.ChannelSource(source)}, Name: "{name}"},
			{Channel: hook.Channel{Plug: "right", Source: id.ChannelSource(source)}, Name: "{name}"},
		}})
	}
	p.host = startHost(t, o)
	for _, name := range accounts {
		p.host.ready(name, 0)
	}
	for _, net := range p.net {
		allListen(t, net, 1)
	}
	// One in each channel: from here on the host has a cursor of it.
	p.talk(channels, 0)
	p.arrived()
	return p
}

// talk has strangers speak on both sides.
func (p *pair) talk(count int, perSecond float64) {
	p.t.Helper()
	for _, net := range p.net {
		if err := net.Generate(p.t.Context(), simnettest.Generate{Channels: p.channels, Count: count, First: p.said + 1, Size: 60, PerSecond: perSecond}); err != nil {
			p.t.Fatal(err)
		}
	}
	p.said += count
}

// arrived waits until each network has accepted all that was said in the other.
func (p *pair) arrived() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for i, net := range p.net {
		if err := net.Wait(ctx, simnettest.Accepted, "", p.said); err != nil {
			p.t.Errorf("network %s did not get its %d messages: %v\n%s", accounts[i], p.said, err, p.host.log())
			return
		}
	}
}

// compare holds the two ledgers against each other: each message once, in order
// (D1, D3, O6), no echo bridged back.
func (p *pair) compare() {
	p.t.Helper()
	var ledgers [2][]simnettest.Entry
	for i, net := range p.net {
		ledger, err := net.Ledger(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		ledgers[i] = ledger
	}
	for _, c := range p.channels {
		report := simnettest.Compare(
			simnettest.Member{Name: "left/" + c, Ledger: ledgers[0], Channel: c, Text: said},
			simnettest.Member{Name: "right/" + c, Ledger: ledgers[1], Channel: c, Text: said})
		if err := report.Err(); err != nil {
			p.t.Errorf("channel %s: %v\n%s", c, err, p.host.log())
		}
	}
}

// said is what a stranger said, without the name that the bridge put in front.
func said(e simnettest.Entry) string { return strings.TrimPrefix(e.Text, "stranger: ") }

func TestBridgeOnce(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, simnettest.Account{})
	p.talk(300, 0)
	p.arrived()
	p.compare()
	p.host.stop()
	p.compare()
}

// D1, D3, I3: a plug is killed in the middle of traffic, each of them, again and
// again: each message arrives once, in order, whether the network tells by echoes
// what it took, or knows an operation again.
func TestKillPlugInTraffic(t *testing.T) {
	t.Parallel()
	for name, account := range map[string]simnettest.Account{
		"echo":       {},
		"idempotent": {Idempotent: simnettest.Duration(time.Hour)},
		"no echo":    {Echo: simnettest.EchoNone, Idempotent: simnettest.Duration(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killPlugInTraffic(t, account)
		})
	}
}

func killPlugInTraffic(t *testing.T, account simnettest.Account) {
	p := newPair(t, 4, account)
	const each, rounds = 250, 4
	for round := range rounds {
		p.arrived() // as below: no send is hit by two kills
		name := accounts[round%2]
		pid := p.host.ready(name, 0).Pid
		some, done := p.said+each/4, make(chan struct{})
		go func() {
			defer close(done)
			p.talk(each, 1000)
		}()
		p.arrivedSome(some)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-done
		p.host.ready(name, pid)
	}
	p.arrived()
	p.compare()
	p.host.stop()
	nothingWaits(t, p.host.options.DataDir)
}

// D1, D3, I3: the host is killed in the middle of traffic.
func TestKillHostInTraffic(t *testing.T) {
	t.Parallel()
	p := newPair(t, 4, simnettest.Account{})
	const each, rounds = 250, 4
	for range rounds {
		// What was uncertain at the last kill is settled: a send that two kills hit is
		// parked, as the contract says, and this is about those that one hits.
		p.arrived()
		pids := map[id.InstanceName]int{}
		for _, name := range accounts {
			pids[name] = p.host.ready(name, 0).Pid
		}
		some, done := p.said+each/4, make(chan struct{})
		go func() {
			defer close(done)
			p.talk(each, 1000)
		}()
		p.arrivedSome(some)
		p.host.kill()
		<-done
		for name, pid := range pids {
			p.host.ready(name, pid)
			gone(t, name, pid)
		}
	}
	p.arrived()
	p.compare()
	p.host.stop()
	nothingWaits(t, p.host.options.DataDir)
}

// arrivedSome waits until the first network has accepted so many messages.
func (p *pair) arrivedSome(count int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	if err := p.net[0].Wait(ctx, simnettest.Accepted, "", count); err != nil {
		p.t.Errorf("waited for %d messages: %v", count, err)
	}
}

// gone waits until a process is no more, or only waits to be reaped.
func gone(t *testing.T, name id.InstanceName, pid int) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); <-tick.C {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return
		}
		if _, after, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(after, "Z") {
			return
		}
	}
	t.Errorf("plug %s, process %d, outlived the host", name, pid)
}
