package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/api"
	"github.com/plughost/plughost/host/internal/config"
	"github.com/plughost/plughost/host/internal/link"
	"github.com/plughost/plughost/host/internal/process"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// serveHost is plughost run with a profiler: host-PID.cpu, host-PID.mutex and
// host-PID.allocs in dir are written when it stops.
func serveHost(file, dir string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := hclog.New(&hclog.LoggerOptions{Level: hclog.Warn})
	c, err := config.Load(ctx, file, describe, nil)
	if err != nil {
		return err
	}
	if !c.Runnable() {
		return fmt.Errorf("the config is wrong: %v", c.Problems)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name := func(kind string) string { return filepath.Join(dir, fmt.Sprintf("host-%d.%s", os.Getpid(), kind)) }
	f, err := os.Create(name("cpu"))
	if err != nil {
		return err
	}
	defer f.Close()
	runtime.SetMutexProfileFraction(20)
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer func() {
		pprof.StopCPUProfile()
		for _, kind := range []string{"mutex", "allocs"} {
			f, createErr := os.Create(name(kind))
			if createErr == nil {
				createErr = errors.Join(pprof.Lookup(kind).WriteTo(f, 0), f.Close())
			}
			err = errors.Join(err, createErr)
		}
	}()

	server := api.New(log)
	o := c.Options
	o.Logger, o.Changed = log, server.Changed
	h, err := host.New(o)
	if err != nil {
		return err
	}
	l, err := api.Listen(o.DataDir)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l, h) }()
	return errors.Join(h.Run(ctx), <-served)
}

// describe runs a plug's binary to ask what it is.
func describe(ctx context.Context, plug id.InstanceName, path string) (_ *plugv1.DescribeResponse, err error) {
	p, err := process.Start(ctx, process.Options{Name: plug, Path: path})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return link.New(p.Conn(), plug, hclog.NewNullLogger()).Describe(ctx)
}
