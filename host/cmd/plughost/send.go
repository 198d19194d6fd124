package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/internal/api"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
)

type sendCommand struct {
	hostFlags
	Channel string        `arg:"" help:"Where to, as plug/source: libera/#dev."`
	Text    string        `arg:"" help:"What to say."`
	ReplyTo string        `placeholder:"ID" help:"Id of the message in that channel that it answers."`
	ID      string        `placeholder:"ID" help:"An id of yours: what was sent with the same id to that channel is not sent again."`
	Expires time.Duration `placeholder:"DURATION" help:"Give it up if it can't be sent within this time."`
	Wait    time.Duration `placeholder:"DURATION" default:"10s" help:"How long to wait until it is sent: ${default}. It is sent all the same, later."`
}

// Run sends a message.
func (cmd sendCommand) Run() error {
	channel, err := api.ParseChannel(cmd.Channel)
	if err != nil {
		return &exit{exitUsage, fmt.Errorf("%q is no channel; write it as plug/source, such as libera/#dev", cmd.Channel)}
	}
	if cmd.Text == "" {
		return &exit{exitUsage, errors.New("the text is empty")}
	}
	if cmd.Expires < 0 {
		return &exit{exitUsage, fmt.Errorf("--expires %v is over already", cmd.Expires)}
	}
	client, ctx, cancel, err := cmd.client()
	if err != nil {
		return err
	}
	defer cancel()
	defer client.Close()
	r := &hostv1.SendRequest{Channel: channel.String(), Text: cmd.Text, Client: "cli", RequestId: cmd.ID}
	if cmd.ReplyTo != "" {
		r.ReplyTo = &hostv1.MessageRef{Channel: cmd.Channel, MessageId: cmd.ReplyTo}
	}
	if cmd.Expires > 0 {
		r.Expiry = timestamppb.New(time.Now().Add(cmd.Expires))
	}
	op, err := client.Send(ctx, r)
	if err != nil {
		return explain(ctx, err)
	}
	return told(wait(client, op, cmd.Wait))
}

// wait waits for an operation's end, and gives it as it is when the time is over.
func wait(client *api.Client, op *hostv1.Operation, most time.Duration) *hostv1.Operation {
	if op.State != hostv1.OperationState_OPERATION_STATE_WAITING {
		return op
	}
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	if settled, err := client.Wait(ctx, op.OperationId); err == nil {
		return settled
	}
	return op // it is accepted, whatever ended the wait
}

// told says what became of an operation.
func told(op *hostv1.Operation) error {
	switch op.State {
	case hostv1.OperationState_OPERATION_STATE_SENT:
		fmt.Printf("sent to %s", printable(op.Channel))
		for _, r := range op.Receipts {
			fmt.Printf(" %s", printable(r.Id))
		}
		fmt.Println()
	case hostv1.OperationState_OPERATION_STATE_PARKED:
		return &exit{exitPerson, fmt.Errorf("%s: not delivered, and kept as parked: %s", printable(op.Channel), printable(op.Reason))}
	case hostv1.OperationState_OPERATION_STATE_EXPIRED:
		return fmt.Errorf("%s: %s", printable(op.Channel), printable(op.Reason))
	default:
		fmt.Printf("accepted for %s as operation %s; it waits to be sent, see plughost status\n", printable(op.Channel), op.OperationId)
	}
	return nil
}
