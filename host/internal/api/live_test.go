package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/api"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	"github.com/plughost/plughost/proto/plughost/host/v1/hostv1connect"
)

var (
	buildOnce sync.Once
	binDir    string
	bin       simnettest.Binaries
	buildErr  error
)

// simnet builds the simulated network once for all tests.
func simnet(t testing.TB) simnettest.Binaries {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real processes")
	}
	buildOnce.Do(func() {
		if binDir, buildErr = os.MkdirTemp("", "ph"); buildErr == nil {
			bin, buildErr = simnettest.Build(context.Background(), binDir)
		}
	})
	if buildErr != nil {
		t.Fatal(buildErr)
	}
	return bin
}

// live is a host with plugs on a simulated network, and clients of its API.
type live struct {
	t      *testing.T
	net    *simnettest.Process
	dir    string
	o      host.Options
	log    *os.File
	client struct {
		*http.Client
		plugs    hostv1connect.PlugServiceClient
		messages hostv1connect.MessageServiceClient
		events   hostv1connect.EventServiceClient
		users    hostv1connect.UserServiceClient
		channels hostv1connect.ChannelServiceClient
		history  hostv1connect.HistoryServiceClient
	}
	stop func() // stops host and API, and may be called again
}

// newLive makes a network with the accounts "bot" and "talk", each a plug with the
// sources named, and runs a host and its API.
func newLive(t *testing.T, bot simnettest.Account, o host.Options, sources ...string) *live {
	t.Helper()
	b := simnet(t)
	bot.Name = "bot"
	network, err := simnettest.Start(t.Context(), b.Simnetd, t.TempDir(), simnettest.Command{Account: &bot}, simnettest.Command{Account: &simnettest.Account{Name: "talk"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = network.Stop() })
	l := &live{t: t, net: network, o: o, dir: filepath.Join(t.TempDir(), "data")}
	for _, name := range []string{"bot", "talk"} {
		config, err := json.Marshal(map[string]string{"address": network.Address, "account": name})
		if err != nil {
			t.Fatal(err)
		}
		p := host.Plug{Name: id.InstanceName(name), Path: b.PlugWithScope, Config: config}
		for _, s := range sources {
			p.Sources = append(p.Sources, id.ChannelSource(name+"-"+s))
		}
		l.o.Plugs = append(l.o.Plugs, p)
	}
	l.o.DataDir, l.o.SettleTimeout = l.dir, time.Second
	if l.log, err = os.Create(filepath.Join(t.TempDir(), "log")); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(l.dir, "api", "plughost.sock"))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	c := &http.Client{Transport: transport}
	const at = "http://plughost"
	l.client.Client = c
	l.client.plugs = hostv1connect.NewPlugServiceClient(c, at)
	l.client.messages = hostv1connect.NewMessageServiceClient(c, at)
	l.client.events = hostv1connect.NewEventServiceClient(c, at)
	l.client.users = hostv1connect.NewUserServiceClient(c, at)
	l.client.channels = hostv1connect.NewChannelServiceClient(c, at)
	l.client.history = hostv1connect.NewHistoryServiceClient(c, at)
	l.start()
	return l
}

// start runs the host and its API until stop, and waits until its plugs listen.
func (l *live) start() {
	l.t.Helper()
	listener, err := api.Listen(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	o := l.o
	o.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: l.log})
	server := api.New(o.Logger)
	o.Changed = server.Changed
	h, err := host.New(o)
	if err != nil {
		l.t.Fatal(err)
	}
	before := l.subscribed()
	ctx, cancel := context.WithCancel(context.Background())
	apiCtx, stopAPI := context.WithCancel(context.Background())
	ran, served := make(chan error, 1), make(chan error, 1)
	go func() { ran <- h.Run(ctx) }()
	go func() { served <- server.Serve(apiCtx, listener, h) }()
	l.stop = sync.OnceFunc(func() {
		cancel()
		runErr := <-ran
		stopAPI()
		if err := errors.Join(runErr, <-served); err != nil {
			l.t.Errorf("the host ended: %v", err)
		}
	})
	l.t.Cleanup(l.stop)
	l.until("both plugs listen", func() bool { return l.subscribed() == before+2*len(l.o.Plugs[0].Sources) || l.subscribed() == before+2 })
}

