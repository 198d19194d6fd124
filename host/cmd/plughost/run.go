package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/api"
	"github.com/plughost/plughost/host/internal/config"
)

type runCommand struct {
	configFlag
	logFlags
}

// Run runs a host until a signal.
func (cmd runCommand) Run() error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	log := cmd.logger()
	go stopAtSignal(stop, log) // ends with the process

	c, err := cmd.load(ctx)
	if err != nil {
		return err
	}
	if !c.Runnable() {
		printProblems(os.Stderr, c)
		return &exit{exitConfig, fmt.Errorf("%s: %s: nothing was started", c.File, count(len(c.Problems), "problem"))}
	}
	for _, p := range c.Problems {
		log.Error("the config has a problem", "plug", string(p.Plug), "at", p.Position(), "problem", p.What, "cure", p.Cure)
	}
	if len(c.Unusable) > 0 {
		log.Error("plugs are not started until the config is corrected; all else is", "plugs", names(c.Unusable))
	}
	return runHost(ctx, c, log)
}

// stopAtSignal stops cleanly at the first signal, and at once at the second: the
// plugs are killed with the process.
func stopAtSignal(stop context.CancelFunc, log hclog.Logger) {
	signals := stopSignals()
	log.Info("stopping; a second signal stops at once", "signal", (<-signals).String())
	stop()
	log.Error("stopped at once", "signal", (<-signals).String())
	os.Exit(exitFailed)
}

// runHost runs a host with its API until ctx ends.
func runHost(ctx context.Context, c *config.Config, log hclog.Logger) error {
	server := api.New(log)
	o := c.Options
	o.Logger, o.Changed = log, server.Changed
	for i, p := range o.Plugs {
		if slices.Contains(c.Unusable, p.Name) {
			o.Plugs[i].Fault = reason(c, p.Name)
		}
	}
	h, err := host.New(o)
	if err != nil {
		return err
	}
	listener, err := api.Listen(o.DataDir)
	if err != nil {
		return err
	}
	// The API outlives the host, so that one can see it stop.
	apiCtx, stopAPI := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAPI()
	served := make(chan error, 1)
	go func() { served <- server.Serve(apiCtx, listener, h) }()

	log.Info("running", "version", versionName(), "config", c.File, "data_dir", o.DataDir,
		"plugs", len(o.Plugs), "conversations", len(o.Conversations))
	err = h.Run(ctx)
	stopAPI()
	if apiErr := <-served; apiErr != nil {
		log.Error("the host's API failed", "error", apiErr)
	}
	if err != nil {
		return fmt.Errorf("run the host: %w", err)
	}
	log.Info("stopped")
	return nil
}

// reason says why a plug is not started, and what to do.
func reason(c *config.Config, plug id.InstanceName) string {
	i := slices.IndexFunc(c.Problems, func(p config.Problem) bool { return p.Plug == plug })
	p := c.Problems[i]
	return fmt.Sprintf("its config is wrong: %s: %s; correct it, then restart plughost", p.Position(), p.What)
}
