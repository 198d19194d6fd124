package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

const (
	// trafficRate is what strangers say a second, in all channels together.
	trafficRate = 200
	// readyFor is how long everything is ready before each kill; from 10 s on a
	// plug is restarted at once (S2).
	readyFor = 11 * time.Second
)

// recovery is the time from a kill -9 until the next message is in the target's
// ledger, in steady traffic: of the target's plug, and of the host.
func recovery(ctx context.Context, s *suite) ([]figure, error) {
	w, err := s.newWorld(ctx, layout{pairs: 1, channels: 10, targets: 1})
	if err != nil {
		return nil, err
	}
	defer w.close()
	rounds := pick(s, 5, 1)
	// The strangers go on talking all the time, until they are told that it is enough.
	talking, silence := context.WithCancel(ctx)
	defer silence()
	talked := make(chan error, 1)
	go func() {
		for talking.Err() == nil {
			if err := w.speak(ctx, trafficRate/2, trafficRate); err != nil {
				talked <- err
				return
			}
		}
		talked <- nil
	}()
	var plug, whole []time.Time
	for range rounds {
		// In turn, since a host restarts only the first of several crashes at once,
		// and gives up after the fifth in ten minutes (S2).
		at, err := w.killPlug(ctx)
		if err != nil {
			return nil, err
		}
		plug = append(plug, at)
		if at, err = w.killHost(ctx); err != nil {
			return nil, err
		}
		whole = append(whole, at)
	}
	if _, err := w.ready(ctx, nil); err != nil {
		return nil, err
	}
	silence()
	if err := <-talked; err != nil {
		return nil, err
	}
	if err := w.arrived(ctx, w.said); err != nil {
		return nil, err
	}
	_, arrived, err := w.check(ctx)
	if err != nil {
		return nil, err
	}
	figures := []figure{
		{Name: "recovery_kill9_plug", Limit: 0.5, expected: "≤ 0.5 s", note: "kill -9 of the target's plug"},
		{Name: "recovery_kill9_host", Limit: 2, expected: "≤ 2 s", note: "kill -9 of the host, which is started again at once"},
	}
	for i, killed := range [][]time.Time{plug, whole} {
		var seconds []float64
		for _, at := range killed {
			d, err := nextAfter(arrived, at)
			if err != nil {
				return nil, err
			}
			seconds = append(seconds, d.Seconds())
		}
		figures[i].Value, figures[i].Unit = median(seconds), "s"
		figures[i].note += fmt.Sprintf(", %d messages/s, median of %d, worst %.3f s", trafficRate, rounds, slices.Max(seconds))
	}
	return figures, nil
}

// killPlug kills the target's plug once everything has been ready for long enough.
func (w *world) killPlug(ctx context.Context) (at time.Time, err error) {
	plugs, err := w.readyLong(ctx)
	if err != nil {
		return at, err
	}
	at = time.Now()
	if err := syscall.Kill(plugs["right0"], syscall.SIGKILL); err != nil {
		return at, fmt.Errorf("kill the plug: %w", err)
	}
	_, err = w.ready(ctx, []int{plugs["right0"]})
	return at, err
}

// killHost kills the host once everything has been ready for long enough, and starts
// it again.
func (w *world) killHost(ctx context.Context) (at time.Time, err error) {
	plugs, err := w.readyLong(ctx)
	if err != nil {
		return at, err
	}
	at = time.Now()
	w.host.kill()
	if err := w.launch(); err != nil {
		return at, err
	}
	_, err = w.ready(ctx, []int{plugs["left0"], plugs["right0"]})
	return at, err
}

func (w *world) readyLong(ctx context.Context) (pids map[string]int, err error) {
	t := time.NewTimer(readyFor)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	plugs, err := w.ready(ctx, nil)
	pids = map[string]int{}
	for _, p := range plugs {
		if time.Since(p.Since) < 10*time.Second {
			err = fmt.Errorf("void: plug %s has been ready for %v only", p.Plug, time.Since(p.Since))
		}
		pids[string(p.Plug)] = p.Pid
	}
	return pids, err
}

// nextAfter finds the first message that was accepted after a kill on a connection
// that was made after it: what the dead one had already written doesn't count.
func nextAfter(ledger []simnettest.Entry, kill time.Time) (time.Duration, error) {
	fresh := map[string]bool{}
	for _, e := range ledger {
		if e.Time.Before(kill) {
			continue
		}
		if e.Kind == simnettest.Connected {
			fresh[e.Connection] = true
		}
		if e.Kind == simnettest.Accepted && fresh[e.Connection] {
			return e.Time.Sub(kill), nil
		}
	}
	return 0, fmt.Errorf("void: nothing arrived after the kill at %v", kill)
}
