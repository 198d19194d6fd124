package host_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// D1, D3, O4: a plug ends in the middle of a Put, at every point of it; the message
// is there once, whether the network tells by an echo that it was sent, or takes
// the second attempt for the first.
func TestPlugEndsInsideAPut(t *testing.T) {
	t.Parallel()
	settings := map[string]simnettest.Account{
		"echo":       {},
		"idempotent": {Echo: simnettest.EchoNone, Idempotent: simnettest.Duration(time.Hour)},
	}
	faults := map[simnettest.Point]simnettest.Fault{
		simnettest.BeforeSend:   simnettest.FaultExit,
		simnettest.AfterAccept:  simnettest.FaultCrash,
		simnettest.BeforeAnswer: simnettest.FaultExit,
	}
	accounts := []simnettest.Account{{Name: "talk"}}
	for setting, account := range settings {
		for point := range faults {
			account.Name = fmt.Sprintf("%s-%s", setting, point)
			accounts = append(accounts, account)
		}
	}
	net, plug := simulated(t, accounts...)
	o := childOptions{DataDir: dataDir(t), SettleTimeout: time.Second,
		Supervision: host.Supervision{BackoffMin: 100 * time.Millisecond}}
	for _, a := range accounts {
		o.Plugs = append(o.Plugs, plug(id.InstanceName(a.Name), a.Name))
		if a.Name != "talk" {
			o.Conversations = append(o.Conversations, bridge(channel("talk", "to "+a.Name), channel(id.InstanceName(a.Name), a.Name)))
		}
	}
	h := startHost(t, o)
	for _, a := range accounts {
		h.ready(id.InstanceName(a.Name), 0)
	}
	allListen(t, net, len(accounts))
	for _, a := range accounts[1:] {
		known(t, net, a.Name, "to "+a.Name, h.log)
	}
	for point, fault := range faults {
		for setting := range settings {
			name := fmt.Sprintf("%s-%s", setting, point)
			do(t, net, simnettest.Command{Plug: &simnettest.Plug{Account: name, Fault: fault, At: point}})
			for _, text := range []string{"one", "two", "two"} {
				speak(t, net, "to "+name, text)
			}
			speak(t, net, name, "three")
		}
	}
	for point := range faults {
		for setting := range settings {
			name := fmt.Sprintf("%s-%s", setting, point)
			accepted(t, net, name, 3, h.log)
			accepted(t, net, "to "+name, 2, h.log)
			if s := h.ready(id.InstanceName(name), 0); s.Restarts != 1 {
				t.Errorf("%s was restarted %d times", name, s.Restarts)
			}
		}
	}
	// The last ones are accepted; when what comes behind them is, they are settled.
	for _, a := range accounts[1:] {
		speak(t, net, "to "+a.Name, "four")
		accepted(t, net, a.Name, 4, h.log)
	}
	h.stop()
	for _, a := range accounts[1:] {
		ledger := once(t, net, "to "+a.Name, a.Name)
		asked := lines(ledger, simnettest.Repeated, a.Name)
		sentBefore := !strings.HasSuffix(a.Name, string(simnettest.BeforeSend))
		switch {
		case a.Echo == "" && asked > 0:
			t.Errorf("%s: a message was asked for again %d times, though its echo had come", a.Name, asked)
		case a.Echo != "" && sentBefore && asked != 1:
			t.Errorf("%s: the second attempt came %d times, want once", a.Name, asked)
		}
	}
	nothingWaits(t, o.DataDir)
}

