package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/gate"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/link"
	"github.com/plughost/plughost/host/internal/process"
	"github.com/plughost/plughost/host/internal/put"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// putLatency is the time from accepting one operation until its receipt is durable,
// in the journal and in the message map. The stages are the host's own, put together
// here, since from outside the host one sees neither end.
func putLatency(ctx context.Context, s *suite) ([]figure, error) {
	b, err := startBare(s.dir)
	if err != nil {
		return nil, err
	}
	defer b.close()
	p, err := s.newPutter(ctx)
	if err != nil {
		return nil, err
	}
	defer p.close()
	text := strings.Repeat("x", textBytes)
	calls, rounds := pick(s, 4000, 500), pick(s, 3, 1)
	names := []string{"put_p50", "put_p99"}
	quantiles, expected := []float64{0.50, 0.99}, []string{"ratio ≤ 1.4", "ratio ≤ 1.6"}
	values, ratios := make([][]float64, 2), make([][]float64, 2)
	measure := func(once func(context.Context, string, int) ([]time.Duration, error)) (at [2]float64, err error) {
		times, err := once(ctx, text, calls)
		if err != nil {
			return at, err
		}
		for i, q := range quantiles {
			at[i] = times[int(float64(len(times)-1)*q)].Seconds() * 1000
		}
		return at, nil
	}
	// The first calls of both open connections and channels.
	if _, err := measure(b.latencies); err != nil {
		return nil, err
	}
	if _, err := measure(p.latencies); err != nil {
		return nil, err
	}
	before, err := measure(b.latencies)
	if err != nil {
		return nil, err
	}
	for range rounds {
		ours, err := measure(p.latencies)
		if err != nil {
			return nil, err
		}
		after, err := measure(b.latencies)
		if err != nil {
			return nil, err
		}
		for i := range names {
			values[i] = append(values[i], ours[i])
			ratios[i] = append(ratios[i], ours[i]/((before[i]+after[i])/2))
		}
		before = after
	}
	fmt.Fprintln(s.say, " ", p.steps)
	figures := make([]figure, 2)
	for i, name := range names {
		value := median(values[i])
		figures[i] = figure{Name: name, Value: value, Unit: "ms", Limit: value / median(ratios[i]), expected: expected[i],
			note: "accepted to durable receipt, one at a time; limit: a bare unary call"}
	}
	return figures, nil
}

// putter is the host's way of an operation: journal, gate, put stage, link, and a
// plug process with its network behind it.
type putter struct {
	dir     string
	net     *simnettest.Process
	store   storage.Store
	journal *journal.Journal
	plug    *process.Process
	stop    context.CancelFunc
	ended   chan error
	network id.NetworkID
	durable chan string // ids of operations whose receipts are
	steps   *steps
	last    int
}

// steps sums up where the time of an operation goes. Only one runs at a time, and
// each step happens before the next.
type steps struct {
	accept     time.Duration // the operation's record
	attempt    time.Duration // the attempt's record
	rpc        time.Duration // the plug's Put, with the network's answer
	whole      time.Duration
	operations int
}

// String gives the mean of each step.
func (s *steps) String() string {
	mean := func(d time.Duration) time.Duration { return (d / time.Duration(s.operations)).Round(time.Microsecond) }
	return fmt.Sprintf("mean %v: accept %v, attempt's record %v, Put %v, the rest (reading the operation, the receipt's records) %v",
		mean(s.whole), mean(s.accept), mean(s.attempt), mean(s.rpc), mean(s.whole-s.accept-s.attempt-s.rpc))
}

// observed tells when receipts are durable. Both records of an operation are written
// at the same time; the later one counts.
type observed struct {
	*journal.Journal
	steps   *steps
	halves  chan string
	durable chan string
}

// timedLink is the link, with its calls timed.
type timedLink struct {
	put.Link
	steps *steps
}

func (l timedLink) Put(ctx context.Context, r *plugv1.PutRequest, timeout time.Duration) *plugv1.PutResponse {
	defer func(begun time.Time) { l.steps.rpc += time.Since(begun) }(time.Now())
	return l.Link.Put(ctx, r, timeout)
}

func (o observed) SavePut(ctx context.Context, c id.Channel, r *journalv1.PutRecord) error {
	begun := time.Now()
	err := o.Journal.SavePut(ctx, c, r)
	if r.Attempt != nil {
		o.steps.attempt += time.Since(begun)
	}
	if err == nil && r.Attempt == nil {
		o.half(r.Settled.OperationId)
	}
	return err
}

