package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/plughost/plughost/host/internal/api"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

type parkedCommand struct {
	List  parkedListCommand  `cmd:"" help:"List what is parked, oldest first."`
	Show  parkedShowCommand  `cmd:"" help:"Show all that is known of a parked message."`
	Retry parkedRetryCommand `cmd:"" help:"Put parked messages back, at the end of their channel's queue. They get new ids; the same again sends nothing twice."`
	Drop  parkedDropCommand  `cmd:"" help:"Give parked messages up for good."`
}

type parkedListCommand struct {
	hostFlags
	Channel string `placeholder:"CHANNEL" help:"Only what is parked for this channel, as plug/source."`
	JSON    bool   `help:"Print JSON."`
}

// Run lists what is parked.
func (cmd parkedListCommand) Run() error {
	if err := checkChannel(cmd.Channel); err != nil {
		return err
	}
	client, ctx, cancel, err := cmd.client()
	if err != nil {
		return err
	}
	defer cancel()
	defer client.Close()
	parked, err := client.Parked(ctx, &hostv1.ListParkedRequest{Channel: cmd.Channel})
	if err != nil {
		return explain(ctx, err)
	}
	if cmd.JSON {
		return printParkedJSON(os.Stdout, parked)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "OPERATION\tCHANNEL\tFOR\tATTEMPTS\tWHAT\tREASON")
	for _, p := range parked {
		op := p.Operation
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", op.OperationId, printable(op.Channel), age(asTime(p.ParkedTime), time.Now()), op.Attempts,
			brief(what(p.Action)), brief(op.Reason))
	}
	return table.Flush()
}

func printParkedJSON(w io.Writer, parked []*hostv1.ParkedOperation) error {
	all := make([]json.RawMessage, len(parked))
	for i, p := range parked {
		data, err := protojson.Marshal(p)
		if err != nil {
			return err
		}
		all[i] = data
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(all)
}

type parkedShowCommand struct {
	hostFlags
	Operation string `arg:"" help:"The parked operation, as plughost parked list has it."`
	JSON      bool   `help:"Print JSON."`
}

// Run shows one parked message.
func (cmd parkedShowCommand) Run() error {
	client, ctx, cancel, err := cmd.client()
	if err != nil {
		return err
	}
	defer cancel()
	defer client.Close()
	p, err := client.ParkedOperation(ctx, cmd.Operation)
	if err != nil {
		return explain(ctx, err)
	}
	if cmd.JSON {
		return printParkedJSON(os.Stdout, []*hostv1.ParkedOperation{p})
	}
	op := p.Operation
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, printable(value))
		}
	}
	line("operation", op.OperationId)
	line("channel", op.Channel)
	line("made by", op.Hook)
	line("because of", messageRef(p.Source))
	line("about", messageRef(p.Target))
	line("author", authorName(p.Action.GetAuthor()))
	line("what", what(p.Action))
	line("accepted", when(op.AcceptedTime.AsTime()))
	if p.FirstAttemptTime != nil {
		line("first attempt", when(p.FirstAttemptTime.AsTime()))
	}
	line("parked", when(p.ParkedTime.AsTime()))
	line("attempts", fmt.Sprint(op.Attempts))
	line("verdict", strings.TrimPrefix(p.Verdict.String(), "VERDICT_"))
	line("reason", op.Reason)
	for i, r := range op.Receipts {
		line(fmt.Sprintf("part %d sent as", i+1), r.Id)
	}
	return table.Flush()
}

// parkedSelection says which parked messages are meant.
type parkedSelection struct {
	hostFlags
	Operation []string `arg:"" optional:"" help:"The parked operations, as plughost parked list has them."`
	Channel   string   `placeholder:"CHANNEL" help:"All that is parked for this channel, as plug/source."`
	All       bool     `help:"All that is parked."`
}

// resolve has the host do something with what is meant.
func (cmd parkedSelection) resolve(do func(*api.Client, context.Context, *hostv1.ParkedSelection) error) error {
	ways := 0
	for _, given := range []bool{len(cmd.Operation) > 0, cmd.Channel != "", cmd.All} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return &exit{exitUsage, errors.New("name the operations that plughost parked list has, or give --channel, or --all; one of the three")}
	}
	if err := checkChannel(cmd.Channel); err != nil {
		return err
	}
	client, ctx, cancel, err := cmd.client()
	if err != nil {
		return err
	}
	defer cancel()
	defer client.Close()
	return explain(ctx, do(client, ctx, &hostv1.ParkedSelection{OperationIds: cmd.Operation, Channel: cmd.Channel, All: cmd.All}))
}

type parkedRetryCommand struct{ parkedSelection }

// Run puts parked messages back.
func (cmd parkedRetryCommand) Run() error {
	return cmd.resolve(func(client *api.Client, ctx context.Context, s *hostv1.ParkedSelection) error {
		putBack, err := client.RetryParked(ctx, s)
		for _, p := range putBack {
			fmt.Printf("%s is put back as operation %s\n", p.OperationId, p.PutBackId)
		}
		if err == nil && len(putBack) == 0 {
			fmt.Println("nothing is parked there")
		}
		return err
	})
}

type parkedDropCommand struct{ parkedSelection }

// Run drops parked messages.
func (cmd parkedDropCommand) Run() error {
	return cmd.resolve(func(client *api.Client, ctx context.Context, s *hostv1.ParkedSelection) error {
		dropped, err := client.DropParked(ctx, s)
		for _, operation := range dropped {
			fmt.Printf("%s is dropped\n", operation)
		}
		if err == nil && len(dropped) == 0 {
			fmt.Println("nothing is parked there")
		}
		return err
	})
}

func checkChannel(channel string) error {
	if channel == "" {
		return nil
	}
	if _, err := api.ParseChannel(channel); err != nil {
		return &exit{exitUsage, fmt.Errorf("%q is no channel; write it as plug/source, such as libera/#dev", channel)}
	}
	return nil
}

// what gives an action in words.
func what(a *plugv1.Action) string {
	switch k := a.GetKind().(type) {
	case *plugv1.Action_Message:
		return words(k.Message)
	case *plugv1.Action_Edit:
		return "edit: " + words(k.Edit.Content)
	case *plugv1.Action_Delete:
		return "delete"
	case *plugv1.Action_ReactionAdded:
		return "reaction " + reaction(k.ReactionAdded.Reaction)
	case *plugv1.Action_ReactionRemoved:
		return "take back the reaction " + reaction(k.ReactionRemoved.Reaction)
	case *plugv1.Action_ChannelChanged:
		return "title or topic of the channel"
	}
	return "an action that this version does not know"
}

func authorName(a *plugv1.Author) string {
	switch {
	case a.GetFormattedName() != "":
		return a.FormattedName
	case a.GetUser() != nil:
		return name(a.User)
	}
	return ""
}

func messageRef(r *hostv1.MessageRef) string {
	switch {
	case r == nil:
		return ""
	case r.OperationId != "":
		return "operation " + r.OperationId
	}
	return "message " + r.MessageId + " in " + r.Channel
}

func when(t time.Time) string { return t.Local().Format(time.RFC3339) }

// maxBrief is how much of a text stands in a table, in runes.
const maxBrief = 60

// brief puts a text on one line of a table.
func brief(s string) string {
	s = strings.Join(strings.Fields(printable(s)), " ")
	if r := []rune(s); len(r) > maxBrief {
		return string(r[:maxBrief-1]) + "…"
	}
	return s
}
