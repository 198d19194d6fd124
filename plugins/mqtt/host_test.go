package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	realhost "github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// bridged is a real host that bridges a room of simnet, an alerts topic and a commands
// topic.
type bridged struct {
	t       *testing.T
	network *simnettest.Process
	end     context.CancelFunc
	stopped chan error

	mu     sync.Mutex
	status map[id.InstanceName]realhost.Status
}

func bridge(t *testing.T, b *mosquitto) *bridged {
	t.Helper()
	dir := t.TempDir()
	simnet, err := simnettest.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "plugs", "mqtt")
	run(t, "go", "build", "-o", bin, ".")
	network, err := simnettest.Start(t.Context(), simnet.Simnetd, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = network.Stop() })
	config, err := json.Marshal(at(b.url()).with("channels", settings{"alerts": settings{"format": "json", "publish": "commands"}}))
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "host.log"))
	if err != nil {
		t.Fatal(err)
	}
	h := &bridged{t: t, network: network, stopped: make(chan error, 1), status: map[id.InstanceName]realhost.Status{}}
	lobby, alerts := hook.Channel{Plug: "sim", Source: "lobby"}, hook.Channel{Plug: "house", Source: "alerts"}
	r, err := realhost.New(realhost.Options{
		DataDir: filepath.Join(dir, "data"),
		Plugs: []realhost.Plug{
			{Name: "sim", Path: simnet.Plug, Sources: []id.ChannelSource{"lobby"}, Config: fmt.Appendf(nil, `{"address": %q, "account": "bot"}`, network.Address)},
			{Name: "house", Path: bin, Sources: []id.ChannelSource{"alerts"}, Config: config},
		},
		Conversations: []realhost.Conversation{{Name: "alerts", Members: []realhost.Member{{Channel: lobby}, {Channel: alerts}}}},
		Logger:        hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: log}),
		Changed: func(s realhost.Status) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.status[s.Plug] = s
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.end = cancel
	go func() { h.stopped <- r.Run(ctx) }()
	t.Cleanup(func() {
		h.stop()
		log.Close()
		if t.Failed() {
			words, _ := os.ReadFile(log.Name())
			t.Logf("the host's log ends with\n%s", words[max(0, len(words)-4000):])
		}
	})
	h.ready("house", 0)
	h.ready("sim", 0)
	return h
}

func (h *bridged) stop() {
	h.end()
	if err := <-h.stopped; err != nil {
		h.t.Error(err)
	}
	h.stopped <- nil
}

// ready waits until a plug is ready, in another process than the one named.
func (h *bridged) ready(name id.InstanceName, butNot int) (pid int) {
	h.t.Helper()
	eventually(h.t, fmt.Sprint(name, " is ready"), func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		s := h.status[name]
		pid = s.Pid
		return s.State == "ready" && s.Pid != 0 && s.Pid != butNot
	})
	return pid
}

// room lists what the bot has said in the lobby.
func (h *bridged) room() []string {
	h.t.Helper()
	ledger, err := h.network.Ledger(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	var texts []string
	for _, l := range ledger {
		if l.Kind == simnettest.Accepted {
			texts = append(texts, l.Text)
		}
	}
	return texts
}

// An alert of a device reaches the room, and a command from the room the devices.
func TestAlertInCommandOut(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	h := bridge(t, b)
	d := b.device("heating", "commands")
	b.publish("alerts", `{"id":"a1","text":"the house is cold","author":{"id":"t1","name":"Thermometer"}}`)
	eventually(t, "the room has the alert", func() bool { return len(h.room()) == 1 })
	if said := h.room()[0]; said != "the house is cold" {
		t.Errorf("the room shows %q", said)
	}
	if _, err := h.network.Say(t.Context(), "lobby", "ann", "heat"); err != nil {
		t.Fatal(err)
	}
	heard := d.hearsNext(1)
	var command struct {
		ID, Text string
		Author   struct{ Name string }
	}
	if err := json.Unmarshal([]byte(heard[0]), &command); err != nil || command.Text != "heat" || len(command.ID) != 20 || !strings.Contains(command.Author.Name, "ann") || len(heard) != 1 {
		t.Errorf("the heating heard %q", heard)
	}
}

// The plug is killed again and again in the middle: every alert reaches the room once, in
// order, and every command goes out.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	h := bridge(t, b)
	d := b.device("heating", "commands")
	const kills, each = 3, 60
	var want []string
	pid := 0
	for k := range kills {
		pid = h.ready("house", pid)
		var lines []string
		for i := range each {
			text := fmt.Sprintf("alert-%d", k*each+i)
			want = append(want, text)
			lines = append(lines, fmt.Sprintf(`{"text":%q}`, text)) // without an id of its own
		}
		device := exec.Command("mosquitto_pub", b.args("-t", "alerts", "-l")...)
		device.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
		if err := device.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := h.network.Say(t.Context(), "lobby", "ann", fmt.Sprintf("command-%d", k)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "some of them are in the room", func() bool { return len(h.room()) > k*each+5 })
		process, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := device.Wait(); err != nil {
			t.Error(err)
		}
	}
	h.ready("house", pid)
	said := func() []string {
		var texts []string
		for _, text := range h.room() {
			texts = append(texts, text[strings.Index(text, "alert-"):])
		}
		return texts
	}
	eventually(t, "the room has all alerts", func() bool { return len(said()) >= len(want) })
	if got := said(); !slices.Equal(got, want) {
		t.Errorf("the room has %d, want %d: %q", len(got), len(want), got)
	}
	heard := map[string]int{}
	for _, c := range d.hearsNext(kills) {
		heard[c[strings.Index(c, "command-"):][:len("command-0")]]++
	}
	if len(heard) != kills {
		t.Errorf("the heating heard %v", heard)
	}
}
