package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/internal/api"
	"github.com/plughost/plughost/host/internal/catalog"
)

const (
	// plugName is the plug of both sides.
	plugName = "webchat"
	// stopPatience is what the host gets to stop; it promises 20 s (I2).
	stopPatience = 25 * time.Second
)

// Options of a demo. All fields but For are required.
type Options struct {
	// Binary is the path of the plughost binary.
	Binary string
	// PlugsDir is where the webchat plug is.
	PlugsDir string
	// Port of the first page; that of the second is the next. 0: any free ones.
	Port int
	// For is how long the demo runs; 0: until it is stopped.
	For time.Duration
	// Commands are read a line each. Its end ends the demo if Interactive.
	Commands    io.Reader
	Interactive bool
	Out         io.Writer
}

// demo is a running one. Everything happens on the goroutine of Run.
type demo struct {
	o         Options
	dir       string
	addresses map[string]string // by side

	host     *child
	stopping bool
	greeted  bool
	plugs    map[string]host.Status // by side, as last heard
	shown    map[string]string      // by side, the line last shown
}

// sides are the names of the two plugs.
var sides = []string{"north", "south"}

// Run runs a demo until ctx ends, or what Options say. It must be called on the
// thread that lives as long as the process.
func Run(ctx context.Context, o Options) (err error) {
	d := &demo{o: o, plugs: map[string]host.Status{}, shown: map[string]string{}}
	if _, err := catalog.Find(o.PlugsDir, plugName); err != nil {
		return fmt.Errorf("the demo needs the plug %s in %s: build it with make build, or name its directory with --plugs-dir: %w", plugName, o.PlugsDir, err)
	}
	if d.dir, err = os.MkdirTemp("", dirPrefix); err != nil {
		return fmt.Errorf("make the demo's directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, markerName), nil, 0o600); err != nil {
		return errors.Join(fmt.Errorf("make the demo's directory: %w", err), os.RemoveAll(d.dir))
	}
	sweeper, err := startSweeper(o.Binary, d.dir)
	if err != nil {
		return errors.Join(err, os.RemoveAll(d.dir))
	}
	defer func() { err = errors.Join(err, sweeper.sweep()) }()
	if err := d.writeConfig(); err != nil {
		return err
	}
	return d.run(ctx)
}

func (d *demo) run(ctx context.Context) error {
	if d.o.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.o.For)
		defer cancel()
	}
	if err := d.startHost(); err != nil {
		return err
	}
	lines := readLines(ctx, d.o.Commands)
	var patience <-chan time.Time // set while the host stops
	stop := func() {
		if d.stopping {
			return
		}
		d.stopping = true
		d.say("Stopping.")
		d.host.signal(syscall.SIGTERM)
		patience = time.After(stopPatience)
	}
	done := ctx.Done()
	for {
		select {
		case <-done:
			done = nil
			stop()
		case line, more := <-lines:
			switch {
			case !more:
				lines = nil
				if d.o.Interactive {
					stop()
				}
			case d.command(line):
				stop()
			}
		case s := <-d.host.changes:
			d.changed(s)
		case end := <-d.host.ended:
			if d.stopping {
				return nil
			}
			if err := d.hostEnded(end); err != nil {
				return err
			}
		case <-patience:
			d.say("The host does not stop; it is killed.")
			d.host.signal(syscall.SIGKILL)
		}
	}
}

// readLines gives the lines of r until it or ctx ends. What reads r ends with the
// process: nothing can take a read back.
func readLines(ctx context.Context, r io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

func (d *demo) startHost() (err error) {
	d.host, err = startChild(d.o.Binary, d.path("plughost.yaml"), d.path("data"), d.path("tmp"))
	return err
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

// hostEnded starts the host again if it was killed. A host that ended by itself
// would only do so again.
func (d *demo) hostEnded(end error) error {
	if !killed(end) {
		for _, line := range d.host.lastLines() {
			d.say("  %s", line)
		}
		return fmt.Errorf("the host ended by itself: %w", orClean(end))
	}
	d.say("The host was killed, and its plugs with it. It is started again.")
	for _, side := range sides {
		delete(d.plugs, side)
		delete(d.shown, side)
	}
	return d.startHost()
}

func orClean(end error) error {
	if end == nil {
		return errors.New("exit status 0")
	}
	return end
}

// changed shows a plug's new state.
func (d *demo) changed(s host.Status) {
	side := string(s.Plug)
	d.plugs[side] = s
	if line := words(s); line != d.shown[side] && line != "" && !d.stopping {
		d.shown[side] = line
		d.say("  %s  %-6s %s", time.Now().Format("15:04:05"), side, line)
	}
	if !d.greeted && d.plugs[sides[0]].State == "ready" && d.plugs[sides[1]].State == "ready" {
		d.greeted = true
		d.greet()
	}
}

// words says a state in words; nothing for one that only lasts an instant.
func words(s host.Status) string {
	line := map[string]string{
		"starting": "starts",
		"ready":    "is ready",
		"degraded": "works, but not as it should",
		"backoff":  "is down and will be started again",
		"held":     "is held: it needs a person",
		"failed":   "has failed: it needs a person",
		"stopping": "is being stopped",
	}[s.State]
	if line == "" {
		return ""
	}
	if s.State == "ready" && s.Restarts > 0 {
		line += " again"
	}
	if reason := api.Brief(s.Reason); reason != "" {
		line += ": " + reason
	}
	return line
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.o.Out, format+"\n", args...)
}
