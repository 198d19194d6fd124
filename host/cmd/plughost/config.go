package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/config"
	"github.com/plughost/plughost/host/internal/link"
	"github.com/plughost/plughost/host/internal/process"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// configFlag is of the commands that need a config.
type configFlag struct {
	Config string `short:"c" placeholder:"FILE" help:"The config. Without it: what $$PLUGHOST_CONFIG names, ./plughost.yaml, /etc/plughost/plughost.yaml."`
}

// load reads the config and checks everything, for which it runs every plug's
// binary for a moment.
func (f configFlag) load(ctx context.Context) (*config.Config, error) {
	file, err := config.Find(f.Config)
	if err != nil {
		return nil, &exit{exitConfig, err}
	}
	c, err := config.Load(ctx, file, describe)
	if err != nil {
		return nil, &exit{exitConfig, err}
	}
	return c, nil
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

// printProblems says everything that is wrong with a config.
func printProblems(w io.Writer, c *config.Config) {
	for _, p := range c.Problems {
		fmt.Fprintln(w, p)
	}
}
