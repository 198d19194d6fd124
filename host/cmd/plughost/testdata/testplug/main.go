// Command testplug is several small plugs in one binary, for tests of the
// command line: which one it is follows from the name that it is called by.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// config is that of the plug "irc".
type config struct {
	Server   string `json:"server" jsonschema:"description=Host name of the server."`
	Port     int    `json:"port,omitempty" jsonschema:"description=Port of the server.,minimum=1,maximum=65535"`
	Nick     string `json:"nick,omitempty" jsonschema:"description=Name on the network.,pattern=^[a-z]+$"`
	TLS      bool   `json:"tls,omitempty" jsonschema:"description=Whether the connection is encrypted."`
	Password string `json:"password,omitempty" jsonschema:"description=Password of the account.,minLength=8,writeOnly=true"`
	// Start says how the plug's Start ends; slow_stop, that Stop takes long.
	Start string `json:"start,omitempty" jsonschema:"description=How starting ends.,enum=ready,enum=unreachable,enum=logged_out,enum=bad_config,enum=degraded,enum=slow_stop"`
	// Open is a file without which every Put is refused.
	Open string `json:"open,omitempty" jsonschema:"description=Messages are refused until this file is there."`
}

func main() {
	d := plug.Definition{Name: filepath.Base(os.Args[0]), Version: "1.0.0", Network: "Test"}
	switch d.Name {
	case "irc":
		d.Config = config{}
		d.New = func() plug.Plug { return &both{} }
	case "bare": // takes no config
		d.New = func() plug.Plug { return &both{} }
	case "picky": // checks its config itself
		d.Config = config{}
		d.New = func() plug.Plug { return &picky{} }
	case "directory": // lists its network's channels
		d.New = func() plug.Plug { return &directory{} }
	case "feed": // is only read
		d.New = func() plug.Plug { return &network{} }
	case "forgetful": // could not resume
		d.New = func() plug.Plug { return &forgetful{} }
	case "pager": // is only written to
		d.Emits = []plugv1.EventKind{}
		d.New = func() plug.Plug { return &both{} }
	default: // "crashes", say
		fmt.Fprintln(os.Stderr, "libexample.so is missing")
		os.Exit(3)
	}
	plug.Serve(d)
}

// network connects to nothing.
type network struct {
	slow bool
	open string
}

// Start implements plug.Plug.
func (n *network) Start(_ context.Context, s *plug.Session) (*plug.Started, error) {
	var c config
	if err := s.Config(&c); err != nil {
		return nil, err
	}
	switch c.Start {
	case "unreachable":
		return nil, plug.Unreachable(errors.New("no route to the server"), time.Hour)
	case "logged_out":
		return nil, plug.LoggedOut(errors.New("wrong password"))
	case "bad_config":
		return nil, plug.BadConfig("/server", errors.New("there is no such server"))
	}
	if c.Start == "degraded" {
		s.SetNetworkState(plugv1.NetworkState_NETWORK_STATE_DEGRADED, "no history; ask the server's admin")
	}
	n.slow, n.open = c.Start == "slow_stop", c.Open
	return &plug.Started{NetworkID: "test:" + s.Instance}, nil
}

// Stop implements plug.Plug.
func (n *network) Stop(ctx context.Context) error {
	if n.slow {
		<-ctx.Done()
	}
	return nil
}

// forgetful was away for an hour, and doesn't know what was said.
type forgetful struct{ network }

// Receive implements plug.Receiver.
func (*forgetful) Receive(ctx context.Context, q *plug.Queue, _ plug.Cursors) error {
	end := time.Now()
	gap := &plugv1.Gap{Scope: "#c", Since: timestamppb.New(end.Add(-time.Hour)), Until: timestamppb.New(end), Reason: "the server keeps nothing"}
	if err := q.Gap(ctx, gap); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// directory knows what channels there are.
type directory struct{ network }

// ListChannels implements utility.ChannelLister.
func (*directory) ListChannels(_ context.Context, private bool, _ string, _ int) ([]*plugv1.Channel, error) {
	if private {
		return []*plugv1.Channel{{Source: "#staff", Title: "Staff", Private: true}}, nil
	}
	return []*plugv1.Channel{{Source: "#dev", Title: "Developers", Topic: "red \033[31m topic"}, {Source: "#help", Title: "Help"}}, nil
}

// both can be written to as well.
type both struct{ network }

// Put implements plug.Putter.
func (b *both) Put(_ context.Context, p *plug.Part) (*plugv1.Receipt, error) {
	if b.open != "" {
		if _, err := os.Stat(b.open); err != nil {
			return nil, plug.Refused(errors.New("the channel is closed"))
		}
	}
	return &plugv1.Receipt{Id: p.OperationID}, nil
}
