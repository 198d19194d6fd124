package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/client"
	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/network"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/server"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// inBubble runs a test in a bubble, with a network and a way to dial it.
func inBubble(t *testing.T, test func(t *testing.T, dial func(client.Options) *client.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := network.New(ledger.NewWriter(&bytes.Buffer{}))
		defer n.Close()
		var running sync.WaitGroup
		var clients []*client.Client
		defer func() {
			for _, c := range clients {
				c.Close()
			}
			running.Wait()
		}()
		test(t, func(o client.Options) *client.Client {
			here, there := net.Pipe()
			running.Go(func() { server.ServeConn(t.Context(), n, there) })
			c := client.New(here, o)
			clients = append(clients, c)
			return c
		})
	})
}

// login logs in to a channel and subscribes.
func login(t *testing.T, c *client.Client, account string, channels ...string) wire.LoginReply {
	t.Helper()
	reply, err := c.Login(t.Context(), wire.Login{Account: account, Channels: channels})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Subscribe(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return reply
}

func do(t *testing.T, c *client.Client, commands ...script.Command) (r script.Result) {
	t.Helper()
	for _, command := range commands {
		var err error
		if r, err = c.Do(t.Context(), command); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// event returns the next event, past marks.
func event(t *testing.T, c *client.Client) *wire.Event {
	t.Helper()
	for {
		f, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := f.(*wire.Event); ok {
			return e
		}
	}
}

func TestSendAndEcho(t *testing.T) {
	inBubble(t, func(t *testing.T, dial func(client.Options) *client.Client) {
		c := dial(client.Options{})
		login(t, c, "alice", "left")
		a, err := c.Ask(t.Context(), &wire.Send{Channel: "left", Text: "hi", OperationID: "op"})
		if err != nil || a.MessageID != "left-1" {
			t.Fatalf("%+v, %v", a, err)
		}
		if e := event(t, c); e.Text != "hi" || e.OperationID != "op" || e.Own != "yes" {
			t.Fatalf("%+v", e)
		}
	})
}

// Answers come in any order: one that is held back keeps no other waiting.
func TestRequestsAreIndependent(t *testing.T) {
	inBubble(t, func(t *testing.T, dial func(client.Options) *client.Client) {
		c, control := dial(client.Options{}), dial(client.Options{})
		login(t, c, "alice", "left", "right")
		do(t, control, script.Command{Hold: &script.Hold{Channel: "left", Stage: script.StageAnswers}})
		held, err := c.Begin(t.Context(), &wire.Send{Channel: "left", Text: "held"})
		if err != nil {
			t.Fatal(err)
		}
		defer held.Forget()
		if _, err := c.Ask(t.Context(), &wire.Send{Channel: "right", Text: "free"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := held.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, client.ErrNotSent) {
			t.Fatalf("the held answer gave %v", err)
		}
		do(t, control, script.Command{Release: &script.Release{Channel: "left", Stage: script.StageAnswers}})
		if a, err := held.Wait(t.Context()); err != nil || a.MessageID != "left-1" {
			t.Fatalf("%+v, %v", a, err)
		}
	})
}

func TestWhatIsCertainWhenTheConnectionIsLost(t *testing.T) {
	inBubble(t, func(t *testing.T, dial func(client.Options) *client.Client) {
		c, control := dial(client.Options{}), dial(client.Options{})
		login(t, c, "alice", "left")
		do(t, control, script.Command{Puts: &script.Puts{Channel: "left", Verdict: script.Disconnect, Accepted: true}})
		if _, err := c.Ask(t.Context(), &wire.Send{Channel: "left", Text: "hi"}); err == nil || errors.Is(err, client.ErrNotSent) {
			t.Fatalf("a message that was written gave %v", err)
		}
		<-c.Lost()
		if _, err := c.Ask(t.Context(), &wire.Send{Channel: "left", Text: "hi"}); !errors.Is(err, client.ErrNotSent) {
			t.Fatalf("a message on a lost connection gave %v", err)
		}
		if c.Err() == nil {
			t.Fatal("no reason")
		}
	})
	inBubble(t, func(t *testing.T, dial func(client.Options) *client.Client) {
		c := dial(client.Options{})
		login(t, c, "alice", "left")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Ask(ctx, &wire.Send{Channel: "left", Text: "hi"}); !errors.Is(err, client.ErrNotSent) {
			t.Fatalf("a message after its deadline gave %v", err)
		}
		if _, err := c.Ask(t.Context(), &wire.Send{Text: string(make([]byte, wire.MaxFrame))}); !errors.Is(err, client.ErrNotSent) {
			t.Fatalf("a message that is too long gave %v", err)
		}
	})
}

// The bound of events in memory: the network sends no more than the client has room
// for, answers pass, and nothing is lost.
func TestEventsWaitInTheNetwork(t *testing.T) {
	inBubble(t, func(t *testing.T, dial func(client.Options) *client.Client) {
		c, control := dial(client.Options{}), dial(client.Options{})
		login(t, c, "alice", "left")
		const count = 2000
		do(t, control, script.Command{Say: &script.Say{Channel: "left", Text: "hi", Count: count}})
		if _, err := c.Ask(t.Context(), &wire.Send{Channel: "left", Text: "mine"}); err != nil {
			t.Fatal(err)
		}
		for i := range count {
			if e := event(t, c); e.Text != fmt.Sprintf("hi %d", i+1) {
				t.Fatalf("event %d is %q", i+1, e.Text)
			}
		}
		if e := event(t, c); e.Text != "mine" {
			t.Fatalf("the last is %q", e.Text)
		}
	})
}

func TestEventsBeforeTheEndAreReturned(t *testing.T) {
	inBubble(t, func(t *testing.T, dial func(client.Options) *client.Client) {
		c, control := dial(client.Options{}), dial(client.Options{})
		login(t, c, "alice", "left")
		do(t, control, script.Command{Say: &script.Say{Channel: "left", Text: "hi", Count: 2}})
		synctest.Wait()
		do(t, control, script.Command{Drop: &script.Drop{Account: "alice"}})
		<-c.Lost()
		event(t, c)
		event(t, c)
		if f, err := c.Next(t.Context()); err == nil {
			t.Fatalf("after the end: %+v", f)
		}
	})
}

func TestOrdersReachThePlug(t *testing.T) {
	inBubble(t, func(t *testing.T, dial func(client.Options) *client.Client) {
		var taken script.Plug
		c, control := dial(client.Options{OnOrder: func(p script.Plug) { taken = p }}), dial(client.Options{})
		login(t, c, "alice", "left")
		order := script.Plug{Account: "alice", Fault: script.FaultHang, At: script.BeforeAnswer, Channel: "left"}
		if r := do(t, control, script.Command{Plug: &order}); r.Count != 1 || taken != order {
			t.Fatalf("%d took %+v", r.Count, taken)
		}
	})
}

func TestActivityIsSilenceWhileFrozen(t *testing.T) {
	inBubble(t, func(t *testing.T, dial func(client.Options) *client.Client) {
		var heard atomic.Int64
		c, control := dial(client.Options{OnActivity: func() { heard.Add(1) }}), dial(client.Options{})
		do(t, control, script.Command{Account: &script.Account{Name: "alice", MaxSilence: script.Duration(30 * time.Second)}})
		login(t, c, "alice", "left")
		before := heard.Load()
		time.Sleep(time.Minute)
		synctest.Wait()
		if pings := heard.Load() - before; pings < 5 {
			t.Fatalf("heard %d times in a minute, want six or so", pings)
		}
		do(t, control, script.Command{Freeze: &script.Freeze{Account: "alice"}})
		before = heard.Load()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := c.Ask(ctx, &wire.Send{Channel: "left", Text: "hi"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a frozen network gave %v", err)
		}
		// Nothing is read either: the message stays where it is.
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := control.Do(ctx, script.Command{Wait: &script.Wait{Kind: "accepted", Count: 1}}); err == nil {
			t.Fatal("a frozen network took a message")
		}
		if heard.Load() != before {
			t.Fatal("heard something from a frozen network")
		}
		// A login of a frozen account gets no answer either.
		second := dial(client.Options{})
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := second.Login(ctx, wire.Login{Account: "alice"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a login while frozen gave %v", err)
		}
		do(t, control, script.Command{Freeze: &script.Freeze{Account: "alice", Thaw: true}},
			script.Command{Wait: &script.Wait{Kind: "accepted", Count: 1}})
	})
}

func TestGenerate(t *testing.T) {
	for name, perSecond := range map[string]float64{"at a rate": 100, "as fast as taken": 0} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, dial func(client.Options) *client.Client) {
				const count = 10_000
				c, control := dial(client.Options{}), dial(client.Options{})
				login(t, c, "alice", "c0", "c1", "c2")
				begin := time.Now()
				done := make(chan error, 1)
				go func() {
					_, err := control.Do(t.Context(), script.Command{Generate: &script.Generate{
						Channels: []string{"c0", "c1", "c2"}, Count: count, Size: 20, PerSecond: perSecond, First: 5,
					}})
					done <- err
				}()
				for i := range count {
					e := event(t, c)
					if want := fmt.Sprintf("%09d ..........", i+5); e.Text != want || e.Channel != fmt.Sprintf("c%d", i%3) {
						t.Fatalf("message %d is %q in %s, want %q", i, e.Text, e.Channel, want)
					}
				}
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); perSecond > 0 && (took < 99*time.Second || took > 101*time.Second) {
					t.Fatalf("it took %v, want 100s", took)
				}
			})
		})
	}
}