func (l *live) subscribed() (n int) {
	l.t.Helper()
	for _, e := range l.ledger() {
		if e.Kind == simnettest.Subscribed {
			n++
		}
	}
	return n
}

func (l *live) ledger() []simnettest.Entry {
	l.t.Helper()
	ledger, err := l.net.Ledger(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return ledger
}

// accepted lists the texts that the network took in a channel.
func (l *live) accepted(channel string) (texts []string) {
	for _, e := range l.ledger() {
		if e.Kind == simnettest.Accepted && e.Channel == channel {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// until waits until something is so, which nothing tells of.
func (l *live) until(what string, so func() bool) {
	l.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(patience); !so(); <-tick.C {
		if time.Now().After(limit) {
			log, _ := os.ReadFile(l.log.Name())
			l.t.Fatalf("waited in vain until %s\n%s", what, log[max(0, len(log)-8000):])
		}
	}
}

func (l *live) ctx() context.Context {
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	l.t.Cleanup(cancel)
	return ctx
}

func (l *live) send(r *hostv1.SendRequest) *hostv1.Operation {
	l.t.Helper()
	response, err := l.client.messages.Send(l.ctx(), r)
	if err != nil {
		l.t.Fatalf("send %v: %v", r, err)
	}
	return response.Operation
}

func (l *live) do(commands ...simnettest.Command) {
	l.t.Helper()
	if _, err := l.net.Do(l.t.Context(), commands...); err != nil {
		l.t.Fatal(err)
	}
}

func (l *live) say(channel, text string) {
	l.t.Helper()
	if _, err := l.net.Say(l.t.Context(), channel, "ann", text); err != nil {
		l.t.Fatal(err)
	}
}

// subscriber reads a stream of Subscribe.
type subscriber struct {
	l       *live
	stream  *connect.ServerStreamForClient[hostv1.SubscribeResponse]
	close   func()
	resumed bool
}

func (l *live) subscribe(r *hostv1.SubscribeRequest) *subscriber {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	stream, err := l.client.events.Subscribe(ctx, r)
	if err != nil {
		l.t.Fatal(err)
	}
	s := &subscriber{l: l, stream: stream, close: sync.OnceFunc(func() {
		cancel()
		_ = stream.Close()
	})}
	l.t.Cleanup(s.close)
	first := s.next()
	if first.GetStarted() == nil {
		l.t.Fatalf("the stream begins with %v", first)
	}
	s.resumed = first.GetStarted().Resumed
	return s
}

func (s *subscriber) next() *hostv1.SubscribeResponse {
	s.l.t.Helper()
	if !s.stream.Receive() {
		s.l.t.Fatalf("the stream ended: %v", s.stream.Err())
	}
	return s.stream.Msg()
}

// brief gives an entry in a few words.
func brief(e *hostv1.SubscribeResponse) string {
	switch k := e.Kind.(type) {
	case *hostv1.SubscribeResponse_PutSettled:
		op := k.PutSettled.Operation
		return fmt.Sprintf("settled %s %s", op.OperationId, strings.ToLower(strings.TrimPrefix(op.State.String(), "OPERATION_STATE_")))
	case *hostv1.SubscribeResponse_Delivery:
		text := ""
		for _, s := range k.Delivery.Event.GetMessage().GetText().GetSegments() {
			text += s.Text
		}
		if o := k.Delivery.Origin; o != nil {
			return "echo " + o.OperationId + " " + text
		}
		return "event " + text
	}
	return fmt.Sprint(e)
}

func client(t *testing.T, dir string) (*api.Client, context.Context) {
	t.Helper()
	c := api.NewClient(dir)
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return c, ctx
}
