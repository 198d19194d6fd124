package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// memory is what host and plugs take after 100,000 messages and a minute of
// idling: the proportional share of each process, and nothing collected by force.
func memory(ctx context.Context, s *suite) ([]figure, error) {
	messages, idle := pick(s, 100_000, 5_000), pick(s, time.Minute, 3*time.Second)
	w, err := s.newWorld(ctx, layout{pairs: 5, channels: 10, targets: 1})
	if err != nil {
		return nil, err
	}
	defer w.close()
	if err := w.talk(ctx, 2560, func() bool { return w.said >= messages }); err != nil {
		return nil, err
	}
	if _, _, err := w.check(ctx); err != nil {
		return nil, err
	}
	fmt.Fprintf(s.say, "  %d messages carried; idling\n", w.said)
	t := time.NewTimer(idle)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	plugs, err := w.ready(ctx, nil)
	if err != nil {
		return nil, err
	}
	// What the host starts for itself, beside the plugs, is the host's too.
	own := w.host.cmd.Process.Pid
	pids := append([]int{own}, children(own)...)
	var each []float64
	for _, p := range plugs {
		pids = slices.DeleteFunc(pids, func(pid int) bool { return pid == p.Pid })
		bytes, err := pss(p.Pid)
		if err != nil {
			return nil, err
		}
		each = append(each, bytes/1e6)
	}
	var whole float64
	for _, pid := range pids {
		bytes, err := pss(pid)
		if err != nil {
			return nil, err
		}
		whole += bytes / 1e6
	}
	worst := slices.Max(each)
	return []figure{
		{Name: "host_pss_10_plugs", Value: whole, Unit: "MB", Limit: 120, expected: "≤ 120 MB",
			note: fmt.Sprintf("%d processes; %d messages, then %v idle", len(pids), w.said, idle)},
		{Name: "plug_pss_idle", Value: worst, Unit: "MB", Limit: 20, expected: "≤ 20 MB",
			note: fmt.Sprintf("the largest of %d; median %.1f MB", len(each), median(each))},
	}, nil
}
