package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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
	c, err := config.Load(ctx, file, describe, validate)
	if err != nil {
		return nil, &exit{exitConfig, err}
	}
	return c, nil
}

// describe runs a plug's binary to ask what it is.
func describe(ctx context.Context, plug id.InstanceName, path string) (facts *plugv1.DescribeResponse, err error) {
	err = ask(ctx, plug, path, func(l *link.Link) (err error) {
		facts, err = l.Describe(ctx)
		return err
	})
	return facts, err
}

// validate runs a plug's binary to ask what is wrong with its config.
func validate(ctx context.Context, plug id.InstanceName, path, configJSON string) (problems []*plugv1.ConfigProblem, err error) {
	err = ask(ctx, plug, path, func(l *link.Link) (err error) {
		problems, err = l.ValidateConfig(ctx, configJSON)
		return err
	})
	return problems, err
}

// ask runs a plug's binary for one question.
func ask(ctx context.Context, plug id.InstanceName, path string, question func(*link.Link) error) error {
	p, err := process.Start(ctx, process.Options{Name: plug, Path: path})
	if err != nil {
		return err
	}
	err = question(link.New(p.Conn(), plug, hclog.NewNullLogger()))
	if status.Code(err) == codes.Unavailable {
		// The broken connection is seen before the exit.
		select {
		case <-p.Done():
			err = fmt.Errorf("it crashed: %w", p.Err())
		case <-time.After(time.Second):
		}
	}
	return errors.Join(err, p.Close())
}

// printProblems says everything that is wrong with a config.
func printProblems(w io.Writer, c *config.Config) {
	for _, p := range c.Problems {
		fmt.Fprintln(w, p)
	}
}
