package world

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
)

// patience is how long a fault may wait for what it hits: a host or plug that is just
// starting can't be hit.
const patience = 10 * time.Second

// Fail has a fault happen, and returns when it is over. One that finds nothing to hit
// is not counted.
func (w *World) Fail(ctx context.Context, s plan.Step) error {
	var err error
	switch s.Do {
	case plan.KillHost, plan.KillAndJump:
		err = w.patiently(ctx, func(ctx context.Context) error { return w.killHost(ctx, s, nil) })
	case plan.StopHost:
		if err = w.host.signal(syscall.SIGSTOP); err == nil {
			pause(ctx, s.For)
			err = w.host.signal(syscall.SIGCONT)
		}
	case plan.KillPlug, plan.StopPlug:
		err = w.patiently(ctx, func(ctx context.Context) error { return w.hitPlug(ctx, s) })
	case plan.LateAnswer:
		err = w.lateAnswer(ctx, s)
	case plan.Script:
		err = w.script(ctx, s)
	case plan.Migrate, plan.MigrateHeld, plan.MigrateKillPlug, plan.MigrateKillHost:
		err = w.migrate(ctx, s)
	case plan.Broker:
		err = w.broker.again(ctx, s.For)
	case plan.Cut:
		w.broker.proxy.Cut()
	case plan.Refuse:
		w.broker.proxy.Refuse(true)
		pause(ctx, s.For)
		w.broker.proxy.Refuse(false)
	case plan.Hold:
		w.broker.proxy.Hold(true, true)
		pause(ctx, s.For)
		w.broker.proxy.Cut()
		w.broker.proxy.Flow()
	case plan.SlowDisk:
		err = slowDisk(ctx, w.DataDir, s.For)
	case plan.FullDisk:
		err = fullDisk(ctx, w.DataDir, s.For)
	case plan.JumpClock:
		w.Clock.Jump(s.By)
		if s.For > 0 {
			pause(ctx, s.For)
			w.Clock.Jump(-s.By)
		}
	case plan.KillOnFullDisk:
		err = w.killOnFullDisk(ctx, s)
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
		said := w.burst(ctx, s)
		defer said()
		// Another fault may have killed it in the burst, which isn't said twice.
		if err := syscall.Kill(pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
			return err
		}
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	pause(ctx, s.For)
	// It may have been killed meanwhile, by another fault or with its host.
	if err := syscall.Kill(pid, syscall.SIGCONT); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// burst begins the burst of a step and returns when its moment has come, with what waits
// for the burst's end.
func (w *World) burst(ctx context.Context, s plan.Step) (wait func()) {
	var channels sync.WaitGroup
	for begin := 0; begin < len(s.Burst); {
		end := begin + 1
		for end < len(s.Burst) && s.Burst[end].Member == s.Burst[begin].Member {
			end++
		}
		here := s.Burst[begin:end]
		begin = end
		channels.Go(func() {
			if here[0].Plug == "house" {
				_ = w.broker.sayAll(ctx, here) // fails only with ctx
				return
			}
			for _, say := range here {
				_ = w.Speak(ctx, say) // likewise
			}
		})
	}
	pause(ctx, s.Delay)
	return channels.Wait
}

// lateAnswer sends a message to the step's channel and stops the plug until the host
// has given that call up. The network's answer is there then. An operator sends it, so
// that no other network's fault is in the way.
func (w *World) lateAnswer(ctx context.Context, s plan.Step) error {
	net := w.nets[w.Plan.Network(s.Plug).Net]
	if _, err := net.Do(ctx, simnettest.Command{Hold: &simnettest.Hold{Channel: s.Source, Stage: simnettest.StageAnswers}}); err != nil {
		return err
	}
	defer func() {
		_, _ = net.Do(context.WithoutCancel(ctx), simnettest.Command{Release: &simnettest.Release{Channel: s.Source, Stage: simnettest.StageAnswers}})
	}()
	before, err := w.accepted(ctx, s.Member)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = again(bounded, func() error {
		_, err := w.api.Send(bounded, &hostv1.SendRequest{Channel: s.Member.String(), Text: s.Text, Client: "chaos", RequestId: fmt.Sprint(s.At)})
		return err
	})
	if err != nil {
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
