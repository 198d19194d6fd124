package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// latencyRate is how many messages a second are said.
const latencyRate = 1000

// latency is the time from a message's being said on one network to its being accepted
// by the other, at a rate that host and plugs keep up with. Both times are the
// networks' own, and those of one machine.
func latency(ctx context.Context, s *suite) ([]figure, error) {
	var p50, p99 []float64
	for range pick(s, 3, 1) {
		times, err := s.crossing(ctx, latencyRate*pick(s, 20, 3))
		if err != nil {
			return nil, err
		}
		at := func(q float64) float64 { return times[int(float64(len(times)-1)*q)].Seconds() * 1000 }
		p50, p99 = append(p50, at(0.50)), append(p99, at(0.99))
		fmt.Fprintf(s.say, "  p50 %.2f ms, p99 %.2f ms, worst %.2f ms\n", at(0.50), at(0.99), at(1))
	}
	note := fmt.Sprintf("%d messages/s over 10 channels, said to accepted", latencyRate)
	return []figure{
		{Name: "e2e_p50_1k", Value: median(p50), Unit: "ms", Limit: 1, expected: "≤ 1 ms", note: note},
		{Name: "e2e_p99_1k", Value: median(p99), Unit: "ms", Limit: 5, expected: "≤ 5 ms", note: note},
	}, nil
}

// crossing gives the time that each of count messages took, sorted.
func (s *suite) crossing(ctx context.Context, count int) ([]time.Duration, error) {
	w, err := s.newWorld(ctx, layout{pairs: 1, channels: 10, targets: 1})
	if err != nil {
		return nil, err
	}
	defer w.close()
	// The first messages of every channel open what the later ones find open.
	if err := w.speak(ctx, latencyRate, latencyRate); err != nil {
		return nil, err
	}
	if err := w.arrived(ctx, w.said); err != nil {
		return nil, err
	}
	warm := w.said
	if err := w.speak(ctx, count, latencyRate); err != nil {
		return nil, err
	}
	if err := w.arrived(ctx, w.said); err != nil {
		return nil, err
	}
	said, arrived, err := w.check(ctx)
	if err != nil {
		return nil, err
	}
	begun := map[string]time.Time{}
	var times []time.Duration
	for _, e := range said {
		if e.Kind == simnettest.Emitted {
			begun[e.Text] = e.Time
		}
	}
	for _, e := range arrived {
		if e.Kind == simnettest.Accepted {
			times = append(times, e.Time.Sub(begun[e.Text]))
		}
	}
	times = times[warm:]
	slices.Sort(times)
	return times, nil
}
