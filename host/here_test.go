package host_test

import (
	"bytes"
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// stopLimit is the promise of I2.
const stopLimit = 20 * time.Second

// bridge makes a conversation of two channels, in which names stay as they are.
func bridge(a, b hook.Channel) host.Conversation {
	return host.Conversation{Name: a.String() + " and " + b.String(), Members: []host.Member{{Channel: a, Name: "{name}"}, {Channel: b, Name: "{name}"}}}
}

func channel(plug id.InstanceName, source string) hook.Channel {
	return hook.Channel{Plug: plug, Source: id.ChannelSource(source)}
}

// patience is how long something may take that must come: a busy machine is no failure.
const patience = 4 * time.Minute

// accepted waits until a network has accepted so many messages in a channel.
func accepted(t *testing.T, net *simnettest.Process, channel string, count int, log func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := net.Wait(ctx, simnettest.Accepted, channel, count); err != nil {
		t.Fatalf("channel %s did not get its %d messages: %v\n%s", channel, count, err, log())
	}
}

// known has somebody speak in a channel until it has arrived in the one that it is bridged
// to: from here on the host has a cursor of the channel, and what is said there is heard
// also when its plug is killed before it could say so.
func known(t *testing.T, net *simnettest.Process, channel, to string, log func() string) {
	t.Helper()
	speak(t, net, channel, "zero")
	accepted(t, net, to, 1, log)
}

// once holds two bridged channels of one network against each other: each message
// arrived once, in order, none came back (D1, D3, O6). It returns the ledger.
func once(t *testing.T, net *simnettest.Process, a, b string) []simnettest.Entry {
	t.Helper()
	ledger, err := net.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report := simnettest.Compare(simnettest.Member{Ledger: ledger, Channel: a}, simnettest.Member{Ledger: ledger, Channel: b})
	if err := report.Err(); err != nil {
		t.Errorf("%s and %s: %v", a, b, err)
	}
	if report.Delivered == 0 {
		t.Errorf("%s and %s: nothing was said", a, b)
	}
	return ledger
}

// lines counts the ledger's lines of a kind in a channel.
func lines(ledger []simnettest.Entry, kind simnettest.Kind, channel string) (n int) {
	for _, e := range ledger {
		if e.Kind == kind && e.Channel == channel {
			n++
		}
	}
	return n
}

// dataDir is a data directory of the test's own.
func dataDir(t *testing.T) string { return filepath.Join(t.TempDir(), "data") }

// until waits until something is so, which nothing tells of.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(patience); !so(); <-tick.C {
		if time.Now().After(limit) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// here is a host in this process, with a listener.
type here struct {
	*host.Host
	t   *testing.T
	l   *listener
	log *logBuffer
	// dataDir is the host's.
	dataDir string
	stop    func() // stops it, and may be called again
}

// runHere runs a host until the test ends, and waits until each network has one
// more subscription for each of its plugs.
func runHere(t *testing.T, o host.Options, nets ...*simnettest.Process) *here {
	t.Helper()
	h := &here{t: t, l: &listener{changed: make(chan struct{})}, log: &logBuffer{}}
	o.Hooks = []hook.Hook{h.l}
	o.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: h.log})
	o.SettleTimeout = time.Second
	if o.DataDir == "" {
		o.DataDir = dataDir(t)
	}
	h.dataDir = o.DataDir
	before := subscribed(t, nets)
	var err error
	if h.Host, err = host.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- h.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(h.stop)
	until(t, "all plugs have subscribed", func() bool { return subscribed(t, nets) >= before+len(o.Plugs) })
	return h
}

// allListen waits until plugs have subscribed so many times in all: what is said
// before a channel's first subscription isn't heard.
func allListen(t *testing.T, net *simnettest.Process, times int) {
	t.Helper()
	if err := net.Wait(t.Context(), simnettest.Subscribed, "", times); err != nil {
		t.Fatal(err)
	}
}

// subscribed counts the subscriptions of all plugs so far.
func subscribed(t *testing.T, nets []*simnettest.Process) (n int) {
	t.Helper()
	for _, net := range nets {
		ledger, err := net.Ledger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range ledger {
			if e.Kind == simnettest.Subscribed {
				n++
			}
		}
	}
	return n
}

// in lists what was yielded of a channel, in order.
func (h *here) in(c hook.Channel) (list []*hook.Delivery) {
	h.l.mu.Lock()
	defer h.l.mu.Unlock()
	for _, d := range h.l.given {
		if d.Channel == c {
			list = append(list, d)
		}
	}
	return list
}

// echoed waits until so many messages of ours were yielded of a channel.
func (h *here) echoed(c hook.Channel, count int) {
	h.t.Helper()
	limit := time.After(patience)
	for {
		h.l.mu.Lock()
		changed := h.l.changed
		h.l.mu.Unlock()
		n := 0
		for _, d := range h.in(c) {
			if d.Ours {
				n++
			}
		}
		if n >= count {
			return
		}
		select {
		case <-changed:
		case <-limit:
			h.t.Fatalf("%s: %d echoes were yielded, want %d\n%s", c, n, count, h.log)
		}
	}
}

// logBuffer is the log of a host, to be read while it is written. Bound: the test.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// all gives the whole log.
func (l *logBuffer) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// String gives the end of the log.
func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.b.Bytes()
	return string(b[max(0, len(b)-16_000):])
}
