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
	case "feed": // is only read
		d.New = func() plug.Plug { return &network{} }
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
type network struct{ slow bool }

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
	n.slow = c.Start == "slow_stop"
	return &plug.Started{NetworkID: "test:" + s.Instance}, nil
}

// Stop implements plug.Plug.
func (n *network) Stop(ctx context.Context) error {
	if n.slow {
		<-ctx.Done()
	}
	return nil
}

// both can be written to as well.
type both struct{ network }

// Put implements plug.Putter.
func (*both) Put(_ context.Context, p *plug.Part) (*plugv1.Receipt, error) {
	return &plugv1.Receipt{Id: p.OperationID}, nil
}