// I1, O7, S3: a plug that is frozen in the middle of a Put is found and killed, and
// comes back; meanwhile others go on; what was under way is sent once.
func TestFrozenPlug(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "talk"}, simnettest.Account{Name: "frozen"}, simnettest.Account{Name: "other"})
	o := childOptions{DataDir: dataDir(t), SettleTimeout: time.Second,
		Plugs: []host.Plug{plug("talk", "talk"), plug("frozen", "frozen"), plug("other", "other")},
		Conversations: []host.Conversation{
			bridge(channel("talk", "a"), channel("frozen", "frozen")),
			bridge(channel("talk", "b"), channel("other", "other")),
		}}
	h := startHost(t, o)
	for _, p := range o.Plugs {
		h.ready(p.Name, 0)
	}
	allListen(t, net, len(o.Plugs))
	known(t, net, "frozen", "a", h.log)
	do(t, net, simnettest.Command{Hold: &simnettest.Hold{Channel: "frozen", Stage: simnettest.StageAnswers}})
	speak(t, net, "a", "one")
	accepted(t, net, "frozen", 1, h.log)
	pid := h.ready("frozen", 0).Pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	do(t, net, simnettest.Command{Release: &simnettest.Release{Channel: "frozen", Stage: simnettest.StageAnswers}})
	speak(t, net, "a", "two")
	speak(t, net, "frozen", "three")

	const many = 100 // done long before the frozen one is found, after 30 s
	if err := net.Generate(t.Context(), simnettest.Generate{Channels: []string{"b", "other"}, Count: 2 * many, Size: 60}); err != nil {
		t.Fatal(err)
	}
	accepted(t, net, "b", many, h.log)
	accepted(t, net, "other", many, h.log)
	if s := h.ready("frozen", 0); s.Pid != pid {
		t.Errorf("the frozen plug was restarted before the others were done: too few messages to show that they went on")
	}

	h.ready("frozen", pid)
	gone(t, "frozen", pid)
	if reason := h.was("frozen", "stopping").Reason; !strings.Contains(reason, "it hung") {
		t.Errorf("the reason of its end is %q, want that it hung", reason)
	}
	accepted(t, net, "frozen", 2, h.log)
	accepted(t, net, "a", 2, h.log)
	speak(t, net, "a", "four")
	accepted(t, net, "frozen", 3, h.log)
	h.stop()
	once(t, net, "a", "frozen")
	once(t, net, "b", "other")
	nothingWaits(t, o.DataDir)
}

// I2, S4: the host stops in time whatever plugs do: one is frozen, one hangs in a
// Put, deaf to its deadline, and one waits in a pick-up. Nothing of them is left,
// and what was under way is there once after the next start.
func TestStopWithPlugsThatHang(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "talk"}, simnettest.Account{Name: "frozen"},
		simnettest.Account{Name: "deaf"}, simnettest.Account{Name: "waiting", TwoCallFetch: true})
	o := childOptions{DataDir: dataDir(t), SettleTimeout: time.Second,
		Plugs: []host.Plug{plug("talk", "talk"), plug("frozen", "frozen"), plug("deaf", "deaf"), plug("waiting", "waiting")},
		Conversations: []host.Conversation{
			bridge(channel("talk", "a"), channel("frozen", "frozen")),
			bridge(channel("talk", "b"), channel("deaf", "deaf")),
			bridge(channel("talk", "c"), channel("waiting", "waiting")),
		}}
	h := startHost(t, o)
	pids := map[id.InstanceName]int{}
	for _, p := range o.Plugs {
		pids[p.Name] = h.ready(p.Name, 0).Pid
	}
	do(t, net,
		simnettest.Command{Plug: &simnettest.Plug{Account: "deaf", Fault: simnettest.FaultHang, At: simnettest.AfterAccept}},
		simnettest.Command{Hold: &simnettest.Hold{Channel: "waiting", Stage: simnettest.StageFetches}})
	speak(t, net, "b", "one")
	accepted(t, net, "deaf", 1, h.log)
	speak(t, net, "waiting", "two")
	if err := net.Wait(t.Context(), simnettest.Fetched, "waiting", 1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pids["frozen"], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	speak(t, net, "a", "three")

	begun := time.Now()
	h.stop()
	if took := time.Since(begun); took >= stopLimit {
		t.Errorf("the host took %v to stop", took)
	}
	for name, pid := range pids {
		gone(t, name, pid)
		if s := h.states(name); s[len(s)-1] != "stopped" {
			t.Errorf("plug %s went through the states %v", name, s)
		}
	}

	do(t, net, simnettest.Command{Release: &simnettest.Release{Channel: "waiting", Stage: simnettest.StageFetches}})
	h.start()
	accepted(t, net, "frozen", 1, h.log)
	accepted(t, net, "c", 1, h.log)
	speak(t, net, "b", "four")
	accepted(t, net, "deaf", 2, h.log)
	h.stop()
	once(t, net, "a", "frozen")
	once(t, net, "b", "deaf")
	once(t, net, "c", "waiting")
	nothingWaits(t, o.DataDir)
}

