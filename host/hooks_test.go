package host_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// pinger is a bot with a life of its own: it answers "!ping" in its own time, outside
// Receive, and says how long the answer took when it is there.
type pinger struct {
	host    hook.Host
	running sync.WaitGroup
	stopped context.Context
}

func (*pinger) Name() id.HookName { return "pinger" }

func (p *pinger) Start(ctx context.Context, h hook.Host) error {
	p.host, p.stopped = h, ctx
	return nil
}

func (p *pinger) Receive(_ context.Context, d *hook.Delivery) ([]hook.Send, error) {
	if d.Ours || text(d.Event) != "!ping" {
		return nil, nil
	}
	// The event's id makes the request's: should the host crash now, it is asked
	// for again, and answered once.
	p.running.Go(func() {
		op, err := p.host.Send(p.stopped, hook.Request{Channel: d.Channel, Action: say("pong"), ID: d.Event.EventId})
		if err != nil {
			return
		}
		if sent, err := p.host.Wait(p.stopped, op); err == nil && sent.State == hook.Sent {
			_, _ = p.host.Send(p.stopped, hook.Request{Channel: d.Channel, Action: say("pong was " + string(sent.Receipts[0].Id))})
		}
	})
	return nil, nil
}

// filter is a bridge of its own that lets nothing rude pass.
type filter struct{ from, to hook.Channel }

func (filter) Name() id.HookName { return "filter" }

func (f filter) Receive(_ context.Context, d *hook.Delivery) ([]hook.Send, error) {
	if d.Ours || d.Channel != f.from || strings.Contains(text(d.Event), "rude") {
		return nil, nil
	}
	return []hook.Send{{Channel: f.to, Action: say(text(d.Event))}}, nil
}

// broken does not start.
type broken struct{ listener }

func (*broken) Name() id.HookName                      { return "broken" }
func (*broken) Start(context.Context, hook.Host) error { panic("no") }

// Hooks interact deeper: they send by themselves and learn what became of it; one that
// doesn't start is nobody else's trouble.
func TestHooksOfTheirOwn(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "bot"})
	p := &pinger{}
	b := &broken{listener{changed: make(chan struct{})}}
	l := &listener{changed: make(chan struct{})}
	log := &logBuffer{}
	from, to := channel("bot", "from"), channel("bot", "to")
	bot := plug("bot", "bot")
	bot.Sources = []id.ChannelSource{"from", "to"}
	h, err := host.New(host.Options{DataDir: dataDir(t), Plugs: []host.Plug{bot}, Hooks: []hook.Hook{b, p, filter{from, to}, l}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Subscribe(t.Context(), host.Subscribe{}); codeOf(err) != codes.Unavailable {
		t.Errorf("before it runs: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- h.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		p.running.Wait()
	}()
	allListen(t, net, 1)
	speak(t, net, "from", "hello")
	speak(t, net, "from", "something rude")
	speak(t, net, "from", "!ping")
	accepted(t, net, "to", 2, log.String)
	accepted(t, net, "from", 2, log.String)
	ledger, err := net.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	said := map[string][]string{}
	pong := ""
	for _, e := range ledger {
		if e.Kind == simnettest.Accepted {
			said[e.Channel] = append(said[e.Channel], e.Text)
			if e.Text == "pong" {
				pong = e.ID
			}
		}
	}
	if got := strings.Join(said["to"], ", "); got != "hello, !ping" {
		t.Errorf("filtered: %s", got)
	}
	if got := strings.Join(said["from"], ", "); got != "pong, pong was "+pong {
		t.Errorf("the bot said %s", got)
	}
	if d := l.until(t, "pong"); d.Origin == nil || d.Origin.Hook != "pinger" {
		t.Errorf("the bot's echo has the origin %+v", d.Origin)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.given) > 0 {
		t.Errorf("a hook that did not start was given %d events", len(b.given))
	}
	// Look-ups say what the network lacks, and which plug it is about.
	if _, err := p.host.Users("bot").Get(t.Context(), "ann"); codeOf(err) != codes.Unimplemented || !strings.Contains(err.Error(), "plug bot") {
		t.Errorf("users: %v", err)
	}
	if _, err := p.host.Channels("bot").Members(t.Context(), ""); codeOf(err) != codes.InvalidArgument {
		t.Errorf("channels: %v", err)
	}
	if _, err := p.host.History("nobody").Messages(t.Context(), "from", nil, 0); codeOf(err) != codes.NotFound {
		t.Errorf("history: %v", err)
	}
	if _, err := host.New(host.Options{DataDir: dataDir(t), Plugs: []host.Plug{bot}, Hooks: []hook.Hook{named("api:x")}}); err == nil {
		t.Error("a hook may be called as clients are")
	}
}

type named string

func (n named) Name() id.HookName                                          { return id.HookName(n) }
func (named) Receive(context.Context, *hook.Delivery) ([]hook.Send, error) { return nil, nil }

func codeOf(err error) codes.Code {
	if e := (*hook.Error)(nil); errors.As(err, &e) {
		return e.Code
	}
	return codes.Unknown
}

// An embedder sends, is told what became of it, and only then reads its own words;
// edits, reactions and replies name messages by operation or by id.
func TestEmbedder(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "bot"})
	bot := plug("bot", "bot")
	bot.Sources = []id.ChannelSource{"a"}
	h := runHere(t, host.Options{Plugs: []host.Plug{bot}}, net)
	c, err := h.Client("embedder")
	if err != nil {
		t.Fatal(err)
	}
	s, err := h.Subscribe(t.Context(), host.Subscribe{Channels: []hook.Channel{channel("bot", "a")}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	op, err := c.Send(ctx, hook.Request{Channel: channel("bot", "a"), Action: say("mine")})
	if err != nil {
		t.Fatal(err)
	}
	sent, err := c.Wait(ctx, op)
	if err != nil || sent.State != hook.Sent || sent.Hook != "api:embedder" {
		t.Fatalf("sent: %+v, %v", sent, err)
	}
	var entries []host.Entry
	for len(entries) < 2 {
		more, err := s.Next(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, more...)
	}
	if entries[0].Settled == nil || entries[0].Settled.ID != op || entries[1].Delivery == nil || entries[1].Delivery.Origin.Operation != op {
		t.Errorf("entries %+v", entries)
	}
	do(t, net, simnettest.Command{Hold: &simnettest.Hold{Channel: "a", Stage: simnettest.StageAnswers}})
	op, err = c.Send(ctx, hook.Request{Channel: channel("bot", "a"), Action: say("waits"), ReplyTo: &hook.Ref{Operation: op}})
	if err != nil {
		t.Fatal(err)
	}
	// A context that ends before the journal has been read gives no operation.
	var waits *hook.Operation
	for limit := 50 * time.Millisecond; waits == nil; limit *= 2 {
		short, giveUp := context.WithTimeout(ctx, limit)
		waits, err = c.Wait(short, op)
		giveUp()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			t.Fatalf("waits: %+v, %v", waits, err)
		}
	}
	if waits.State != hook.Waiting {
		t.Errorf("waits: %+v", waits)
	}
	do(t, net, simnettest.Command{Release: &simnettest.Release{Channel: "a", Stage: simnettest.StageAnswers}})
	if sent, err := c.Wait(ctx, op); err != nil || sent.State != hook.Sent {
		t.Errorf("sent: %+v, %v", sent, err)
	}
}
