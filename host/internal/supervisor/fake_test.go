package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// fakePlug is one life of a plug, its process and its session. What a test
// doesn't set works as it should, at once.
type fakePlug struct {
	OnStart     func(context.Context) error
	OnServe     func(context.Context) error
	OnQuiesce   func(context.Context)
	OnStop      func(context.Context, time.Duration) error
	OnLastHeard func() (stream, network time.Time)
	OnCheck     func(context.Context) error
	OnShutdown  func(context.Context) error
	OnSignal    func(os.Signal) error
	OnClose     func() error
	silence     time.Duration // MaxSilence
	unkillable  bool          // Close doesn't end it

	ended chan struct{}
	once  sync.Once
	err   error

	mu    sync.Mutex
	began time.Time
	steps []string // what was done with it, and how long after began
}

func newFakePlug() *fakePlug { return &fakePlug{ended: make(chan struct{}), began: time.Now()} }

// exit ends the process.
func (f *fakePlug) exit(err error) {
	f.once.Do(func() {
		f.err = err
		close(f.ended)
	})
}

// step notes one; mark makes the notes begin at zero again.
func (f *fakePlug) step(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps = append(f.steps, fmt.Sprintf("%s@%v", name, time.Since(f.began)))
}

func (f *fakePlug) mark() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps, f.began = nil, time.Now()
}

func (f *fakePlug) done() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.steps
}

func (f *fakePlug) Done() <-chan struct{} { return f.ended }

func (f *fakePlug) Err() error {
	select {
	case <-f.ended:
		return f.err
	default:
		return errors.New("Err was called before Done")
	}
}

func (f *fakePlug) Check(ctx context.Context) error {
	if f.OnCheck != nil {
		return f.OnCheck(ctx)
	}
	return nil
}

func (f *fakePlug) Shutdown(ctx context.Context) error {
	f.step("shutdown")
	if f.OnShutdown != nil {
		return f.OnShutdown(ctx)
	}
	f.exit(nil)
	return nil
}

func (f *fakePlug) Signal(sig os.Signal) error {
	f.step(sig.String())
	if f.OnSignal != nil {
		return f.OnSignal(sig)
	}
	f.exit(errors.New("killed by SIGTERM"))
	return nil
}

func (f *fakePlug) Close() error {
	f.step("close")
	if !f.unkillable {
		f.exit(errors.New("killed by SIGKILL"))
	}
	if f.OnClose != nil {
		return f.OnClose()
	}
	return nil
}

func (f *fakePlug) Start(ctx context.Context) error {
	if f.OnStart != nil {
		return f.OnStart(ctx)
	}
	return nil
}

func (f *fakePlug) Serve(ctx context.Context) error {
	defer f.step("served")
	if f.OnServe != nil {
		return f.OnServe(ctx)
	}
	<-ctx.Done()
	return ctx.Err()
}

func (f *fakePlug) Quiesce(ctx context.Context, crashed bool) {
	if crashed {
		f.step("quiesce after a crash")
	} else {
		f.step("quiesce")
	}
	if f.OnQuiesce != nil {
		f.OnQuiesce(ctx)
	}
}

func (f *fakePlug) Stop(ctx context.Context, grace time.Duration) error {
	f.step("stop")
	if f.OnStop != nil {
		return f.OnStop(ctx, grace)
	}
	return nil
}

func (f *fakePlug) LastHeard() (stream, network time.Time) {
	if f.OnLastHeard != nil {
		return f.OnLastHeard()
	}
	return time.Now(), time.Now()
}

func (f *fakePlug) MaxSilence() time.Duration { return f.silence }

// hang makes a step that ends with its context only.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// freezeAt makes it a process that gets a SIGSTOP at that time: it answers nothing, and
// only a kill ends it.
func (f *fakePlug) freezeAt(at time.Time) {
	f.OnCheck = func(ctx context.Context) error {
		if time.Now().Before(at) {
			return nil
		}
		return hang(ctx)
	}
	f.OnLastHeard = func() (stream, network time.Time) {
		now := time.Now()
		if now.Before(at) {
			return now, now
		}
		return at, at
	}
	f.OnQuiesce = func(ctx context.Context) { <-ctx.Done() }
	f.OnStop = func(ctx context.Context, _ time.Duration) error { return hang(ctx) }
	f.OnShutdown = hang
	f.OnSignal = func(os.Signal) error { return nil }
}

// harness runs a supervisor over fakes, in a bubble.
type harness struct {
	*Supervisor
	t      *testing.T
	cancel context.CancelFunc
	ended  chan struct{} // Run has returned

	mu       sync.Mutex
	plugs    []*fakePlug // each life so far
	launched []time.Time
	changes  []Status
}

// run supervises plugs that prepare may change before they are launched; it is
// told the number of the life, from 1, and its error is that of Launch.
func run(t *testing.T, prepare func(n int, f *fakePlug) error) *harness {
	t.Helper()
	h := &harness{t: t, ended: make(chan struct{})}
	h.Supervisor = New(Options{
		Name:   "irc1",
		Logger: hclog.NewNullLogger(),
		Launch: func(ctx context.Context) (Process, error) {
			f := newFakePlug()
			h.mu.Lock()
			if n := len(h.plugs); n > 0 {
				select {
				case <-h.plugs[n-1].ended:
				default:
					t.Error("launched beside a process that lives")
				}
			}
			h.plugs = append(h.plugs, f)
			h.launched = append(h.launched, time.Now())
			n := len(h.plugs)
			h.mu.Unlock()
			if prepare != nil {
				if err := prepare(n, f); err != nil {
					f.exit(nil)
					return nil, err
				}
			}
			if ctx.Err() != nil {
				f.exit(nil)
				return nil, ctx.Err()
			}
			return f, nil
		},
		NewSession: func(p Process) Session { return p.(*fakePlug) },
		Changed: func(st Status) {
			if now := h.Status(); now != st {
				t.Errorf("Changed was told %+v, the status is %+v", st, now)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.changes = append(h.changes, st)
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	h.cancel = cancel
	go func() {
		defer close(h.ended)
		if err := h.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	t.Cleanup(func() {
		h.cancel()
		<-h.ended
	})
	synctest.Wait()
	return h
}

// after lets time pass, and everything that is to happen in it.
func (h *harness) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// plug is the last life.
func (h *harness) plug() *fakePlug {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.plugs[len(h.plugs)-1]
}

func (h *harness) lives() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.plugs)
}

// stop ends Run, and tells how long that took.
func (h *harness) stop() time.Duration {
	began := time.Now()
	h.cancel()
	<-h.ended
	return time.Since(began)
}

// want checks the state.
func (h *harness) want(state State) Status {
	h.t.Helper()
	st := h.Status()
	if st.State != state {
		h.t.Errorf("state %v (%s), want %v", st.State, st.Reason, state)
	}
	return st
}

// crashAfter makes the process of a plug exit when it has been ready for d.
func crashAfter(d time.Duration) func(*fakePlug) {
	return func(f *fakePlug) {
		f.OnServe = func(ctx context.Context) error {
			select {
			case <-time.After(d):
				f.exit(errors.New("exit status 2"))
			case <-ctx.Done():
			}
			<-ctx.Done()
			return ctx.Err()
		}
	}
}
