package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/api"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
)

// plugCommand is a command about one plug of a running host.
type plugCommand struct {
	hostFlags
	Plug string `arg:"" help:"Name of the plug in the config."`
}

// act asks the host to do something with the plug.
func (cmd plugCommand) act(do func(*api.Client, context.Context, id.InstanceName) error, done string) error {
	client, ctx, cancel, err := cmd.client()
	if err != nil {
		return err
	}
	defer cancel()
	defer client.Close()
	if err := do(client, ctx, id.InstanceName(cmd.Plug)); err != nil {
		return explain(ctx, err)
	}
	fmt.Printf("plug %s %s; see plughost status\n", cmd.Plug, done)
	return nil
}

type restartCommand struct{ plugCommand }

// Run restarts a plug.
func (cmd restartCommand) Run() error { return cmd.act((*api.Client).Restart, "restarts") }

type startCommand struct{ plugCommand }

// Run starts a plug.
func (cmd startCommand) Run() error { return cmd.act((*api.Client).Start, "starts") }

type stopCommand struct{ plugCommand }

// Run stops a plug.
func (cmd stopCommand) Run() error { return cmd.act((*api.Client).Stop, "stops") }

type logsCommand struct {
	plugCommand
	Lines  uint32 `short:"n" placeholder:"N" help:"At most so many lines. Without it: all there are, up to 2,000."`
	Follow bool   `short:"f" help:"Go on with what comes, until SIGINT."`
}

// Run prints a plug's log.
func (cmd logsCommand) Run() error {
	client, ctx, cancel, err := cmd.client()
	if err != nil {
		return err
	}
	defer cancel()
	defer client.Close()
	if cmd.Follow {
		var stop context.CancelFunc
		ctx, stop = untilSignal()
		defer stop()
	}
	err = client.Logs(ctx, &hostv1.ReadLogsRequest{Plug: cmd.Plug, Lines: cmd.Lines, Follow: cmd.Follow}, func(l *hostv1.ReadLogsResponse) {
		if l.Missed > 0 {
			fmt.Printf("(%d lines are missing here)\n", l.Missed)
		}
		fmt.Printf("%s [%s] %s\n", l.Time.AsTime().Local().Format(time.RFC3339), strings.ToUpper(l.Level), printable(l.Text))
	})
	if cmd.Follow && ctx.Err() != nil {
		return nil
	}
	return explain(ctx, err)
}

type channelsCommand struct {
	plugCommand
	Private  bool   `help:"Those that are not open to everybody, in place of the public ones."`
	Contains string `placeholder:"TEXT" help:"Only those with this in their name or title."`
	Limit    uint32 `placeholder:"N" default:"100" help:"At most so many: ${default}."`
}

// lookupTimeout bounds a question to a plug, over the time that it has itself.
const lookupTimeout = 35 * time.Second

// Run lists channels.
func (cmd channelsCommand) Run() error {
	client, err := cmd.open()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeoutCause(context.Background(), lookupTimeout, fmt.Errorf("the host does not answer within %v; see its log", lookupTimeout))
	defer cancel()
	channels, err := client.Channels(ctx, &hostv1.ListChannelsRequest{Plug: cmd.Plug, Private: cmd.Private, Contains: cmd.Contains, Limit: cmd.Limit})
	if err != nil {
		return explain(ctx, err)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CHANNEL\tTITLE\tTOPIC")
	for _, c := range channels {
		fmt.Fprintf(table, "%s/%s\t%s\t%s\n", cmd.Plug, printable(c.Source), printable(c.Title), printable(c.Topic))
	}
	return table.Flush()
}

// untilSignal is the context of a command that runs until it is told to stop.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := stopSignals()
	go func() { // ends with the process
		<-signals
		cancel()
	}()
	return ctx, cancel
}

// printable makes what comes from a network harmless on a terminal. A line break
// begins a line that can't be taken for one of ours.
func printable(s string) string {
	return strings.ReplaceAll(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r), r == '\n', r == '\u200d', unicode.Is(unicode.Variation_Selector, r):
			return r
		case r == '\t':
			return ' '
		}
		return unicode.ReplacementChar
	}, s), "\n", "\n    ")
}
