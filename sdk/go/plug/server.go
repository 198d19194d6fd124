package plug

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	hclog "github.com/hashicorp/go-hclog"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug/internal/contract"
	"github.com/plughost/plughost/sdk/go/plug/internal/pace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// defaultGrace is the time for Stop where the host names none.
const defaultGrace = 8 * time.Second

// server is the gRPC side of one Plug: it keeps the order of calls that Plug
// documents, whatever the host does.
type server struct {
	plugv1.UnimplementedPlugServer

	plug        Plug
	log         hclog.Logger
	description *plugv1.DescribeResponse
	outbox      *outbox
	slots       *slots
	tasks       sync.WaitGroup // streams' and sessions' goroutines
	abort       func()         // ends the process; nil: there is none of our own

	mu     sync.Mutex
	run    *run    // from Start to the end of Stop; nil: stopped
	stream *stream // the stream that was opened last
}

// NewServer makes the service of one plug without the process around it: for tests
// that register it on a gRPC server of their own. Plugs call Serve.
func NewServer(d Definition, log hclog.Logger) (plugv1.PlugServer, error) { return newServer(d, log) }

func newServer(d Definition, log hclog.Logger) (*server, error) {
	if d.New == nil {
		return nil, fmt.Errorf("definition of plug %q: New is missing", d.Name)
	}
	plug := d.New()
	description, err := describe(d, plug)
	if err != nil {
		return nil, fmt.Errorf("definition of plug %q: %w", d.Name, err)
	}
	return &server{
		plug:        plug,
		log:         log,
		description: description,
		outbox:      newOutbox(),
		slots:       newSlots(int(description.GetMaxConcurrentPuts())),
	}, nil
}

// run is one Start and all that follows, up to the end of its Stop.
type run struct {
	session     *Session
	end         context.CancelCauseFunc // ends session.ctx
	cancelStart context.CancelFunc
	startEnded  chan struct{} // closed when the author's Start has returned; then up and what follows it are set
	up          bool
	abilities   *plugv1.Abilities
	actions     []plugv1.ActionKind // those that may be asked for
	pacer       *pace.Pacer

	puts       context.Context // parent of the contexts of Puts
	cancelPuts context.CancelCauseFunc

	calls calls    // of the optional services
	turns turns    // of Receive and SetChannels
	inUse []string // canonical sources of the channels; guarded by turns' order

	pickUp       context.Context // parent of the contexts given to Receive
	cancelPickUp context.CancelCauseFunc
	pickUpOnce   sync.Once
	pickUpEnded  chan struct{} // closed when Receive has returned for good

	efforts      chan effort // bound: maxEfforts
	effortsOnce  sync.Once
	effortsEnded chan struct{} // closed when no best-effort action runs any more

	stopping bool          // guarded by server.mu
	stopped  chan struct{} // closed at the end of Stop, or when Start has failed
}

func (s *server) Describe(context.Context, *plugv1.DescribeRequest) (*plugv1.DescribeResponse, error) {
	return s.description, nil
}

func (s *server) Start(ctx context.Context, req *plugv1.StartRequest) (*plugv1.StartResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := s.begin(req, cancel)
	if err != nil {
		return nil, err
	}
	defer close(r.startEnded)

	var started *Started
	err = contain(s.log, "Start", func() (err error) {
		started, err = s.plug.Start(ctx, r.session)
		return err
	})
	switch {
	case err == errPanic:
		s.finish(r)
		return nil, status.Error(codes.Internal, "the plug panicked in Start: its log has the stack")
	case err != nil:
		s.finish(r)
		return &plugv1.StartResponse{Failure: startFailure(err)}, nil
	case started == nil || started.NetworkID == "" || contract.ID("network id", started.NetworkID) != nil:
		s.finish(r)
		return nil, status.Error(codes.Internal, "the plug's Start gave no valid network id")
	}
	r.abilities = s.description.GetAbilities()
	if started.Abilities != nil {
		r.abilities = started.Abilities
	}
	if r.actions, err = allowed(s.description.GetAccepts(), r.abilities); err != nil {
		s.finish(r)
		return nil, status.Error(codes.Internal, "the plug's Start: "+err.Error())
	}
	r.inUse = canonical(req.GetSources(), started.Channels)
	r.pacer = pace.New(r.abilities.GetLimits().GetPlugRate())
	r.up = true
	s.outbox.active()
	return &plugv1.StartResponse{
		NetworkId:   started.NetworkID,
		NetworkName: started.NetworkName,
		Self:        started.Self,
		Abilities:   started.Abilities,
		Channels:    started.Channels,
	}, nil
}

