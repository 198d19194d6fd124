package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/link"
	"github.com/plughost/plughost/host/internal/process"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// relayRate is bridge with the least host there could be: links to the same plugs, and
// nothing between them. What bridge has beyond it is what a host is for: journal, gate,
// hooks, message map. No host can do better with these plugs and networks on this machine.
func relayRate(ctx context.Context, s *suite) ([]figure, error) {
	b, err := startBare(s.dir)
	if err != nil {
		return nil, err
	}
	defer b.close()
	var rates, ratios []float64
	each := pick(s, 1500*time.Millisecond, 500*time.Millisecond)
	before, _, err := b.rate(ctx, strings.Repeat("x", textBytes), each)
	if err != nil {
		return nil, err
	}
	for range pick(s, 3, 1) {
		rate, err := s.relayed(ctx, layout{pairs: 1, channels: 10, targets: 1}, 2560, pick(s, 20*time.Second, 4*time.Second))
		if err != nil {
			return nil, err
		}
		after, _, err := b.rate(ctx, strings.Repeat("x", textBytes), each)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(s.say, "  relayed %.0f/s, bare unary %.0f/s\n", rate, after)
		rates, ratios = append(rates, rate), append(ratios, rate/((before+after)/2))
		before = after
	}
	value := median(rates)
	return []figure{{Name: "relay", Value: value, Unit: "messages/s", Limit: value / median(ratios),
		note: "the same messages as bridge, by the links alone: no journal, no gate, no hooks, no map; limit: bare unary"}}, nil
}

// relayed measures one relay in a new world.
func (s *suite) relayed(ctx context.Context, l layout, ahead int, d time.Duration) (perSecond float64, err error) {
	w, err := s.newNetworks(ctx, l)
	defer w.close()
	if err != nil {
		return 0, err
	}
	ctx, stop := context.WithCancel(ctx)
	r := &relay{world: w}
	defer r.close()
	defer stop()
	left, err := r.start(ctx, "left", w.left)
	if err != nil {
		return 0, err
	}
	right, err := r.start(ctx, "right", w.right)
	if err != nil {
		return 0, err
	}
	to := map[string]chan *plugv1.Event{}
	for _, c := range w.channels {
		to[c] = make(chan *plugv1.Event, ahead)
		r.running.Go(func() { putAll(ctx, right, c, to[c]) })
	}
	if err := r.listen(ctx, left, func(e *plugv1.Event) {
		if e.Own == plugv1.Own_OWN_NO && e.GetMessage() != nil {
			to[e.Channel] <- e
		}
	}); err != nil {
		return 0, err
	}
	if err := r.listen(ctx, right, func(*plugv1.Event) {}); err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := w.talk(ctx, ahead, func() bool { return time.Since(begun) > d }); err != nil {
		return 0, err
	}
	perSecond = float64(w.said) / time.Since(begun).Seconds()
	_, _, err = w.check(ctx)
	return perSecond, err
}

// relay is two plugs and what runs between them.
type relay struct {
	world   *world
	plugs   []*process.Process
	running sync.WaitGroup
}

// close ends the plugs, and waits for what ran with them.
func (r *relay) close() {
	for _, p := range r.plugs {
		_ = p.Close()
	}
	r.running.Wait()
}

func (r *relay) start(ctx context.Context, account string, net *simnettest.Process) (*link.Link, error) {
	p, err := process.Start(ctx, process.Options{Name: id.InstanceName(account), Path: filepath.Join(r.world.suite.bin, "plugs", "simnet"), RunDir: r.world.dir})
	if err != nil {
		return nil, err
	}
	r.plugs = append(r.plugs, p)
	to := link.New(p.Conn(), id.InstanceName(account), hclog.NewNullLogger())
	if _, err := to.Describe(ctx); err != nil {
		return nil, err
	}
	_, err = to.Start(ctx, &plugv1.StartRequest{Instance: account, Sources: r.world.channels,
		ConfigJson: fmt.Sprintf(`{"address": %q, "account": %q}`, net.Address, account)})
	return to, err
}

// listen gives what a plug says, and acknowledges it at once.
func (r *relay) listen(ctx context.Context, from *link.Link, take func(*plugv1.Event)) error {
	stream, err := from.Open(ctx, nil)
	if err != nil {
		return err
	}
	r.running.Go(func() {
		for {
			answer, err := stream.Recv()
			if err != nil {
				return // the plug has ended
			}
			for _, e := range answer.Events {
				take(e)
			}
			stream.Ack(answer.Sequence, true)
		}
	})
	return nil
}

// putAll puts the messages of a channel, one after another. What is lost is missed by
// who compares the ledgers.
func putAll(ctx context.Context, to *link.Link, channel string, events <-chan *plugv1.Event) {
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			to.Put(ctx, &plugv1.PutRequest{OperationId: fmt.Sprintf("%s-%020d", channel, n), Channel: channel, Attempt: 1, FirstAttemptTime: timestamppb.Now(),
				Action: &plugv1.Action{Author: &plugv1.Author{User: e.Author, FormattedName: e.Author.GetUsername()},
					Kind: &plugv1.Action_Message{Message: e.GetMessage()}}}, 30*time.Second)
		}
	}
}
