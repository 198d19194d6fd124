package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/clock"
	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/host/internal/api"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// SettleTimeout is what the run's config says: how long an operation that is uncertain
// waits for its echo (O5).
const SettleTimeout = 3 * time.Second

// Options of a world.
type Options struct {
	Plan *plan.Plan
	// Bin has plughost, simnetd and plugs/.
	Bin string
	// Dir is where everything is written.
	Dir string
	// DataDir is the host's.
	DataDir string
	// Clock is the host's; nil: the machine's.
	Clock *clock.Clock
	// Say takes word of what goes on.
	Say io.Writer
}

// World is a run's processes. Its methods may be called at the same time, but for New,
// Close and Lines.
type World struct {
	Options
	api      *api.Client
	nets     []*simnettest.Process
	broker   *broker
	speakers map[string]speaker
	host     host
	listener *listener

	mu         sync.Mutex
	counts     map[string]int
	violations []string
	config     string
}

// speaker is a plug's network as people see it.
type speaker interface {
	// do does a step of speech. It returns when the network has it.
	do(ctx context.Context, s plan.Step) error
	lines(ctx context.Context) ([]ledger.Line, error)
	close()
}

// New starts everything and returns when each channel hears.
func New(ctx context.Context, o Options) (w *World, err error) {
	w = &World{Options: o, speakers: map[string]speaker{}, counts: map[string]int{}, config: filepath.Join(o.Dir, "plughost.yaml")}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	addresses := map[string]string{} // of each plug's network
	for i := range 2 {
		dir := filepath.Join(o.Dir, fmt.Sprintf("simnet%d", i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return w, err
		}
		settings := []simnettest.Command{{Network: &simnettest.NetworkSettings{LogShown: true, CollidingIDs: i == 1}}}
		for _, n := range o.Plan.Networks {
			if n.Account != nil && n.Net == i {
				settings = append(settings, simnettest.Command{Account: n.Account})
			}
		}
		net, err := simnettest.Start(ctx, filepath.Join(o.Bin, "simnetd"), dir, settings...)
		if err != nil {
			return w, err
		}
		w.nets = append(w.nets, net)
	}
	if w.broker, err = startBroker(ctx, filepath.Join(o.Dir, "broker"), o.Plan.Sources("house")); err != nil {
		return w, err
	}
	for _, n := range o.Plan.Networks {
		switch n.Use {
		case "webchat":
			if addresses[n.Plug], err = freeAddress(); err != nil {
				return w, err
			}
			w.speakers[n.Plug] = newWebchat(n.Plug, addresses[n.Plug], filepath.Join(w.DataDir, "plugs", n.Plug, "state", "chat.sqlite"), o.Plan.Seed)
		case "mqtt":
			w.speakers[n.Plug] = w.broker
		default:
			addresses[n.Plug] = w.nets[n.Net].Address
			w.speakers[n.Plug] = newSimnet(w.nets[n.Net], n.Plug, o.Plan)
		}
	}
	if err := os.WriteFile(w.config, []byte(w.yaml(addresses)), 0o600); err != nil {
		return w, err
	}
	w.api = api.NewClient(w.DataDir)
	w.listener = listen(w.api)
	w.host.bin, w.host.config, w.host.log, w.host.byItself, w.host.clock = w.Bin, w.config, filepath.Join(w.Dir, "host.log"), w.hostEnded, w.Clock
	if err := w.host.start(); err != nil {
		return w, err
	}
	return w, w.warm(ctx)
}

// yaml is the config. A run has more crashes than any operator would stand, so the
// supervisor's numbers are others.
func (w *World) yaml(addresses map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\ndata_dir: %q\nplugs_dir: %q\nsettle_timeout: %v\n", w.DataDir, filepath.Join(w.Bin, "plugs"), SettleTimeout)
	b.WriteString("supervision: {ready_reset: 1s, backoff_min: 100ms, backoff_max: 1s, healthy_reset: 10s, max_exits: 1000, exits_window: 10s, probe_every: 10s}\njournal: {ballast: 16MiB}\nplugs:\n")
	for _, n := range w.Plan.Networks {
		switch n.Use {
		case "webchat":
			fmt.Fprintf(&b, "  %s: {use: webchat, config: {listen: %q, title: %s}}\n", n.Plug, addresses[n.Plug], n.Plug)
		case "mqtt":
			fmt.Fprintf(&b, "  %s: {use: mqtt, config: {server: %q, keepalive: 5, channels: {", n.Plug, "mqtt://"+w.broker.proxy.Address())
			for _, s := range w.Plan.Sources(n.Plug) {
				fmt.Fprintf(&b, "%s: {format: json, publish: %s}, ", s, heardOn(s))
			}
			b.WriteString("}}}\n")
		default:
			fmt.Fprintf(&b, "  %s: {use: %s, config: {address: %q, account: %s}}\n", n.Plug, n.Use, addresses[n.Plug], n.Plug)
		}
	}
	b.WriteString("conversations:\n")
	for i, members := range w.Plan.Conversations {
		var names []string
		for _, m := range members {
			names = append(names, m.String())
		}
		fmt.Fprintf(&b, "  c%d: {members: [%s]}\n", i+1, strings.Join(names, ", "))
	}
	return b.String()
}

// Speak does a step of speech, again and again until the network has it: it may be down.
func (w *World) Speak(ctx context.Context, s plan.Step) error {
	err := again(ctx, func() error { return w.speakers[s.Plug].do(ctx, s) })
	if err == nil {
		w.Count(string(s.Do))
	}
	return err
}

// again tries until it works or ctx has ended.
func again(ctx context.Context, try func() error) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// Lines gives what happened on each plug's network.
func (w *World) Lines(ctx context.Context) (map[string][]ledger.Line, error) {
	all := map[string][]ledger.Line{}
	for plug, s := range w.speakers {
		lines, err := s.lines(ctx)
		if err != nil {
			return nil, fmt.Errorf("read what happened on %s: %w", plug, err)
		}
		all[plug] = lines
	}
	return all, nil
}

// Count counts something that has happened.
func (w *World) Count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what]++
}

