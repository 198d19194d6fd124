package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/internal/api"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// world is two simulated networks with a host between them. The channels c0, c1, …
// exist on both; accounts left0, left1, … are on the left network, right0, … on the
// right one, and each channel is bridged by the pair whose turn it is. Strangers
// speak on the left. Where there are several targets for each channel, the right
// network has c0, c0-1, c0-2, … in its place.
type world struct {
	suite    *suite
	dir      string
	left     *simnettest.Process
	right    *simnettest.Process
	channels []string
	targets  int // of each channel
	host     *hostProcess
	api      *api.Client

	said int // texts that strangers have said
}

// dataDir is the host's.
func (w *world) dataDir() string { return filepath.Join(w.dir, "data") }

// layout is what a world is made of.
type layout struct {
	pairs, channels int
	targets         int           // of each channel
	delay           time.Duration // from accepting a message to the answer
	settings        string        // lines of the config; empty: the defaults
}

// newWorld starts networks and host and waits until every plug is ready.
func (s *suite) newWorld(ctx context.Context, l layout) (w *world, err error) {
	w, err = s.newNetworks(ctx, l)
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if err != nil {
		return w, err
	}
	if err := os.WriteFile(w.config(), []byte(w.yaml(l.pairs, l.settings)), 0o600); err != nil {
		return w, err
	}
	w.api = api.NewClient(w.dataDir())
	return w, w.start(ctx)
}

// newNetworks is a world without a host. It is to be closed, also after an error.
func (s *suite) newNetworks(ctx context.Context, l layout) (w *world, err error) {
	w = &world{suite: s, targets: l.targets}
	if w.dir, err = os.MkdirTemp(s.dir, "w"); err != nil {
		return w, err
	}
	var settings []simnettest.Command
	for i := range l.channels {
		name := fmt.Sprintf("c%d", i)
		w.channels = append(w.channels, name)
		for _, target := range w.targetsOf(name) {
			settings = append(settings, simnettest.Command{Channel: &simnettest.Channel{Name: target, AnswerDelay: simnettest.Duration(l.delay)}})
		}
	}
	for name, net := range map[string]**simnettest.Process{"left": &w.left, "right": &w.right} {
		dir := filepath.Join(w.dir, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return w, err
		}
		if *net, err = simnettest.Start(ctx, filepath.Join(s.bin, "simnetd"), dir, settings...); err != nil {
			return w, err
		}
	}
	return w, nil
}

// targetsOf names the channels on the right in which a channel's messages arrive.
func (w *world) targetsOf(channel string) []string {
	names := []string{channel}
	for i := 1; i < w.targets; i++ {
		names = append(names, fmt.Sprintf("%s-%d", channel, i))
	}
	return names
}

func (w *world) config() string { return filepath.Join(w.dir, "plughost.yaml") }

// yaml is an ordinary config: but for the settings, everything that can be left out is
// left out.
func (w *world) yaml(pairs int, settings string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\ndata_dir: %q\nplugs_dir: %q\n%splugs:\n", w.dataDir(), filepath.Join(w.suite.bin, "plugs"), settings)
	for i := range pairs {
		fmt.Fprintf(&b, "  left%d: {use: simnet, config: {address: %q, account: left%d}}\n", i, w.left.Address, i)
		fmt.Fprintf(&b, "  right%d: {use: simnet, config: {address: %q, account: right%d}}\n", i, w.right.Address, i)
	}
	b.WriteString("conversations:\n")
	for i, c := range w.channels {
		fmt.Fprintf(&b, "  %s: {members: [left%d/%s", c, i%pairs, c)
		for _, target := range w.targetsOf(c) {
			fmt.Fprintf(&b, ", right%d/%s", i%pairs, target)
		}
		b.WriteString("]}\n")
	}
	return b.String()
}

// close ends everything.
func (w *world) close() {
	if w.host != nil {
		w.host.kill()
	}
	if w.api != nil {
		w.api.Close()
	}
	for _, net := range []*simnettest.Process{w.left, w.right} {
		if net != nil {
			if err := net.Stop(); err != nil {
				fmt.Fprintln(w.suite.say, "stop simnetd:", err)
			}
		}
	}
}

// hostProcess is a running host.
type hostProcess struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// start starts the host and waits until every plug is ready.
func (w *world) start(ctx context.Context) error {
	if err := w.launch(); err != nil {
		return err
	}
	_, err := w.ready(ctx, nil)
	return err
}

