package host_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// D1: what was said while a plug was away, and what its network does not replay, is
// recorded and shown as a gap; it is filled from the network's history where there is
// one, oldest first, once, and not bridged, also when the host is killed meanwhile.
func TestGapsAreFilled(t *testing.T) {
	t.Parallel()
	const many = 350 // some pages
	accounts := map[id.InstanceName]simnettest.Account{
		"forgets": {History: true},
		"account": {History: true, CursorScope: simnettest.CursorAccount},
		"refuses": {History: true, Resume: simnettest.ResumeRefused, Aliases: true, References: true},
		"nothing": {Resume: simnettest.ResumeNo},
	}
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed %v", killed), func(t *testing.T) {
			t.Parallel()
			all := []simnettest.Account{{Name: "talk"}}
			for name, a := range accounts {
				a.Name = string(name)
				all = append(all, a)
			}
			net, plug := simulated(t, all...)
			o := childOptions{DataDir: dataDir(t), SettleTimeout: time.Second,
				Supervision: host.Supervision{BackoffMin: 50 * time.Millisecond, BackoffMax: 100 * time.Millisecond, MaxExits: 1000},
				Plugs:       []host.Plug{plug("talk", "talk")}}
			for name := range accounts {
				from := string(name)
				o.Plugs = append(o.Plugs, plug(name, from))
				o.Conversations = append(o.Conversations, bridge(channel(name, from), channel("talk", "to "+from)))
			}
			h := startHost(t, o)
			for _, a := range all {
				h.ready(id.InstanceName(a.Name), 0)
			}
			allListen(t, net, len(all))
			for name := range accounts {
				speak(t, net, string(name), "before")
				accepted(t, net, "to "+string(name), 1, h.log)
			}
			for name := range accounts {
				away(t, h, net, name)
				do(t, net, simnettest.Command{Say: &simnettest.Say{Channel: string(name), Text: "missed", Count: many}},
					simnettest.Command{Forget: &simnettest.Forget{Account: string(name)}})
			}
			for name := range accounts {
				do(t, net, simnettest.Command{Logins: &simnettest.Logins{Account: string(name), Verdict: simnettest.LoginAccept, Count: -1}})
			}
			gap := func(closed bool) {
				t.Helper()
				for name := range accounts {
					h.until(name, "one with a gap", func(s host.Status) bool {
						return len(s.Gaps) > 0 && (s.Gaps[0].Closed || !closed)
					})
				}
			}
			gap(false)
			if killed {
				h.kill()
			}
			gap(true)
			for name := range accounts {
				s := h.ready(name, 0)
				first := s.Gaps[0]
				want := host.Gap{Source: id.ChannelSource(name), Filled: many, Closed: true}
				switch name {
				case "account":
					want.Source = ""
				case "nothing":
					want.Filled, want.Lack = 0, "the network has no history that the plug could read"
				}
				if killed {
					want.Filled = first.Filled // the killed host had filled some
				}
				if got := (host.Gap{Source: first.Source, Filled: first.Filled, Closed: first.Closed, Lack: first.Lack}); got != want ||
					first.Reason == "" || first.Since.IsZero() || !first.Until.After(first.Since) {
					t.Errorf("%s: the gap is %+v, want %+v", name, first, want)
				}
			}
			for name := range accounts {
				allSubscribed(t, h, net, name)
				speak(t, net, string(name), "after")
				accepted(t, net, "to "+string(name), 2, h.log)
			}
			h.stop()
			ledger, err := net.Ledger(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for name := range accounts {
				var want []string
				for n := range many {
					if name != "nothing" {
						want = append(want, fmt.Sprintf("missed %d", n+1))
					}
				}
				if got := history(t, o.DataDir, "simnet:"+id.NetworkID(name)); !slices.Equal(got, want) {
					t.Errorf("%s: the journal has %d messages as history, want %d:\n%v", name, len(got), len(want), got)
				}
				var bridged []string
				for _, e := range ledger {
					if e.Kind == simnettest.Accepted && e.Channel == "to "+string(name) {
						bridged = append(bridged, e.Text)
					}
				}
				if got := strings.Join(bridged, ", "); got != "before, after" {
					t.Errorf("%s: bridged was %q", name, got)
				}
			}
		})
	}
}

// away kills a plug and keeps it away.
func away(t *testing.T, h *hostProcess, net *simnettest.Process, name id.InstanceName) {
	t.Helper()
	do(t, net, simnettest.Command{Logins: &simnettest.Logins{Account: string(name), Verdict: simnettest.LoginUnreachable, Count: -1}})
	if err := syscall.Kill(h.ready(name, 0).Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.until(name, "down", func(s host.Status) bool { return s.State == "backoff" })
}

// allSubscribed waits until the plug that runs has subscribed.
func allSubscribed(t *testing.T, h *hostProcess, net *simnettest.Process, name id.InstanceName) {
	t.Helper()
	until(t, string(name)+" listens", func() bool {
		ledger, err := net.Ledger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		connected, subscribed := 0, 0
		for _, e := range ledger {
			switch {
			case e.Account != string(name):
			case e.Kind == simnettest.Connected:
				connected++
			case e.Kind == simnettest.Subscribed:
				subscribed++
			}
		}
		return subscribed == connected
	})
}

// history reads the journal of a host that has stopped: what came as history.
func history(t *testing.T, dataDir string, n id.NetworkID) (texts []string) {
	t.Helper()
	readJournal(t, dataDir, func(ctx context.Context, j *journal.Journal) error {
		return j.ReadEvents(ctx, id.Channel{Network: n}, 1, func(_ id.Channel, r storage.Record) bool {
			record, err := journal.EventsOf(r)
			if err != nil {
				t.Error(err)
			}
			for _, e := range record.GetEvents() {
				if e.History {
					texts = append(texts, text(e))
				}
			}
			return true
		})
	})
	return texts
}
