package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/check"
	"github.com/plughost/plughost/host/chaos/internal/clock"
	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/host/chaos/internal/record"
	"github.com/plughost/plughost/host/chaos/internal/world"
)

// options of the program.
type options struct {
	plan.Options
	bin, dir     string
	settle       time.Duration
	story        int
	print, anyOK bool
}

func main() {
	var o options
	flag.DurationVar(&o.Length, "time", 2*time.Minute, "how long faults happen")
	flag.Uint64Var(&o.Seed, "seed", 0, "seed of the plan; 0 draws one")
	flag.Float64Var(&o.PerSecond, "rate", 12, "what is said and done per second over all channels")
	flag.BoolVar(&o.FullDisk, "full-disk", true, "have the disk run full too: a small one of its own; left out where this user has no right to mount one")
	flag.BoolVar(&o.Clock, "clock", true, "have the host's clock jump; left out where no program can be given a clock of its own")
	flag.StringVar(&o.Only, "only", "", "have the faults of this one lane of the plan only; goes with -any")
	flag.DurationVar(&o.settle, "settle", 3*time.Minute, "most time to settle after the last fault")
	flag.StringVar(&o.bin, "bin", "bin", "directory with plughost, simnetd and plugs")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "where the run's directory is made")
	flag.IntVar(&o.story, "story", 0, "tell the story of the message with this number in any case")
	flag.BoolVar(&o.print, "plan", false, "print the plan and do nothing")
	flag.BoolVar(&o.anyOK, "any", false, "don't fail when a fault did not happen: for runs shorter than two minutes")
	flag.Parse()
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func (o *options) run() error {
	if o.Only != "" && len(plan.New(o.Options).Faults) == 0 {
		return fmt.Errorf("the plan has no faults in a lane %q; -plan shows its lanes", o.Only)
	}
	if o.print {
		printPlan(os.Stdout, plan.New(o.Options))
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "chaos-")
	if err != nil {
		return err
	}
	disk := filepath.Join(dir, "disk")
	unmount, err := o.mount(disk)
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	wo := world.Options{Bin: bin, Dir: dir, DataDir: filepath.Join(disk, "data"), Clock: o.wind(), Say: os.Stderr}
	wo.Plan = plan.New(o.Options)
	fmt.Printf("chaos: seed %d, %v; again: make chaos TIME=%v SEED=%d%s\n", o.Seed, o.Length, o.Length, o.Seed, o.flags())
	run, counts, broken, err := o.happen(ctx, wo)
	if err == nil {
		err = report(os.Stdout, run, counts, broken, !o.anyOK)
		if o.story > 0 {
			check.Story(os.Stdout, run, ledger.Token(o.story))
		}
	}
	if err != nil {
		err = errors.Join(err, o.keep(disk), unmount())
		return fmt.Errorf("%w\nseed %d; everything is kept in %s", err, o.Seed, dir)
	}
	return errors.Join(unmount(), os.RemoveAll(dir))
}

// What the disk that runs full holds, in memory: what a run writes in each minute, and
// enough beside it that it is full only when it is filled.
const (
	smallDisk = 256 << 20
	perMinute = 16 << 20
)

// mount mounts the small disk, if the disk is to run full and this user may.
func (o *options) mount(dir string) (unmount func() error, err error) {
	none := func() error { return nil }
	if !o.FullDisk {
		return none, os.Mkdir(dir, 0o700)
	}
	unmount, err = world.TempDisk(dir, smallDisk+int64(o.Length.Minutes()*perMinute))
	if errors.Is(err, os.ErrPermission) {
		fmt.Printf("chaos: the fault \"full disk\" is left out: %v; run as root to have it\n", err)
		o.FullDisk = false
		return none, nil
	}
	return unmount, err
}

// wind gives the host's clock, if it is to jump and a program can be given one.
func (o *options) wind() *clock.Clock {
	if !o.Clock {
		return nil
	}
	if err := clock.Possible(); err != nil {
		fmt.Printf("chaos: the fault \"clock\" is left out: %v\n", err)
		o.Clock = false
		return nil
	}
	c := new(clock.Clock)
	c.Jump(plan.ClockBegins)
	return c
}

