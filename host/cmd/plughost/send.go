package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/internal/api"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
)

type sendCommand struct {
	hostFlags
	Channel string        `arg:"" help:"Where to, as plug/source: libera/#dev."`
	Text    string        `arg:"" help:"What to say."`
	File    []string      `placeholder:"FILE" type:"existingfile" sep:"none" help:"A file that comes with it; may be given several times. The text may be empty then."`
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
	if cmd.Text == "" && len(cmd.File) == 0 {
		return &exit{exitUsage, errors.New("the text is empty")}
	}
	if cmd.Expires < 0 {
		return &exit{exitUsage, fmt.Errorf("--expires %v is over already", cmd.Expires)}
	}
	client, err := cmd.open()
	if err != nil {
		return err
	}
	defer client.Close()
	r := &hostv1.SendRequest{Channel: channel.String(), Text: cmd.Text, Client: "cli", RequestId: cmd.ID}
	if cmd.ReplyTo != "" {
		r.ReplyTo = &hostv1.MessageRef{Channel: cmd.Channel, MessageId: cmd.ReplyTo}
	}
	if cmd.Expires > 0 {
		r.Expiry = timestamppb.New(time.Now().Add(cmd.Expires))
	}
	for _, path := range cmd.File {
		f, err := upload(client, path)
		if err != nil {
			return err
		}
		r.Files = append(r.Files, f)
	}
	ctx, cancel := asking()
	defer cancel()
	op, err := client.Send(ctx, r)
	if err != nil {
		return explain(ctx, err)
	}
	return told(wait(client, op, cmd.Wait))
}

// uploadRate is the least that the host is waited for, in bytes per second.
const uploadRate = 1 << 20

// upload gives the host a file.
func upload(client *api.Client, path string) (*hostv1.SendFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var head [512]byte // as much as is looked at
	n, err := io.ReadFull(f, head[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("%s can't be sent: it is no plain file: %w", path, err)
	}
	most := askTimeout + time.Duration(info.Size()/uploadRate)*time.Second
	ctx, cancel := context.WithTimeoutCause(context.Background(), most, fmt.Errorf("the host does not take %s within %v; see its log", path, most))
	defer cancel()
	taken, err := client.Upload(ctx, f)
	if err != nil {
		return nil, explain(ctx, fmt.Errorf("%s: %w", path, err))
	}
	mediaType, _, _ := strings.Cut(http.DetectContentType(head[:n]), ";")
	return &hostv1.SendFile{Sha256: taken.Sha256, Name: filepath.Base(path), MediaType: mediaType}, nil
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