// Counts gives what was counted.
func (w *World) Counts() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.counts)
}

// violate notes that the host broke a promise which no ledger shows.
func (w *World) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violations = append(w.violations, fmt.Sprintf(format, args...))
}

// Violations are those promises.
func (w *World) Violations() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.violations)
}

// warm returns when each channel is heard in the others: before a channel has its
// first cursor, what is said there isn't heard.
func (w *World) warm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	deaf := slices.Concat(w.Plan.Conversations...)
	for n := 0; len(deaf) > 0; n++ {
		for _, m := range deaf {
			s := plan.Step{Do: plan.Say, Member: m, Author: "Zoe", Text: fmt.Sprintf("is %s heard? %d", m, n)}
			if err := again(ctx, func() error { return w.speakers[m.Plug].do(ctx, s) }); err != nil {
				return fmt.Errorf("speak in %s: %w", m, err)
			}
		}
		heard := func(lines map[string][]ledger.Line, m ledger.Member) bool {
			return slices.ContainsFunc(w.Plan.Others(m), func(o ledger.Member) bool {
				return slices.ContainsFunc(lines[o.Plug], func(l ledger.Line) bool {
					return l.Member == o && l.By == ledger.Host && strings.Contains(l.Text, fmt.Sprintf("is %s heard?", m))
				})
			})
		}
		err := again(ctx, func() error {
			lines, err := w.Lines(ctx)
			if err == nil {
				deaf = slices.DeleteFunc(deaf, func(m ledger.Member) bool { return heard(lines, m) })
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("not heard in any other channel: %v: %w\n%s", deaf, err, w.host.lastWords())
		}
	}
	return nil
}

// Close ends everything.
func (w *World) Close() {
	w.host.kill()
	if w.api != nil {
		w.listener.close()
		w.api.Close()
	}
	for _, s := range w.speakers {
		s.close()
	}
	if len(w.speakers) == 0 && w.broker != nil {
		w.broker.close()
	}
	for _, n := range w.nets {
		if err := n.Stop(); err != nil {
			fmt.Fprintln(w.Say, err)
		}
	}
}