// launch starts the host and returns at once.
func (w *world) launch() error {
	cmd := exec.Command(filepath.Join(w.suite.bin, "plughost"), "run", "--config", w.config(), "--log-level", "warn")
	if w.suite.profile != "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		cmd = exec.Command(self, "-serve-host", w.config(), "-profile", w.suite.profile)
	}
	log, err := os.OpenFile(filepath.Join(w.dir, "host.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the host: %w", err)
	}
	w.host = &hostProcess{cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(w.host.ended)
		_ = cmd.Wait()
	}()
	return nil
}

// ready waits until every plug is ready, in other processes than those in not.
func (w *world) ready(ctx context.Context, not []int) ([]host.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		plugs, err := w.api.Plugs(ctx)
		if err == nil && !slices.ContainsFunc(plugs, func(s host.Status) bool {
			return s.State != "ready" || s.Pid == 0 || slices.Contains(not, s.Pid)
		}) {
			return plugs, nil
		}
		select {
		case <-tick.C:
		case <-w.host.ended:
			return nil, fmt.Errorf("the host has ended:\n%s", w.log())
		case <-ctx.Done():
			return nil, fmt.Errorf("not every plug is ready: %v %v\n%s", plugs, err, w.log())
		}
	}
}

func (w *world) log() string {
	b, _ := os.ReadFile(filepath.Join(w.dir, "host.log"))
	return string(b[max(0, len(b)-4000):])
}

// kill ends the host and all that descends from it, at once.
func (h *hostProcess) kill() {
	_ = h.cmd.Process.Kill()
	<-h.ended
}

// stop ends the host as an operator does.
func (w *world) stop() error {
	_ = w.host.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-w.host.ended:
	case <-time.After(30 * time.Second):
		return errors.New("the host doesn't stop")
	}
	if code := w.host.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the host ended with status %d:\n%s", code, w.log())
	}
	return nil
}

// textBytes is the size of a text.
const textBytes = 300

// speak has strangers say count numbered texts on the left, in all channels in
// turn.
func (w *world) speak(ctx context.Context, count int, perSecond float64) error {
	first := w.said + 1
	w.said += count
	return w.left.Generate(ctx, simnettest.Generate{Channels: w.channels, Count: count, First: first, Size: textBytes, PerSecond: perSecond})
}

// arrived waits until the right network has accepted count messages in each of their
// targets.
func (w *world) arrived(ctx context.Context, count int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := w.right.Wait(ctx, simnettest.Accepted, "", count*w.targets); err != nil {
		return fmt.Errorf("%w\n%s", err, w.log())
	}
	return nil
}

// talk speaks as fast as the messages arrive on the right, until enough says so:
// at most ahead of them are under way, so the backlog cannot grow.
func (w *world) talk(ctx context.Context, ahead int, enough func() bool) error {
	chunk := ahead / 4
	for !enough() {
		if under := w.said + chunk - ahead; under > 0 {
			if err := w.arrived(ctx, under); err != nil {
				return err
			}
		}
		if err := w.speak(ctx, chunk, 0); err != nil {
			return err
		}
	}
	return w.arrived(ctx, w.said)
}

// check holds the ledgers against each other: every message arrived once, in
// order, and nothing else.
func (w *world) check(ctx context.Context) (said, arrived []simnettest.Entry, err error) {
	if said, err = w.left.Ledger(ctx); err != nil {
		return nil, nil, err
	}
	if arrived, err = w.right.Ledger(ctx); err != nil {
		return nil, nil, err
	}
	for _, c := range w.channels {
		members := []simnettest.Member{{Name: "left/" + c, Ledger: of(said, c), Channel: c}}
		for _, target := range w.targetsOf(c) {
			members = append(members, simnettest.Member{Name: "right/" + target, Ledger: of(arrived, target), Channel: target})
		}
		report := simnettest.Compare(members...)
		if err := report.Err(); err != nil {
			return nil, nil, fmt.Errorf("void: channel %s: %w\n%s", c, err, w.log())
		}
	}
	return said, arrived, nil
}

func of(ledger []simnettest.Entry, channel string) []simnettest.Entry {
	var entries []simnettest.Entry
	for _, e := range ledger {
		if e.Channel == channel {
			entries = append(entries, e)
		}
	}
	return entries
}

// declared is what the plug says of its Puts.
func (s *suite) declared(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, filepath.Join(s.bin, "plugs", "simnet"), "--describe").Output()
	if err != nil {
		return "", fmt.Errorf("ask the plug: %w", err)
	}
	var d struct {
		PutScope          string `json:"putScope"`
		MaxConcurrentPuts int    `json:"maxConcurrentPuts"`
	}
	if err := json.Unmarshal(out, &d); err != nil {
		return "", fmt.Errorf("ask the plug: %w", err)
	}
	return fmt.Sprintf("%s, %d at once", d.PutScope, d.MaxConcurrentPuts), nil
}
