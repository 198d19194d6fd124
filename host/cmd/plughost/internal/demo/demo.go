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
	"github.com/plughost/plughost/host/cmd/plughost/internal/demo/control"
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

	control *control.Control

	host     *child
	since    time.Time // when the host was started, or ended
	stopping bool      // the demo ends
	halting  bool      // the host is being stopped, and is not to be started again
	down     bool      // the host was stopped
	failed   error     // it could not be started again
	greeted  bool
	plugs    map[string]host.Status // by side, as last heard
	shown    map[string]string      // by side, the line last shown
	frozen   map[string]int         // by side, the process that was frozen
}

// sides are the names of the two plugs.
var sides = []string{"north", "south"}

// Run runs a demo until ctx ends, or what Options say. It must be called on the
// thread that lives as long as the process.
func Run(ctx context.Context, o Options) (err error) {
	d := &demo{o: o, plugs: map[string]host.Status{}, shown: map[string]string{}, frozen: map[string]int{}}
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
	if d.control, err = control.Listen(buttons); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.control.Close()) }()
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
		d.tell("Stopping.")
		if !d.halting { // a second signal would stop it at once
			d.host.signal(syscall.SIGTERM)
		}
		patience = time.After(stopPatience)
	}
	done := ctx.Done()
	for {
		if d.failed != nil || d.stopping && d.down {
			return d.failed
		}
		d.control.Show(d.state())
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
		case line := <-d.control.Commands():
			d.command(line)
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
	d.since, d.down, d.halting = time.Now(), false, false
	return err
}

func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

// hostEnded starts the host again if it was killed. A host that ended by itself
// would only do so again.
func (d *demo) hostEnded(end error) error {
	for _, side := range sides {
		delete(d.plugs, side)
		delete(d.shown, side)
		delete(d.frozen, side)
	}
	switch {
	case d.halting:
		d.since, d.down = time.Now(), true
		d.tell("The host was stopped, and its plugs with it. It stays so until you start it.")
		return nil
	case !killed(end):
		for _, line := range d.host.lastLines() {
			d.say("  %s", line)
		}
		return fmt.Errorf("the host ended by itself: %w", orClean(end))
	}
	d.tell("The host was killed, and its plugs with it. It is started again.")
	return d.startHost()
}

func orClean(end error) error {
	if end == nil {
		return errors.New("exit status 0")
	}
	return end
}
