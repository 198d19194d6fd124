package host_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// serveAstray is a plug that declares that its Puts stay in their channel, and whose
// messages land in another.
func serveAstray() {
	plug.Serve(plug.Definition{Name: "astray", Version: "0.0.0", Network: "astray", PutScope: plugv1.PutScope_PUT_SCOPE_CHANNEL,
		Abilities: &plugv1.Abilities{Echo: plugv1.Echo_ECHO_NONE}, New: func() plug.Plug { return &astray{} }})
}

type astray struct{}

func (*astray) Start(context.Context, *plug.Session) (*plug.Started, error) {
	return &plug.Started{NetworkID: "test:astray"}, nil
}

func (*astray) Stop(context.Context) error { return nil }

func (*astray) Put(_ context.Context, p *plug.Part) (*plugv1.Receipt, error) {
	return &plugv1.Receipt{Id: p.OperationID, Channel: "elsewhere"}, nil
}

// O2: a plug whose receipt names another channel, though it declared channel scope, goes
// on, and is counted and shown as degraded with the reason.
func TestReceiptElsewhere(t *testing.T) {
	t.Parallel()
	net, talk := simulated(t, simnettest.Account{Name: "talk"})
	o := childOptions{DataDir: dataDir(t), Plugs: []host.Plug{
		talk("talk", "talk"), {Name: "astray", Path: os.Args[0], Env: []string{asPlug + "=astray"}},
	}, Conversations: []host.Conversation{bridge(channel("talk", "a"), channel("astray", "c"))}}
	h := startHost(t, o)
	h.ready("talk", 0)
	h.ready("astray", 0)
	allListen(t, net, 1)
	speak(t, net, "a", "one")
	speak(t, net, "a", "two")
	s := h.until(id.InstanceName("astray"), "degraded, twice", func(s host.Status) bool { return s.State == "degraded" && s.Breaches == 2 })
	if !strings.Contains(s.Reason, "2 since the host started") || !strings.Contains(s.Reason, `its receipt for channel "c" names channel "elsewhere"`) {
		t.Errorf("the reason is %q", s.Reason)
	}
	if !strings.Contains(h.log(), "the plug broke the contract") {
		t.Error("it is not in the log")
	}
	h.stop()
	nothingWaits(t, o.DataDir)
}
