package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/api"
	"github.com/plughost/plughost/host/internal/config"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
)

// askTimeout bounds a question to a running host.
const askTimeout = 5 * time.Second

// hostFlags say which running host is meant.
type hostFlags struct {
	configFlag
	DataDir string `placeholder:"DIR" help:"The host's data directory. Without it: what the config names."`
}

// client makes the client of the host, and the deadline of one question.
func (f hostFlags) client() (*api.Client, context.Context, context.CancelFunc, error) {
	client, err := f.open()
	if err != nil {
		return nil, nil, nil, err
	}
	ctx, cancel := asking()
	return client, ctx, cancel, nil
}

// asking is the deadline of one question.
func asking() (context.Context, context.CancelFunc) {
	timeout := fmt.Errorf("the host does not answer within %v; see its log", askTimeout)
	return context.WithTimeoutCause(context.Background(), askTimeout, timeout)
}

// open makes the client of the host.
func (f hostFlags) open() (*api.Client, error) {
	dir := f.DataDir
	if dir == "" {
		file, err := config.Find(f.Config)
		if err != nil {
			return nil, &exit{exitConfig, fmt.Errorf("%w, or name the host with --data-dir", err)}
		}
		if dir, err = config.DataDir(file); err != nil {
			return nil, &exit{exitConfig, err}
		}
	}
	return api.NewClient(dir), nil
}

// explain gives the cause of a deadline that passed, and a request that is wrong its
// exit code.
func explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, api.ErrRequest):
		return &exit{exitUsage, err}
	}
	return err
}

type statusCommand struct {
	hostFlags
	JSON bool `help:"Print JSON."`
}

// Run prints how the plugs do.
func (cmd statusCommand) Run() error {
	client, ctx, cancel, err := cmd.client()
	if err != nil {
		return err
	}
	defer cancel()
	defer client.Close()
	plugs, err := client.Plugs(ctx)
	if err != nil {
		return explain(ctx, err)
	}
	queues, err := client.Queues(ctx)
	if err != nil {
		return explain(ctx, err)
	}
	if cmd.JSON {
		err = printJSON(os.Stdout, plugs, queues)
	} else {
		err = errors.Join(printTable(os.Stdout, plugs, time.Now()), printQueues(os.Stdout, queues, time.Now()), printGaps(os.Stdout, plugs))
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(plugs, needsPerson) {
		return &exit{code: exitPerson}
	}
	return nil
}

// needsPerson says whether a plug won't recover by itself.
func needsPerson(s host.Status) bool { return s.State == "held" || s.State == "failed" }

// plugJSON is how scripts get a plug's status.
type plugJSON struct {
	Plug      id.InstanceName `json:"plug"`
	State     string          `json:"state"`
	Reason    string          `json:"reason,omitempty"`
	Since     time.Time       `json:"since,omitzero"`
	NextTry   time.Time       `json:"next_try,omitzero"`
	Restarts  int             `json:"restarts"`
	Pid       int             `json:"pid,omitempty"`
	NetworkID id.NetworkID    `json:"network_id,omitempty"`
	Gaps      []gapJSON       `json:"gaps,omitempty"`
	Breaches  int             `json:"breaches,omitempty"`
}

// queueJSON is how scripts get what waits for a channel.
type queueJSON struct {
	Channel      string    `json:"channel"`
	Waiting      uint32    `json:"waiting"`
	WaitingSince time.Time `json:"waiting_since,omitzero"`
	Attempts     uint32    `json:"attempts"`
	Uncertain    bool      `json:"uncertain,omitempty"`
	Parked       uint32    `json:"parked"`
	ParkedSince  time.Time `json:"parked_since,omitzero"`

	GivenUp       uint32 `json:"given_up"`
	GivenUpReason string `json:"given_up_reason,omitempty"`
}

func printJSON(w io.Writer, plugs []host.Status, queues []*hostv1.Queue) error {
	waiting := make([]queueJSON, len(queues))
	for i, q := range queues {
		waiting[i] = queueJSON{Channel: q.Channel, Waiting: q.Waiting, WaitingSince: asTime(q.WaitingSince), Attempts: q.Attempts,
			Uncertain: q.Uncertain, Parked: q.Parked, ParkedSince: asTime(q.ParkedSince),
			GivenUp: q.GivenUp, GivenUpReason: q.GivenUpReason}
	}

	all := make([]plugJSON, len(plugs))
	for i, s := range plugs {
		all[i] = plugJSON{
			Plug: s.Plug, State: s.State, Reason: s.Reason, Since: s.Since, NextTry: s.NextTry,
			Restarts: s.Restarts, Pid: s.Pid, NetworkID: s.Network, Gaps: gapsJSON(s.Gaps), Breaches: s.Breaches,
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"plugs": all, "queues": waiting})
}

func asTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// printQueues prints what waits, what is parked and what was given up, if anything.
func printQueues(w io.Writer, queues []*hostv1.Queue, now time.Time) error {
	if len(queues) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nCHANNEL\tWAITING\tFOR\tPARKED\tFOR\tATTEMPTS")
	for _, q := range queues {
		attempts := strconv.Itoa(int(q.Attempts))
		if q.Uncertain {
			attempts += ", uncertain whether sent"
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%d\t%s\t%s\n", printable(q.Channel), q.Waiting, age(asTime(q.WaitingSince), now), q.Parked, age(asTime(q.ParkedSince), now), attempts)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, q := range queues {
		if q.GivenUp > 0 {
			fmt.Fprintf(w, "%s: %d given up since the host started, the last: %s\n", printable(q.Channel), q.GivenUp, printable(q.GivenUpReason))
		}
	}
	return nil
}

func printTable(w io.Writer, plugs []host.Status, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PLUG\tSTATE\tFOR\tRESTARTS\tREASON")
	for _, s := range plugs {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", s.Plug, s.State, age(s.Since, now), s.Restarts, because(s, now))
	}
	return table.Flush()
}

// because gives a plug's reason in one line, with when it is tried again.
func because(s host.Status, now time.Time) string {
	reason := api.Brief(s.Reason)
	if s.NextTry.IsZero() {
		return reason
	}
	next := "next try in " + max(s.NextTry.Sub(now), 0).Round(time.Second).String()
	if reason == "" {
		return next
	}
	return reason + "; " + next
}

func age(since, now time.Time) string {
	if since.IsZero() {
		return "-"
	}
	return max(now.Sub(since), 0).Round(time.Second).String()
}