// begin makes the run of a Start, if none is there.
func (s *server) begin(req *plugv1.StartRequest, cancelStart context.CancelFunc) (*run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run != nil {
		return nil, status.Error(codes.FailedPrecondition, "the plug is started: Stop comes first")
	}
	ctx, end := context.WithCancelCause(context.Background())
	r := &run{
		end:         end,
		cancelStart: cancelStart,
		startEnded:  make(chan struct{}),
		pickUpEnded: make(chan struct{}),
		stopped:     make(chan struct{}),

		calls:        newCalls(),
		efforts:      make(chan effort, maxEfforts),
		effortsEnded: make(chan struct{}),
	}
	r.puts, r.cancelPuts = context.WithCancelCause(ctx)
	r.pickUp, r.cancelPickUp = context.WithCancelCause(ctx)
	r.session = &Session{
		Instance: req.GetInstance(),
		Channels: req.GetSources(),
		StateDir: req.GetStateDir(),
		SpoolDir: req.GetSpoolDir(),
		TimeZone: s.timeZone(req.GetTimeZone()),
		Logger:   s.log,
		Queue:    &Queue{out: s.outbox, ended: ctx.Done()},
		ctx:      ctx,
		config:   req.GetConfigJson(),
		network:  &networkState{},
	}
	s.outbox.startOver()
	s.run = r
	return r, nil
}

func (s *server) timeZone(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		s.log.Warn("time zone is not known here, taking UTC", "time_zone", name)
		return time.UTC
	}
	return zone
}

// running gives the run that is up, or nil.
func (s *server) running() *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil || s.run.stopping {
		return nil
	}
	select {
	case <-s.run.startEnded:
		return s.run
	default:
		return nil
	}
}

// finish ends a run: its contexts, its queue's input, and the state.
func (s *server) finish(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.end(ErrStopped)
	s.run = nil
	close(r.stopped)
}

func (s *server) Stop(ctx context.Context, req *plugv1.StopRequest) (*plugv1.StopResponse, error) {
	grace := req.GetGrace().AsDuration()
	if grace <= 0 {
		grace = defaultGrace
	}
	// What was begun is finished within the grace even if the host stops waiting.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()

	r, mine := s.claimStop()
	if r == nil {
		return &plugv1.StopResponse{}, nil
	}
	if !mine {
		select {
		case <-r.stopped:
			return &plugv1.StopResponse{}, nil
		case <-ctx.Done():
			return nil, status.Error(codes.DeadlineExceeded, "another Stop is still running")
		}
	}
	r.cancelStart()
	select {
	case <-r.startEnded:
	case <-ctx.Done():
		s.releaseStop(r)
		return nil, status.Error(codes.DeadlineExceeded, "the plug's Start is still running")
	}
	if !r.up { // Start failed, and cleaned up after itself
		return &plugv1.StopResponse{}, nil
	}
	err := s.windDown(ctx, r, grace)
	s.finish(r)
	if err != nil {
		return nil, err
	}
	return &plugv1.StopResponse{}, nil
}

// claimStop gives the run and whether this caller is the one to stop it.
func (s *server) claimStop() (r *run, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil {
		return nil, false
	}
	mine = !s.run.stopping
	s.run.stopping = true
	return s.run, mine
}

func (s *server) releaseStop(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.stopping = false
}

// windDown stops the pick-up, flushes the queue and stops the Plug. A Put that runs
// late gets a quarter of the grace first, with the pick-up that may bring its echo.
// Half of the grace is the Plug's.
func (s *server) windDown(ctx context.Context, r *run, grace time.Duration) error {
	late, cancelLate := context.WithTimeout(ctx, grace/4)
	defer cancelLate()
	half, cancelHalf := context.WithTimeout(ctx, grace/2)
	defer cancelHalf()

	if s.outbox.putsEnded(late) != nil {
		s.log.Warn("a put runs late, cancelling it")
	}
	r.cancelPuts(ErrStopped)
	r.cancelPickUp(ErrStopped)
	if s.outbox.putsEnded(half) != nil {
		s.log.Warn("a put goes on after its context has ended")
	}
	r.pickUpOnce.Do(func() { close(r.pickUpEnded) }) // if no stream was ever opened
	select {
	case <-r.pickUpEnded:
	case <-half.Done():
		s.log.Warn("receive goes on after its context has ended")
	}
	r.effortsOnce.Do(func() { close(r.effortsEnded) }) // if there never was one
	select {
	case <-r.effortsEnded:
	case <-half.Done():
		s.log.Warn("a best-effort action goes on after its context has ended")
	}
	if r.calls.end(half) != nil {
		s.log.Warn("a call of an optional service goes on after its context has ended")
	}
	s.flush(half)
	err := contain(s.log, "Stop", func() error { return s.plug.Stop(ctx) })
	s.flush(ctx)
	switch {
	case err == errPanic:
		return status.Error(codes.Internal, "the plug panicked in Stop: its log has the stack")
	case err != nil:
		return status.Error(codes.Internal, "stop the plug: "+words(err))
	}
	return nil
}

func (s *server) flush(ctx context.Context) {
	if s.outbox.flushed(ctx) != nil {
		s.log.Warn("stopping with events that the host has not acknowledged", "entries", s.outbox.pending())
	}
}

// wait returns when the goroutines of all streams and sessions have ended.
func (s *server) wait() { s.tasks.Wait() }

// contain calls an author's method. A panic becomes errPanic; its text and stack go
// to the log only, since they may hold secrets.
func contain(log hclog.Logger, method string, call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("the plug panicked", "method", method, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return call()
}
