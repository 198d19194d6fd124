package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/plughost/plughost/host/cmd/plughost/internal/demo"
)

type demoCommand struct {
	PlugsDir string        `placeholder:"DIR" help:"Where the webchat plug is. Without it: the directory plugs beside this binary."`
	Port     int           `default:"8001" help:"Port of the first page; that of the second is the next. 0 takes any free ones."`
	For      time.Duration `placeholder:"TIME" help:"How long it runs, such as 10s. Without it: until quit or a signal."`
}

// Run runs the demo.
func (cmd demoCommand) Run() error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { // ends with the process
		signals := stopSignals()
		<-signals
		stop()
		<-signals
		os.Exit(exitFailed) // what it leaves is killed and swept
	}()
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this binary: %w", err)
	}
	dir := cmd.PlugsDir
	if dir == "" {
		dir = filepath.Join(filepath.Dir(binary), "plugs")
	}
	return demo.Run(ctx, demo.Options{
		Binary:      binary,
		PlugsDir:    dir,
		Port:        cmd.Port,
		For:         cmd.For,
		Commands:    os.Stdin,
		Interactive: isatty.IsTerminal(os.Stdin.Fd()),
		Out:         os.Stdout,
	})
}

type sweepCommand struct {
	Dir string `arg:""`
}

// Run removes a demo's directory when the demo is gone.
func (cmd sweepCommand) Run() error { return demo.Sweep(cmd.Dir, os.Stdin) }