func (o observed) SaveCopies(ctx context.Context, c id.Channel, settled *journalv1.Settled) error {
	err := o.Journal.SaveCopies(ctx, c, settled)
	if err == nil {
		o.half(settled.OperationId)
	}
	return err
}

// half notes one of the two records. There is one operation at a time.
func (o observed) half(operation string) {
	select {
	case o.halves <- operation:
	default:
		<-o.halves
		o.durable <- operation
	}
}

func (s *suite) newPutter(ctx context.Context) (p *putter, err error) {
	p = &putter{ended: make(chan error, 1), durable: make(chan string, 1), steps: &steps{}}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.dir, err = os.MkdirTemp(s.dir, "p"); err != nil {
		return p, err
	}
	if p.net, err = simnettest.Start(ctx, filepath.Join(s.bin, "simnetd"), p.dir); err != nil {
		return p, err
	}
	if p.store, err = storage.OpenJetStream(ctx, storage.Options{Dir: filepath.Join(p.dir, "journal")}); err != nil {
		return p, err
	}
	if p.journal, err = journal.Open(ctx, p.store); err != nil {
		return p, err
	}
	p.plug, err = process.Start(ctx, process.Options{Name: "right", Path: filepath.Join(s.bin, "plugs", "simnet"), RunDir: p.dir})
	if err != nil {
		return p, err
	}
	to := link.New(p.plug.Conn(), "right", hclog.NewNullLogger())
	described, err := to.Describe(ctx)
	if err != nil {
		return p, err
	}
	started, err := to.Start(ctx, &plugv1.StartRequest{Instance: "right", Sources: []string{"c0"},
		ConfigJson: fmt.Sprintf(`{"address": %q, "account": "right"}`, p.net.Address)})
	if err != nil {
		return p, err
	}
	p.network = id.NetworkID(started.NetworkId)
	stage := put.New(put.Options{
		Journal: observed{p.journal, p.steps, make(chan string, 1), p.durable},
		Gate:    gate.New(0), Logger: hclog.NewNullLogger(),
	})
	if err := stage.Open(ctx); err != nil {
		return p, err
	}
	stage.Attach(p.network, put.Live{Link: timedLink{to, p.steps}, Scope: described.PutScope, Concurrent: described.MaxConcurrentPuts,
		Abilities: started.Abilities, Channels: started.Channels})
	running, stop := context.WithCancel(ctx)
	p.stop = stop
	go func() { p.ended <- stage.Run(running) }()
	return p, nil
}

// close ends what there is.
func (p *putter) close() {
	if p.stop != nil {
		p.stop()
		<-p.ended
	}
	if p.plug != nil {
		_ = p.plug.Close()
	}
	if p.store != nil {
		_ = p.store.Close()
	}
	if p.net != nil {
		_ = p.net.Stop()
	}
}

// latencies of operations made one at a time, sorted.
func (p *putter) latencies(ctx context.Context, text string, calls int) ([]time.Duration, error) {
	times := make([]time.Duration, calls)
	for i := range times {
		p.last++
		operation := fmt.Sprintf("%020d", p.last)
		accepted := []journal.Accepted{{
			Channel: id.Channel{Network: p.network, Source: "c0"},
			Operations: []*journalv1.Operation{{
				Id: operation, Hook: "bench",
				Source: &journalv1.MessageKey{NetworkId: "simnet:left", Channel: "c0", Id: operation},
				Action: &plugv1.Action{
					Author: &plugv1.Author{User: &plugv1.User{Id: "stranger", Username: "stranger"}, FormattedName: "stranger [simnet]"},
					Kind:   &plugv1.Action_Message{Message: &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: text}}}}},
				},
			}},
		}}
		begun := time.Now()
		if err := p.journal.Accept(ctx, accepted); err != nil {
			return nil, err
		}
		p.steps.accept += time.Since(begun)
		select {
		case id := <-p.durable:
			if id != operation {
				return nil, fmt.Errorf("operation %s was settled, not %s", id, operation)
			}
			times[i] = time.Since(begun)
			p.steps.whole += times[i]
			p.steps.operations++
		case <-time.After(30 * time.Second):
			return nil, errors.New("an operation was not settled within 30 s")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	slices.Sort(times)
	return times, nil
}
