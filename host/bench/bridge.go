package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// bridge is how many messages a second go from one network to another.
func bridge(ctx context.Context, s *suite) ([]figure, error) {
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
	var rates, ratios, limits []float64
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
		rate, err := s.bridged(ctx, 10, 0, 2560, pick(s, 20*time.Second, 4*time.Second))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(s.say, "  bridged %.0f/s\n", rate)
		after, err := yardstick()
		if err != nil {
			return nil, err
		}
		rates, ratios = append(rates, rate), append(ratios, rate/((before+after)/2))
		before = after
	}
	value := median(rates)
	return []figure{{
		Name: "bridge", Value: value, Unit: "messages/s", Limit: value / median(ratios), expected: "ratio ≥ 0.45",
		note: fmt.Sprintf("10 channels, 300 bytes, at most 2560 under way, scope and concurrency %s; limit: bare unary, %.0f to %.0f/s",
			declared, limits[0], limits[len(limits)-1]),
	}}, nil
}

// bridgeSlow is the same where each send takes 50 ms.
func bridgeSlow(ctx context.Context, s *suite) ([]figure, error) {
	declared, err := s.declared(ctx)
	if err != nil {
		return nil, err
	}
	rate, err := s.bridged(ctx, 100, 50*time.Millisecond, 1600, pick(s, 20*time.Second, 4*time.Second))
	if err != nil {
		return nil, err
	}
	return []figure{{
		Name: "bridge_50ms", Value: rate, Unit: "messages/s", Limit: 100 / 0.05, expected: "≥ 1800",
		note: "100 channels, 50 ms per send, at most 1600 under way, scope and concurrency " + declared,
	}}, nil
}

// bridged measures one host in a new world. The clock runs from the first text that
// is said until the last receipt is in the journal.
func (s *suite) bridged(ctx context.Context, channels int, delay time.Duration, ahead int, d time.Duration) (perSecond float64, err error) {
	w, err := s.newWorld(ctx, 1, channels, delay)
	if err != nil {
		return 0, err
	}
	defer w.close()
	plugs, err := w.ready(ctx, nil)
	if err != nil {
		return 0, err
	}
	pids := []int{w.host.cmd.Process.Pid, plugs[0].Pid, plugs[1].Pid}
	before := w.cpu(pids)
	end := time.Now().Add(d)
	if err := w.talk(ctx, ahead, func() bool { return time.Now().After(end) }); err != nil {
		return 0, err
	}
	used := w.cpu(pids)
	for i := range used {
		used[i] = ((used[i] - before[i]) / time.Duration(w.said)).Round(100 * time.Nanosecond)
	}
	fmt.Fprintf(s.say, "  %d messages; CPU for each: host %v, plugs %v and %v\n", w.said, used[0], used[1], used[2])
	said, _, err := w.check(ctx)
	if err != nil {
		return 0, err
	}
	if err := w.stop(); err != nil {
		return 0, err
	}
	settled, err := w.settled(ctx)
	if err != nil {
		return 0, err
	}
	for _, e := range said {
		if e.Kind == simnettest.Emitted {
			return float64(w.said) / settled.Sub(e.Time).Seconds(), nil
		}
	}
	return 0, fmt.Errorf("void: nothing was said")
}

// settled returns when the last receipt was stored: the time that the journal itself
// gave that record. It fails if the journal holds an attempt that is not settled.
// The host must have stopped.
func (w *world) settled(ctx context.Context) (last time.Time, err error) {
	store, err := journal.OpenJetStream(ctx, journal.Options{Dir: filepath.Join(w.dataDir(), "journal")})
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
	fmt.Fprintf(w.suite.say, "  %.1f records in the log for each message\n", float64(end)/float64(w.said))
	if len(records) != len(w.channels) {
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
