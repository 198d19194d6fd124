package supervisor

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
)

// Process is one process of a plug.
type Process interface {
	// Done is closed when the process has ended, whatever became of its children
	// and its connection.
	Done() <-chan struct{}
	// Err says how it ended. Called after Done and before Close; it may take a
	// moment.
	Err() error
	// Check asks for its health. It ends with ctx.
	Check(ctx context.Context) error
	// Shutdown asks it to end by itself. It ends with ctx, and needn't wait for
	// the process to have ended.
	Shutdown(ctx context.Context) error
	// Signal sends it a signal.
	Signal(os.Signal) error
	// Close kills what is left of the process and of its children, and frees all
	// it had. It returns when they are gone, within about a second.
	Close() error
}

// Session is what the host does with one process, from connecting to stopping.
// All methods end with their context, and are called in the order below, except
// that Quiesce and Stop come while Serve still runs.
type Session interface {
	// Start brings the plug to work: Describe and Start. Its error is a verdict
	// (Unreachable, LoggedOut, BadConfig, Held) or else a crash.
	Start(ctx context.Context) error
	// Serve does the work until ctx ends or something is wrong. It goes on during
	// Stop, for the plug flushes its queue then. An error that is no verdict
	// counts as a crash, and so does nil while ctx lives.
	Serve(ctx context.Context) error
	// Quiesce lets no new Put begin. Those that run get until ctx ends; after that
	// they are cut off, and it returns. crashed says that the process ended by itself
	// or hangs. Called once, also after a failed Start.
	Quiesce(ctx context.Context, crashed bool)
	// Stop asks the plug to disconnect within grace.
	Stop(ctx context.Context, grace time.Duration) error
	// LastHeard tells since when the plug is silent on the stream, as far as the
	// host was reading, and when it last heard from its network. Called after
	// Start, concurrently with Serve.
	LastHeard() (stream, network time.Time)
	// MaxSilence is the longest silence of a healthy network; 0: any. Called after
	// Start.
	MaxSilence() time.Duration
}

// Options make a Supervisor. All are required but Numbers and Changed.
type Options struct {
	// Name goes into log lines.
	Name id.InstanceName
	// Logger gets one line for each change of the status.
	Logger hclog.Logger
	// Launch starts a process, within a time limit of its own. It ends with ctx,
	// and leaves nothing behind if it fails. Its error is a verdict (as of
	// Session.Start), or else counts as an exit.
	Launch func(ctx context.Context) (Process, error)
	// NewSession makes the session over a process. It doesn't fail and doesn't
	// block.
	NewSession func(Process) Session
	// Numbers are the times and counts; zero ones have their defaults.
	Numbers Numbers
	// Changed is told of every change of the status, in order. It must not block,
	// and may call Status but no other method.
	Changed func(Status)
}

// Supervisor keeps one plug instance alive. Run is called once; the other
// methods may be called at any time, by any goroutine, and never block.
type Supervisor struct {
	o   Options
	log hclog.Logger

	running atomic.Bool
	// again has room for one: a token says that an operator wants a new life.
	again chan struct{}

	updating sync.Mutex // held over an update of the status and the telling of it

	mu       sync.Mutex // guards what follows
	status   Status
	breach   string        // what a stage found wrong (Degrade)
	network  string        // what the plug says of its connection (SetNetwork)
	silence  string        // how long the network has been silent
	launched bool          // there was a first launch
	stopped  bool          // an operator wants it stopped (Stop)
	halted   chan struct{} // closed while stopped
}

// New makes a supervisor. Nothing is launched before Run.
func New(o Options) *Supervisor {
	o.Numbers = o.Numbers.withDefaults()
	return &Supervisor{
		o:      o,
		log:    o.Logger.Named("supervisor").With("plug", o.Name),
		again:  make(chan struct{}, 1),
		halted: make(chan struct{}),
		status: Status{State: StateStopped, Since: time.Now()},
	}
}

// Run keeps the plug alive until ctx ends; then it walks the stop ladder and
// returns nil, with no process left. That a plug is broken is no error of Run:
// the status says so.
func (s *Supervisor) Run(ctx context.Context) error {
	if s.running.Swap(true) {
		return errors.New("the supervisor ran already; make a new one")
	}
	p := newPolicy(s.o.Numbers)
	for ctx.Err() == nil {
		if s.isHalted() {
			if s.pause(ctx, next{state: StateStopped, reason: "it was stopped, as asked for; plughost start starts it"}) {
				p.reset()
			}
			continue
		}
		end := s.live(ctx)
		if ctx.Err() != nil {
			break
		}
		if n := p.after(end, time.Now()); n.state != StateStarting && s.pause(ctx, n) {
			p.reset()
		}
	}
	s.rest(StateStopped, "", time.Time{})
	return nil
}

// pause waits for the time of the next life, and tells whether an operator ended
// the wait.
func (s *Supervisor) pause(ctx context.Context, n next) (asked bool) {
	halt := s.halt()
	if n.state == StateStopped {
		halt = nil // is so already
	}
	s.rest(n.state, n.reason, n.at)
	var due <-chan time.Time // nil, which is never, if there is no next try
	if !n.at.IsZero() {
		timer := time.NewTimer(time.Until(n.at))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
		return false
	case <-s.again:
		return true
	case <-halt:
		return true
	case <-ctx.Done():
		return false
	}
}

// Restart gives the plug a new life at once: a running one is stopped in order
// and started again; one that waits, is held, failed or stopped is started. What
// was before no longer counts.
func (s *Supervisor) Restart() {
	s.resume()
	select {
	case s.again <- struct{}{}:
	default: // is asked for already
	}
}

// Retry starts a plug that waits, is held or failed, at once. It does nothing
// to one that runs, or is being started or stopped.
func (s *Supervisor) Retry() {
	// Under the lock, so that the state is still the same when the token is there:
	// a token left for a starting plug would restart it.
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.status.State {
	case StateBackoff, StateHeld, StateFailed:
		select {
		case s.again <- struct{}{}:
		default: // is asked for already
		}
	}
}
