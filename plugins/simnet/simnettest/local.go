package simnettest

import (
	"bytes"
	"context"
	"net"
	"slices"
	"sync"

	"github.com/plughost/plughost/plugins/simnet/internal/client"
	"github.com/plughost/plughost/plugins/simnet/internal/director"
	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/network"

	"github.com/plughost/plughost/plugins/simnet/internal/server"
	"github.com/plughost/plughost/plugins/simnet/internal/simplug"
	"github.com/plughost/plughost/sdk/go/plug"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Local is a network in this process, on in-memory pipes: everything in it may live
// in a bubble of package synctest.
type Local struct {
	Control

	network *network.Network
	lines   buffer
	// end ends the connections, running waits for them.
	ctx     context.Context
	end     context.CancelFunc
	running sync.WaitGroup
}

// NewLocal makes a network and carries out the commands on it. Close must be called
// in the end.
func NewLocal(ctx context.Context, commands ...Command) (*Local, error) {
	l := &Local{}
	l.ctx, l.end = context.WithCancel(context.Background())
	l.network = network.New(ledger.NewWriter(&l.lines))
	l.do = func(ctx context.Context, c Command) (Result, error) { return director.Do(ctx, l.network, c) }
	if _, err := l.Do(ctx, commands...); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Close closes all connections and ends the network.
func (l *Local) Close() {
	l.end()
	l.running.Wait()
	l.network.Close()
}

// Definition is a plug for this network, to be served by plug.NewServer. Its config
// needs an account, and any address. If the script orders its process to end or to
// hang, die is called, on the goroutine where that happens; if it returns, the plug
// goes on as if nothing had been ordered.
func (l *Local) Definition(scope plugv1.PutScope, die func(Fault)) plug.Definition {
	return simplug.Definition("simnet", scope, simplug.Options{
		Dial: func(_ context.Context, _ string, o client.Options) (*client.Client, error) {
			return client.New(l.connect(), o), nil
		},
		Die: die,
	})
}

func (l *Local) connect() net.Conn {
	here, there := net.Pipe()
	l.running.Go(func() { server.ServeConn(l.ctx, l.network, there) })
	return here
}

// Ledger returns all that has happened so far.
func (l *Local) Ledger(ctx context.Context) ([]Entry, error) {
	if err := l.flush(ctx); err != nil {
		return nil, err
	}
	return ledger.Read(bytes.NewReader(l.lines.copy()))
}

// buffer is a file in memory. Bound: the test.
type buffer struct {
	mu   sync.Mutex
	data []byte
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, p...)
	return len(p), nil
}

func (b *buffer) copy() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.data)
}