// As fast as taken is at most 4096 ahead: nobody takes, nothing more is said.
func TestGenerateWaitsForTheSlowest(t *testing.T) {
	inBubble(t, func(t *testing.T, dial func(client.Options) *client.Client) {
		c, control := dial(client.Options{}), dial(client.Options{})
		login(t, c, "alice", "left")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		generate := script.Command{Generate: &script.Generate{Channels: []string{"left"}, Count: 100_000, Size: 9}}
		if _, err := control.Do(ctx, generate); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		// 256 are in the client, some are on their way, 4096 and a burst wait.
		do(t, control, script.Command{Wait: &script.Wait{Kind: "emitted", Count: 4096}})
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := control.Do(ctx, script.Command{Wait: &script.Wait{Kind: "emitted", Count: 4096 + 2*256}}); err == nil {
			t.Fatal("it went on with nobody taking")
		}
	})
}

func TestBadRequestsAreAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, dial func(client.Options) *client.Client) {
		c := dial(client.Options{})
		if _, err := c.Do(t.Context(), script.Command{}); err == nil {
			t.Error("an empty command was carried out")
		}
		for _, body := range []string{"nonsense", `{"unknown":{}}`, "{}"} {
			p, err := c.Begin(t.Context(), &wire.Call{Body: body})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Wait(t.Context()); err == nil {
				t.Errorf("%s got an answer", body)
			}
		}
		if _, err := c.Login(t.Context(), wire.Login{Account: "alice"}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Login(t.Context(), wire.Login{Account: "alice"}); err == nil {
			t.Error("a second login was answered")
		}
	})
}
