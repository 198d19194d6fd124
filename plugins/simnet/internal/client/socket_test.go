package client_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/plughost/plughost/plugins/simnet/internal/client"
	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/network"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/server"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

func TestServeOnASocket(t *testing.T) {
	defer goleak.VerifyNone(t)
	c, stop := onSocket(t)
	if _, err := c.Ask(t.Context(), &wire.Send{Channel: "c0", Text: "hi"}); err != nil {
		t.Fatal(err)
	}
	stop()
	<-c.Lost()
	c.Close()
	if _, err := client.Dial(t.Context(), "unix:"+filepath.Join(t.TempDir(), "none"), client.Options{}); err == nil {
		t.Fatal("connected to nothing")
	}
}

// onSocket serves a network on a real socket and logs in to 100 channels.
func onSocket(t testing.TB) (c *client.Client, stop func()) {
	n := network.New(ledger.NewWriter(io.Discard))
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, n, l) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		n.Close()
	}
	if c, err = client.Dial(ctx, "unix:"+path, client.Options{}); err != nil {
		t.Fatal(err)
	}
	var channels []string
	for i := range 100 {
		channels = append(channels, fmt.Sprintf("c%d", i))
	}
	if _, err := c.Login(ctx, wire.Login{Account: "alice", Channels: channels}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Subscribe(ctx, nil); err != nil {
		t.Fatal(err)
	}
	return c, stop
}

// BenchmarkEvents takes what a generator says as fast as it is taken.
func BenchmarkEvents(b *testing.B) {
	c, stop := onSocket(b)
	defer stop()
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	b.ResetTimer()
	running.Go(func() {
		_, err := c.Do(ctx, script.Command{Generate: &script.Generate{
			Channels: []string{"c0", "c1", "c2", "c3"}, Count: b.N, Size: 300,
		}})
		if err != nil {
			b.Error(err)
		}
	})
	for taken := 0; taken < b.N; {
		f, err := c.Next(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if _, ok := f.(*wire.Event); ok {
			taken++
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkSends sends 300 bytes at a time through one connection, 64 in flight,
// and takes the echoes.
func BenchmarkSends(b *testing.B) {
	c, stop := onSocket(b)
	defer stop()
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() {
		for {
			if _, err := c.Next(ctx); err != nil {
				return
			}
		}
	})
	text := string(bytes.Repeat([]byte("x"), 300))
	const inFlight = 64
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var senders sync.WaitGroup
	for i := range inFlight {
		senders.Go(func() {
			for left.Add(-1) >= 0 {
				_, err := c.Ask(ctx, &wire.Send{Channel: fmt.Sprintf("c%d", i), Text: text, OperationID: "00000000000000000000"})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	senders.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sends/s")
	cancel()
	running.Wait()
}
