package world

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
)

// quiet is how long nothing may wait, while something has still not arrived, until it is
// left to the check to say why: it may be parked, which is an end too.
const quiet = 15 * time.Second

// Settle has a last message said in each channel and returns when all of them have
// arrived, or when nothing waits any more; at the latest after limit. Order is kept per
// channel, so all that was said before has had its turn by then.
func (w *World) Settle(ctx context.Context, last []plan.Step, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := w.calm(ctx); err != nil {
		return err
	}
	var group errgroup.Group
	for _, s := range last {
		group.Go(func() error { return w.Speak(ctx, s) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("say the last messages: %w", err)
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var idle time.Time
	for {
		waiting, err := w.waiting(ctx)
		if err == nil && waiting == 0 {
			if idle.IsZero() {
				idle = time.Now()
			}
			missing, err := w.missing(ctx, last)
			if err != nil {
				return err
			}
			if missing == 0 || time.Since(idle) > quiet {
				return nil
			}
		} else {
			idle = time.Time{}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil // the check says what waits
		}
	}
}

// calm ends the faults that last as long as a plug's process: a Put that hangs, and what
// a plug was ordered to do in one that has not come.
func (w *World) calm(ctx context.Context) error {
	return w.patiently(ctx, func(ctx context.Context) error {
		pids, err := w.pids(ctx)
		for plug, pid := range pids {
			if w.Plan.Network(plug).Account != nil {
				err = errors.Join(err, syscall.Kill(pid, syscall.SIGKILL))
			}
		}
		return err
	})
}

// waiting counts what waits in the host.
func (w *World) waiting(ctx context.Context) (n uint32, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	queues, err := w.api.Queues(ctx)
	for _, q := range queues {
		n += q.Waiting
	}
	return n, err
}

// missing counts the channels in which a last message has not arrived.
func (w *World) missing(ctx context.Context, last []plan.Step) (n int, err error) {
	lines, err := w.Lines(ctx)
	for _, s := range last {
		for _, o := range w.Plan.Others(s.Member) {
			if !slices.ContainsFunc(lines[o.Plug], func(l ledger.Line) bool {
				t, _, ok := ledger.Find(l.Text)
				return w.Plan.Home(l.Member) == o && l.By == ledger.Host && ok && t == s.Token
			}) {
				n++
			}
		}
	}
	return n, err
}
