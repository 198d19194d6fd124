package host_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// pong is a whole bot: it answers "!ping", wherever it is said.
type pong struct{}

func (pong) Name() id.HookName { return "pong" }

func (pong) Receive(_ context.Context, d *hook.Delivery) ([]hook.Send, error) {
	if d.Ours || text(d.Event) != "!ping" {
		return nil, nil
	}
	return []hook.Send{{Channel: d.Channel, Action: say("pong")}}, nil
}

// An embedder's own host, with a hook of his own.
func ExampleHost() {
	network, plug := exampleNetwork() // a plug on a simulated network
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	h, err := host.New(host.Options{
		DataDir: filepath.Join(network.Dir, "data"),
		Plugs:   []host.Plug{plug},
		Hooks:   []hook.Hook{pong{}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	stopped := make(chan error, 1)
	go func() { stopped <- h.Run(ctx) }()

	fmt.Println(network.ask("!ping"))
	cancel()
	fmt.Println(<-stopped)
	network.stop()
	// Output:
	// pong
	// <nil>
}

func text(e *plugv1.Event) string {
	var s string
	for _, segment := range e.GetMessage().GetText().GetSegments() {
		s += segment.Text
	}
	return s
}

func say(s string) *plugv1.Action {
	return &plugv1.Action{Kind: &plugv1.Action_Message{Message: &plugv1.Message{
		Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: s}}},
	}}}
}

// network is the example's network.
type network struct {
	*simnettest.Process
	Dir string
}

func exampleNetwork() (*network, host.Plug) {
	dir, err := os.MkdirTemp("", "plughost-example")
	if err != nil {
		panic(err)
	}
	bin, err := simnettest.Build(context.Background(), dir)
	if err != nil {
		panic(err)
	}
	p, err := simnettest.Start(context.Background(), bin.Simnetd, dir)
	if err != nil {
		panic(err)
	}
	return &network{p, dir}, host.Plug{
		Name: "sim", Path: bin.Plug, Sources: []id.ChannelSource{"lobby"},
		Config: fmt.Appendf(nil, `{"address": %q, "account": "bot"}`, p.Address),
	}
}

// ask says something in the lobby, once the plug is there, and returns what the
// plug says next.
func (n *network) ask(question string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.Wait(ctx, simnettest.Subscribed, "", 1); err != nil {
		return err.Error()
	}
	if _, err := n.Say(ctx, "lobby", "ann", question); err != nil {
		return err.Error()
	}
	if err := n.Wait(ctx, simnettest.Accepted, "lobby", 1); err != nil {
		return err.Error()
	}
	ledger, err := n.Ledger(ctx)
	if err != nil {
		return err.Error()
	}
	return ledger[len(ledger)-1].Text
}

func (n *network) stop() {
	_ = n.Stop()
	os.RemoveAll(n.Dir)
}
