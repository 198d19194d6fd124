package world

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// patience is how long a fault may wait for what it hits: a host or plug that is just
// starting can't be hit.
const patience = 10 * time.Second

// Fail has a fault happen, and returns when it is over. One that finds nothing to hit
// is not counted.
func (w *World) Fail(ctx context.Context, s plan.Step) error {
	var err error
	switch s.Do {
	case plan.KillHost:
		err = w.patiently(ctx, func(ctx context.Context) error { return w.killHost(ctx, s.For) })
	case plan.StopHost:
		if err = w.host.signal(syscall.SIGSTOP); err == nil {
			wait(ctx, s.For)
			err = w.host.signal(syscall.SIGCONT)
		}
	case plan.KillPlug, plan.StopPlug:
		err = w.patiently(ctx, func(ctx context.Context) error { return w.hitPlug(ctx, s) })
	case plan.LateAnswer:
		err = w.lateAnswer(ctx, s)
	case plan.Script:
		net := w.nets[w.Plan.Network(s.Plug).Net]
		err = w.patiently(ctx, func(ctx context.Context) error {
			_, err := net.Do(ctx, *s.Command)
			return err
		})
		if err == nil && s.Undo != nil {
			wait(ctx, s.For)
			_, err = net.Do(context.WithoutCancel(ctx), *s.Undo)
		}
	case plan.Broker:
		err = w.broker.again(ctx, s.For)
	case plan.Cut:
		w.broker.proxy.Cut()
	case plan.Refuse:
		w.broker.proxy.Refuse(true)
		wait(ctx, s.For)
		w.broker.proxy.Refuse(false)
	case plan.Hold:
		w.broker.proxy.Hold(true, true)
		wait(ctx, s.For)
		w.broker.proxy.Cut()
		w.broker.proxy.Flow()
	case plan.SlowDisk:
		err = slowDisk(ctx, w.DataDir, s.For)
	case plan.FullDisk:
		err = fullDisk(ctx, w.DataDir, s.For)
	default:
		err = fmt.Errorf("there is no fault %q", s.Do)
	}
	if err == nil {
		w.Count(s.Name)
	}
	return err
}

// patiently tries for a while.
func (w *World) patiently(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return again(ctx, func() error { return try(ctx) })
}

// hitPlug kills or stops a plug.
func (w *World) hitPlug(ctx context.Context, s plan.Step) error {
	pids, err := w.pids(ctx)
	if err != nil {
		return err
	}
	pid := pids[s.Plug]
	if pid == 0 {
		return fmt.Errorf("plug %s has no process", s.Plug)
	}
	if s.Do == plan.KillPlug {
		return syscall.Kill(pid, syscall.SIGKILL)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	wait(ctx, s.For)
	// It may have been killed meanwhile, by another fault or with its host.
	if err := syscall.Kill(pid, syscall.SIGCONT); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// lateAnswer has somebody speak so that a Put begins in the step's channel, and stops
// the plug until the host has given that call up. The network's answer is there then.
func (w *World) lateAnswer(ctx context.Context, s plan.Step) error {
	net := w.nets[w.Plan.Network(s.Plug).Net]
	if _, err := net.Do(ctx, simnettest.Command{Hold: &simnettest.Hold{Channel: s.Source, Stage: simnettest.StageAnswers}}); err != nil {
		return err
	}
	release := func() {
		_, _ = net.Do(context.WithoutCancel(ctx), simnettest.Command{Release: &simnettest.Release{Channel: s.Source, Stage: simnettest.StageAnswers}})
	}
	defer release()
	before, err := w.accepted(ctx, s.Member)
	if err != nil {
		return err
	}
	say := s
	say.Do, say.Member = plan.Say, w.Plan.Others(s.Member)[0]
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := w.Speak(bounded, say); err != nil {
		return err
	}
	if err := net.Wait(bounded, simnettest.Accepted, s.Source, before+1); err != nil {
		return err
	}
	return w.hitPlug(ctx, plan.Step{Do: plan.StopPlug, Member: s.Member, For: s.For})
}

// accepted counts what the host has sent to a channel of a simulated network.
func (w *World) accepted(ctx context.Context, m ledger.Member) (n int, err error) {
	entries, err := w.nets[w.Plan.Network(m.Plug).Net].Ledger(ctx)
	for _, e := range entries {
		if e.Kind == simnettest.Accepted && e.Channel == m.Source {
			n++
		}
	}
	return n, err
}
