package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// bridge is how many messages a second go from one network to another.
func bridge(ctx context.Context, s *suite) ([]figure, error) {
	return s.besideUnary(ctx, "bridge", "ratio ≥ 0.55", layout{pairs: 1, channels: 10, targets: 1}, 2560)
}

// bridgeToNine is how many deliveries a second there are where each message has nine
// targets.
func bridgeToNine(ctx context.Context, s *suite) ([]figure, error) {
	return s.besideUnary(ctx, "bridge_1to9", "ratio ≥ 0.75", layout{pairs: 1, channels: 10, targets: 9}, 288)
}

// bridgeThousand is bridge over a thousand channels of a network that takes 50 ms for
// each send.
func bridgeThousand(ctx context.Context, s *suite) ([]figure, error) {
	return s.besideUnary(ctx, "bridge_50ms_1000ch", "ratio ≥ 0.5", layout{pairs: 1, channels: 1000, targets: 1, delay: 50 * time.Millisecond}, 8000)
}

// besideUnary measures deliveries, with bare unary calls before, between and after.
func (s *suite) besideUnary(ctx context.Context, name, expected string, l layout, ahead int) ([]figure, error) {
	declared, err := s.declared(ctx)
	if err != nil {
		return nil, err
	}
	b, err := startBare(s.dir)
	if err != nil {
		return nil, err
	}
	defer b.close()
	rounds, each := pick(s, 3, 1), pick(s, 1500*time.Millisecond, 500*time.Millisecond)
	var rates, ratios, limits, written []float64
	yardstick := func() (rate float64, err error) {
		rate, inFlight, err := b.rate(ctx, strings.Repeat("x", textBytes), each)
		fmt.Fprintf(s.say, "  bare unary %.0f/s with %d in flight\n", rate, inFlight)
		limits = append(limits, rate)
		return rate, err
	}
	before, err := yardstick()
	if err != nil {
		return nil, err
	}
	for range rounds {
		r, err := s.bridged(ctx, l, ahead, pick(s, 20*time.Second, 4*time.Second))
		if err != nil {
			return nil, err
		}
		rate := r.perSecond
		written = append(written, r.bytes)
		fmt.Fprintf(s.say, "  bridged %.0f/s, %.0f bytes to disk for each\n", rate, r.bytes)
		after, err := yardstick()
		if err != nil {
			return nil, err
		}
		rates, ratios = append(rates, rate), append(ratios, rate/((before+after)/2))
		before = after
	}
	value := median(rates)
	return []figure{{
		Name: name, Value: value, Unit: "deliveries/s", Limit: value / median(ratios), expected: expected,
		note: fmt.Sprintf("%d channels with %d targets each, 300 bytes, at most %d under way, scope and concurrency %s, %.0f bytes to disk for each delivery; limit: bare unary, %.0f to %.0f/s",
			l.channels, l.targets, ahead, declared, median(written), limits[0], limits[len(limits)-1]),
	}}, nil
}

// bridgeSlow is the same where each send takes 50 ms.
func bridgeSlow(ctx context.Context, s *suite) ([]figure, error) {
	declared, err := s.declared(ctx)
	if err != nil {
		return nil, err
	}
	var rates []float64
	for range pick(s, 3, 1) {
		r, err := s.bridged(ctx, layout{pairs: 1, channels: 100, targets: 1, delay: 50 * time.Millisecond}, 1600, pick(s, 20*time.Second, 4*time.Second))
		if err != nil {
			return nil, err
		}
		rates = append(rates, r.perSecond)
	}
	return []figure{{
		Name: "bridge_50ms", Value: median(rates), Unit: "messages/s", Limit: 100 / 0.05, expected: "≥ 1900",
		note: "100 channels, 50 ms per send, at most 1600 under way, scope and concurrency " + declared,
	}}, nil
}

// run is what one host did in a world of its own.
type run struct {
	perSecond float64 // deliveries
	bytes     float64 // that the host had written to disk for each, when all had arrived
}

// bridged measures one host in a new world. The clock runs from the first text that
// is said until the last receipt is in the journal.
func (s *suite) bridged(ctx context.Context, l layout, ahead int, d time.Duration) (r run, err error) {
	w, err := s.newWorld(ctx, l)
	if err != nil {
		return r, err
	}
	defer w.close()
	plugs, err := w.ready(ctx, nil)
	if err != nil {
		return r, err
	}
	pids := []int{w.host.cmd.Process.Pid, plugs[0].Pid, plugs[1].Pid}
	before := w.cpu(pids)
	writtenBefore := bytesWritten(pids[0])
	end := time.Now().Add(d)
	if err := w.talk(ctx, ahead, func() bool { return time.Now().After(end) }); err != nil {
		return r, err
	}
	used := w.cpu(pids)
	deliveries := w.said * w.targets
	r.bytes = float64(bytesWritten(pids[0])-writtenBefore) / float64(deliveries)
	for i := range used {
		used[i] = ((used[i] - before[i]) / time.Duration(deliveries)).Round(100 * time.Nanosecond)
	}
	fmt.Fprintf(s.say, "  %d deliveries; CPU for each: host %v, plugs %v and %v\n", deliveries, used[0], used[1], used[2])
	said, _, err := w.check(ctx)
	if err != nil {
		return r, err
	}
	if err := w.stop(); err != nil {
		return r, err
	}
	settled, err := w.settled(ctx)
	if err != nil {
		return r, err
	}
	for _, e := range said {
		if e.Kind == simnettest.Emitted {
			r.perSecond = float64(deliveries) / settled.Sub(e.Time).Seconds()
			return r, nil
		}
	}
	return r, fmt.Errorf("void: nothing was said")
}

// settled returns when the last receipt was stored: the time that the journal itself
// gave that record. It fails if the journal holds an attempt that is not settled.
// The host must have stopped.
func (w *world) settled(ctx context.Context) (last time.Time, err error) {
	store, err := storage.OpenJetStream(ctx, storage.Options{Dir: filepath.Join(w.dataDir(), "journal")})
	if err != nil {
		return last, err
	}
	defer store.Close()
	records, err := store.Last(ctx, "put.>")
	if err != nil {
		return last, err
	}
	for _, r := range records {
		var put journalv1.PutRecord
		if err := proto.Unmarshal(r.Data, &put); err != nil {
			return last, fmt.Errorf("read %s: %w", r.Subject, err)
		}
		if put.Attempt != nil || put.Settled.GetOutcome() != journalv1.Outcome_OUTCOME_SENT {
			return last, fmt.Errorf("void: the journal says of %s: %v", r.Subject, &put)
		}
		if r.Time.After(last) {
			last = r.Time
		}
	}
	end, err := store.End(ctx)
	if err != nil {
		return last, err
	}
	fmt.Fprintf(w.suite.say, "  %.1f records in the log for each delivery\n", float64(end)/float64(w.said*w.targets))
	if len(records) != len(w.channels)*w.targets {
		return last, fmt.Errorf("void: the journal has receipts of %d channels", len(records))
	}
	return last, nil
}

func (w *world) cpu(pids []int) []time.Duration {
	used := make([]time.Duration, len(pids))
	for i, pid := range pids {
		used[i] = cpuTime(pid)
	}
	return used
}
