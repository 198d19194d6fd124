package world

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// migrate has a step's channel go on under its new source, and what was said meanwhile
// changed.
func (w *World) migrate(ctx context.Context, s plan.Step) error {
	err := w.move(ctx, s)
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, c := range s.Changes {
		if err == nil {
			err = w.Speak(bounded, c)
		}
	}
	return err
}

// move has the channel go on in the way that the step says, and returns when all of the
// burst is said.
func (w *World) move(ctx context.Context, s plan.Step) error {
	net, ok := w.speakers[s.Plug].(*simnet)
	if !ok {
		return fmt.Errorf("no channel of %s can migrate", s.Plug)
	}
	move := func() error { return net.migrate(ctx, s.Source, s.To) }
	switch s.Do {
	case plan.MigrateHeld:
		return w.migrateHeld(ctx, net, s, move)
	case plan.MigrateKillHost:
		return w.patiently(ctx, func(ctx context.Context) error { return w.killHost(ctx, s, move) })
	case plan.MigrateKillPlug:
		return w.patiently(ctx, func(ctx context.Context) error {
			pids, err := w.pids(ctx)
			if err != nil {
				return err
			}
			if pids[s.Plug] == 0 {
				return fmt.Errorf("plug %s has no process", s.Plug)
			}
			said := w.burst(ctx, s)
			defer said()
			if err := syscall.Kill(pids[s.Plug], syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
			return move()
		})
	}
	said := w.burst(ctx, s)
	defer said()
	return move()
}

// migrateHeld has the channel go on while it has taken a message and not answered yet.
func (w *World) migrateHeld(ctx context.Context, net *simnet, s plan.Step, move func() error) error {
	hold := simnettest.Hold{Channel: s.Source, Stage: simnettest.StageAnswers}
	if _, err := net.net.Do(ctx, simnettest.Command{Hold: &hold}); err != nil {
		return err
	}
	said := w.burst(ctx, s)
	defer said()
	pause(ctx, s.For/2)
	err := move()
	pause(ctx, s.For/2)
	release := simnettest.Release{Channel: s.Source, Stage: simnettest.StageAnswers}
	_, released := net.net.Do(context.WithoutCancel(ctx), simnettest.Command{Release: &release})
	return errors.Join(err, released)
}

// script gives a simulated network an order, about the source that the channel has now, and
// what takes it back.
func (w *World) script(ctx context.Context, s plan.Step) error {
	net, ok := w.speakers[s.Plug].(*simnet)
	if !ok {
		return fmt.Errorf("plug %s has no script", s.Plug)
	}
	order, undo := net.command(s.Command), s.Undo
	if order.Hold != nil && undo != nil && undo.Release != nil {
		release := *undo.Release
		release.Channel = order.Hold.Channel
		undo = &simnettest.Command{Release: &release}
	}
	err := w.patiently(ctx, func(ctx context.Context) error {
		_, err := net.net.Do(ctx, *order)
		return err
	})
	if err == nil && undo != nil {
		pause(ctx, s.For)
		_, err = net.net.Do(context.WithoutCancel(ctx), *undo)
	}
	return err
}