// flags are what makes the same run again, beside its time and seed.
func (o *options) flags() string {
	var flags []string
	if !o.FullDisk {
		flags = append(flags, "-full-disk=false")
	}
	if !o.Clock {
		flags = append(flags, "-clock=false")
	}
	if o.Only != "" {
		flags = append(flags, "-any", "-only="+o.Only)
	}
	if flags == nil {
		return ""
	}
	return fmt.Sprintf(" FLAGS=%q", strings.Join(flags, " "))
}

// keep moves what is on the small disk to where it stays.
func (o *options) keep(disk string) error {
	if !o.FullDisk {
		return nil
	}
	if out, err := exec.Command("cp", "-a", disk, disk+"-kept").CombinedOutput(); err != nil {
		return fmt.Errorf("keep what is on the small disk: %w: %s", err, out)
	}
	return nil
}

// happen has the run happen, and gathers what there is to know of it.
func (o *options) happen(ctx context.Context, wo world.Options) (run check.Run, counts map[string]int, broken []string, err error) {
	w, err := world.New(ctx, wo)
	if err != nil {
		return run, nil, nil, err
	}
	defer w.Close()
	begun := time.Now()
	o.perform(ctx, w, begun)
	if ctx.Err() != nil {
		return run, nil, nil, ctx.Err()
	}
	fmt.Printf("chaos: the faults are over after %v; now it settles\n", time.Since(begun).Round(time.Second))
	begun = time.Now()
	if err := w.Settle(ctx, wo.Plan.Stay(), o.settle); err != nil {
		return run, nil, nil, err
	}
	fmt.Printf("chaos: settled after %v\n", time.Since(begun).Round(time.Second))
	run = check.Run{Plan: wo.Plan, SettleTimeout: world.SettleTimeout}
	if run.Files, err = w.Files(ctx); err != nil {
		return run, nil, nil, err
	}
	w.StopHost()
	if run.Lines, err = w.Lines(ctx); err != nil {
		return run, nil, nil, err
	}
	run.Yields, run.Starts = w.Yields(), w.Starts()
	var plugs []string
	for _, n := range wo.Plan.Networks {
		plugs = append(plugs, n.Plug)
	}
	when := func(shown, _ time.Time) time.Time { return shown }
	if w.Clock != nil {
		when = w.Clock.True
	}
	run.Record, err = record.Read(ctx, w.DataDir, plugs, when)
	return run, w.Counts(), w.Violations(), err
}

// perform has every lane do its steps, and returns when all are over.
func (o *options) perform(ctx context.Context, w *world.World, begun time.Time) {
	// A step of speech is done in the end, however long its network was down: what
	// comes behind it is about it.
	speech, cancel := context.WithTimeout(ctx, o.Length+time.Minute)
	defer cancel()
	var lanes sync.WaitGroup
	perform := func(limited context.Context, l plan.Lane, do func(context.Context, plan.Step) error) {
		lanes.Go(func() {
			for _, s := range l.Steps {
				if !until(limited, begun.Add(s.At)) {
					return
				}
				if err := do(limited, s); err != nil && ctx.Err() == nil {
					fmt.Fprintf(w.Say, "chaos: not done: %s: %v\n", s, err)
				}
			}
		})
	}
	for _, l := range w.Plan.Speech {
		perform(speech, l, w.Speak)
	}
	faults, cancel := context.WithTimeout(ctx, o.Length)
	defer cancel()
	for _, l := range w.Plan.Faults {
		perform(faults, l, w.Fail)
	}
	lanes.Wait()
}

// until waits for a time; false if ctx ended before.
func until(ctx context.Context, at time.Time) bool {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func printPlan(out io.Writer, p *plan.Plan) {
	fmt.Fprintf(out, "seed %d\n", p.Seed)
	for i, c := range p.Conversations {
		fmt.Fprintf(out, "c%d: %v\n", i+1, c)
	}
	for _, lanes := range [][]plan.Lane{p.Faults, p.Speech} {
		for _, l := range lanes {
			fmt.Fprintf(out, "\n%s\n", l.Name)
			for _, s := range l.Steps {
				fmt.Fprintln(out, s)
			}
		}
	}
}