// S1, S2: what becomes of a plug is seen in its states, with a reason; one that
// can't reach its network is tried for ever, and counts as no crash; the good ones
// go on.
func TestStatesAreSeen(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "talk"}, simnettest.Account{Name: "good"})
	do(t, net,
		simnettest.Command{Logins: &simnettest.Logins{Account: "away", Verdict: simnettest.LoginUnreachable, Message: "no route", Count: 4}},
		simnettest.Command{Logins: &simnettest.Logins{Account: "thrown-out", Verdict: simnettest.LoginLoggedOut, Message: "wrong password", Count: -1}},
		simnettest.Command{Logins: &simnettest.Logins{Account: "wrong", Verdict: simnettest.LoginBadConfig, Field: "/account", Message: "no such account", Count: -1}})
	crashing := plug("crashing", "x")
	crashing.Path = "/bin/false"
	o := childOptions{DataDir: dataDir(t),
		Supervision: host.Supervision{BackoffMin: 10 * time.Millisecond, BackoffMax: 20 * time.Millisecond, MaxExits: 2},
		Plugs: []host.Plug{crashing, plug("away", "away"), plug("thrown-out", "thrown-out"), plug("wrong", "wrong"),
			plug("talk", "talk"), plug("good", "good")},
		Conversations: []host.Conversation{bridge(channel("talk", "a"), channel("good", "good")),
			bridge(channel("talk", "b"), channel("away", "away"))}}
	h := startHost(t, o)
	h.becomes("thrown-out", "held", "wrong password")
	h.becomes("wrong", "failed", "at /account")
	h.becomes("crashing", "failed", "restart it or replace its binary")
	if h.was("crashing", "failed").NextTry.IsZero() {
		t.Error("a plug that crashed too often is not tried again")
	}
	h.ready("good", 0)
	h.ready("talk", 0)
	if err := net.WaitAccount(t.Context(), simnettest.Subscribed, "talk", 1); err != nil {
		t.Fatal(err)
	}
	speak(t, net, "a", "hello")
	accepted(t, net, "good", 1, h.log)
	if s := h.ready("away", 0); s.Restarts != 4 {
		t.Errorf("the plug whose network was away was restarted %d times, want 4", s.Restarts)
	}
	if s := h.was("away", "backoff"); !strings.Contains(s.Reason, "no route") || s.NextTry.IsZero() {
		t.Errorf("in back-off its status was %+v", s)
	}
	speak(t, net, "b", "are you there again")
	accepted(t, net, "away", 1, h.log)
	h.stop()
	for name, want := range map[id.InstanceName][]string{
		"good":       {"starting", "ready", "stopping", "stopped"},
		"thrown-out": {"starting", "stopping", "held", "stopped"},
		"wrong":      {"starting", "stopping", "failed", "stopped"},
	} {
		if got := h.states(name); !slices.Equal(got, want) {
			t.Errorf("plug %s went through %v, want %v", name, got, want)
		}
	}
	if s := h.states("away"); slices.Contains(s, "failed") || slices.Contains(s, "held") {
		t.Errorf("a plug whose network was away went through %v", s)
	}
}

// S3: a connection that looks open and is dead is found: the plug is degraded, then
// restarted, and that is no crash of its own. What was said meanwhile arrives.
func TestSilentNetwork(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "talk"}, simnettest.Account{Name: "silent", MaxSilence: simnettest.Duration(3 * time.Second)})
	o := childOptions{DataDir: dataDir(t), SettleTimeout: time.Second, Supervision: host.Supervision{MaxExits: 1},
		Plugs:         []host.Plug{plug("talk", "talk"), plug("silent", "silent")},
		Conversations: []host.Conversation{bridge(channel("talk", "a"), channel("silent", "silent"))}}
	h := startHost(t, o)
	h.ready("talk", 0)
	pid := h.ready("silent", 0).Pid
	allListen(t, net, len(o.Plugs))
	known(t, net, "silent", "a", h.log)
	do(t, net, simnettest.Command{Freeze: &simnettest.Freeze{Account: "silent"}})
	speak(t, net, "silent", "one")
	h.becomes("silent", "degraded", "nothing was heard from the network for 3s")
	h.until("silent", "being restarted", func(s host.Status) bool { return s.State != "degraded" })
	do(t, net, simnettest.Command{Freeze: &simnettest.Freeze{Account: "silent", Thaw: true}})
	h.ready("silent", pid)
	speak(t, net, "a", "two")
	accepted(t, net, "a", 2, h.log)
	accepted(t, net, "silent", 1, h.log)
	h.stop()
	if s := h.states("silent"); slices.Contains(s, "failed") {
		t.Errorf("the plug went through %v", s)
	}
	once(t, net, "a", "silent")
}
