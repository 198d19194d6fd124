package simnettest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/client"
	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
)

// stopLimit is how long simnetd has to end by itself.
const stopLimit = 20 * time.Second

// Binaries are the paths of the programs.
type Binaries struct {
	Simnetd       string
	Plug          string
	PlugWithScope string // of the name "simnet-plugscope"
}

// Build compiles the programs into dir, named as the Makefile names them.
func Build(ctx context.Context, dir string) (Binaries, error) {
	const module = "github.com/plughost/plughost/plugins/simnet"
	b := Binaries{
		Simnetd:       filepath.Join(dir, "simnetd"),
		Plug:          filepath.Join(dir, "plugs", "simnet"),
		PlugWithScope: filepath.Join(dir, "plugs", "simnet-plugscope"),
	}
	for out, pkg := range map[string]string{
		b.Simnetd: module + "/simnetd", b.Plug: module, b.PlugWithScope: module + "/plugscope",
	} {
		if words, err := exec.CommandContext(ctx, "go", "build", "-o", out, pkg).CombinedOutput(); err != nil {
			return b, fmt.Errorf("build %s: %w\n%s", pkg, err, words)
		}
	}
	return b, nil
}

// Process is a running simnetd.
type Process struct {
	Control
	// Address is what a plug's config needs.
	Address string
	// LedgerPath is the ledger's file.
	LedgerPath string

	ledger    *ledger.Tail
	control   *client.Client
	stdin     io.Closer
	socketDir string
	// ended is closed when the process has; then result is how.
	ended  chan struct{}
	result error
}

// Start starts simnetd with its ledger in dir, which must be there, and has it carry
// out the commands. ctx is for the start only. Stop must be called in the end; if
// the caller's process dies, simnetd ends by itself.
func Start(ctx context.Context, simnetd, dir string, commands ...Command) (*Process, error) {
	// The path of a socket must be short; dir need not be.
	socketDir, err := os.MkdirTemp("", "simnet")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the socket: %w", err)
	}
	p := &Process{socketDir: socketDir, ended: make(chan struct{})}
	if err := p.start(ctx, simnetd, dir); err != nil {
		os.RemoveAll(socketDir)
		return nil, err
	}
	if p.control, err = client.Dial(ctx, p.Address, client.Options{}); err == nil {
		p.do = p.control.Do
		_, err = p.Do(ctx, commands...)
	}
	if err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

func (p *Process) start(ctx context.Context, simnetd, dir string) error {
	cmd := exec.Command(simnetd,
		"-listen", "unix:"+filepath.Join(p.socketDir, "s"), "-ledger", filepath.Join(dir, "ledger.jsonl"))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start simnetd: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start simnetd: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start simnetd: %w", err)
	}
	p.stdin = stdin
	// An early end of ctx ends the wait for the line, too.
	unblock := context.AfterFunc(ctx, func() { stdin.Close() })
	var ready struct{ Address, Ledger string }
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	unblock()
	go func() {
		defer close(p.ended)
		p.result = cmd.Wait()
	}()
	if err != nil {
		return errors.Join(fmt.Errorf("start simnetd: it did not get ready: %w", err), p.Stop())
	}
	p.Address, p.LedgerPath, p.ledger = ready.Address, ready.Ledger, ledger.NewTail(ready.Ledger)
	return nil
}

// Ledger returns all that has happened so far. The entries are shared: read them only.
func (p *Process) Ledger(ctx context.Context) ([]Entry, error) {
	if err := p.flush(ctx); err != nil {
		return nil, err
	}
	return p.ledger.Entries()
}

// Stop ends simnetd and waits for it; its ledger stays, complete. An error says that
// it did not end well.
func (p *Process) Stop() error {
	if p.control != nil {
		p.control.Close()
	}
	p.stdin.Close()
	defer os.RemoveAll(p.socketDir)
	select {
	case <-p.ended:
	case <-time.After(stopLimit):
		return fmt.Errorf("simnetd has not ended %v after its stdin was closed", stopLimit)
	}
	if p.result != nil {
		return fmt.Errorf("simnetd ended: %w", p.result)
	}
	return nil
}
