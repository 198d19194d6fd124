package host_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// listener is a hook that notes what it is given, and answers "!say TEXT" by
// saying the text in the channel in which it was said.
type listener struct {
	mu      sync.Mutex
	given   []*hook.Delivery
	changed chan struct{}
}

func (*listener) Name() id.HookName { return "listener" }

func (l *listener) Receive(_ context.Context, d *hook.Delivery) ([]hook.Send, error) {
	l.mu.Lock()
	l.given = append(l.given, d)
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	if s := text(d.Event); !d.Ours && len(s) > 5 && s[:5] == "!say " {
		return []hook.Send{{Channel: d.Channel, Action: say(s[5:])}}, nil
	}
	return nil, nil
}

// find returns the delivery of a text, if it was given.
func (l *listener) find(text_ string) *hook.Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.given {
		if text(d.Event) == text_ {
			return d
		}
	}
	return nil
}

// until waits until a text is given.
func (l *listener) until(t *testing.T, text string) *hook.Delivery {
	t.Helper()
	limit := time.After(patience)
	for {
		l.mu.Lock()
		changed := l.changed
		l.mu.Unlock()
		if d := l.find(text); d != nil {
			return d
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("%q was not given to the hook", text)
		}
	}
}

// pass lets as much time pass as events need to go all the way to the hook, twenty
// times over: they go by way of another plug, for which nothing waits.
func pass(t *testing.T, net *simnettest.Process, l *listener) {
	t.Helper()
	for i := range 20 {
		tick := fmt.Sprintf("tick %d of %p", i, t)
		speak(t, net, "clock", tick)
		l.until(t, tick)
	}
}

// listening runs a host in this process, with a plug, another one as a clock, and
// a listener.
func listening(t *testing.T, scoped bool, account simnettest.Account) (*simnettest.Process, *listener) {
	t.Helper()
	account.Name = "bot"
	net, plug := simulated(t, account, simnettest.Account{Name: "clock"})
	p, clock := plug("sim", "bot"), plug("clock", "clock")
	clock.Sources = []id.ChannelSource{"clock"}
	p.Sources = []id.ChannelSource{"a", "b"}
	if scoped {
		p.Path = built(t).PlugWithScope
	}
	l := &listener{changed: make(chan struct{})}
	h, err := host.New(host.Options{DataDir: filepath.Join(t.TempDir(), "data"), Plugs: []host.Plug{p, clock}, Hooks: []hook.Hook{l}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	if err := net.Wait(t.Context(), simnettest.Subscribed, "", 2); err != nil {
		t.Fatal(err)
	}
	return net, l
}

func speak(t *testing.T, net *simnettest.Process, channel, text string) {
	t.Helper()
	if _, err := net.Say(t.Context(), channel, "ann", text); err != nil {
		t.Fatal(err)
	}
}

func do(t *testing.T, net *simnettest.Process, commands ...simnettest.Command) {
	t.Helper()
	if _, err := net.Do(t.Context(), commands...); err != nil {
		t.Fatal(err)
	}
}

// "Calls to send() must return with a message ID before the new message is yielded
// to the system" (O1, O4): the echo comes while the answer is held back, and is not
// yielded before it; then it is, and says whose it is.
func TestIDBeforeEcho(t *testing.T) {
	t.Parallel()
	for name, scoped := range map[string]bool{"plug scope": true, "channel scope": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			net, l := listening(t, scoped, simnettest.Account{})
			do(t, net, simnettest.Command{Channel: &simnettest.Channel{Name: "a", Echo: simnettest.Before}},
				simnettest.Command{Network: &simnettest.NetworkSettings{LogShown: true}},
				simnettest.Command{Hold: &simnettest.Hold{Channel: "a", Stage: simnettest.StageAnswers}})
			speak(t, net, "a", "!say mine")
			l.until(t, "!say mine")
			// The network has taken it and shown it to us.
			if err := net.Wait(t.Context(), simnettest.Accepted, "a", 1); err != nil {
				t.Fatal(err)
			}
			if err := net.Wait(t.Context(), simnettest.Shown, "a", 2); err != nil {
				t.Fatal(err)
			}
			pass(t, net, l)
			if l.find("mine") != nil {
				t.Error("the echo was yielded while the send had not returned")
			}
			do(t, net, simnettest.Command{Release: &simnettest.Release{Channel: "a", Stage: simnettest.StageAnswers}})
			d := l.until(t, "mine")
			if d.Origin == nil || !d.Ours || !d.Origin.Primary || d.Origin.Hook != "listener" || d.Origin.Source == nil {
				t.Errorf("the echo's origin is %+v, ours %v", d.Origin, d.Ours)
			}
		})
	}
}

// "This is typically needed if sending or receiving requires multiple API calls, as
// an asynchronous call would block one method, potentially returning to the other.
// An internal lock applies to put() and queue retrieval": while the first of two
// calls of a send blocks, nothing of the plug is yielded that came after it began.
func TestLockOverTwoCallSend(t *testing.T) {
	t.Parallel()
	net, l := listening(t, true, simnettest.Account{TwoCallSend: true, TwoCallFetch: true})
	do(t, net, simnettest.Command{Hold: &simnettest.Hold{Channel: "a", Stage: simnettest.StageUploads}},
		simnettest.Command{Hold: &simnettest.Hold{Channel: "b", Stage: simnettest.StageFetches}})
	speak(t, net, "a", "!say mine")
	l.until(t, "!say mine")
	if err := net.Wait(t.Context(), simnettest.Uploaded, "a", 1); err != nil {
		t.Fatal(err)
	}
	speak(t, net, "b", "meanwhile")
	do(t, net, simnettest.Command{Release: &simnettest.Release{Channel: "b", Stage: simnettest.StageFetches}})
	if err := net.Wait(t.Context(), simnettest.Fetched, "b", 1); err != nil {
		t.Fatal(err)
	}
	pass(t, net, l)
	if l.find("meanwhile") != nil {
		t.Error("an event was yielded while a send of its scope ran")
	}
	do(t, net, simnettest.Command{Release: &simnettest.Release{Channel: "a", Stage: simnettest.StageUploads}})
	l.until(t, "meanwhile")
	if d := l.until(t, "mine"); d.Origin == nil {
		t.Error("the echo has no origin")
	}
}

// O5: a stranger's event with our operation's id, and a message of ours from
// another device, settle nothing; neither is taken for a copy of ours.
func TestForgedAndOtherDevice(t *testing.T) {
	t.Parallel()
	net, l := listening(t, false, simnettest.Account{Careless: true})
	speak(t, net, "a", "!say mine")
	d := l.until(t, "mine")
	if d.Origin == nil {
		t.Fatal("the echo has no origin")
	}
	do(t, net,
		simnettest.Command{Say: &simnettest.Say{Channel: "a", Author: "eve", Text: "forged", OperationID: string(d.Origin.Operation)}},
		simnettest.Command{Say: &simnettest.Say{Channel: "a", Account: "bot", Text: "from my phone"}})
	if d := l.until(t, "forged"); d.Origin != nil || d.Ours {
		t.Errorf("a stranger's event with our id: origin %+v, ours %v", d.Origin, d.Ours)
	}
	if d := l.until(t, "from my phone"); d.Origin != nil || !d.Ours {
		t.Errorf("our own from another device: origin %+v, ours %v", d.Origin, d.Ours)
	}
}
