package host

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/accept"
	"github.com/plughost/plughost/host/internal/drain"
	"github.com/plughost/plughost/host/internal/files"
	"github.com/plughost/plughost/host/internal/gate"
	"github.com/plughost/plughost/host/internal/hook/conversation"
	"github.com/plughost/plughost/host/internal/intake"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/link"
	"github.com/plughost/plughost/host/internal/logs"
	"github.com/plughost/plughost/host/internal/moves"
	"github.com/plughost/plughost/host/internal/put"
	"github.com/plughost/plughost/host/internal/subscribe"
	"github.com/plughost/plughost/host/internal/supervisor"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// Defaults of the journal.
const (
	keepEvents      = 7 * 24 * time.Hour
	maxJournalBytes = 10 << 30
	ballastBytes    = 256 << 20
)

// Host runs plugs. Make it with New.
type Host struct {
	o             Options
	conversations []conversation.Conversation
	log           hclog.Logger
	directory     *directory

	faulty time.Time // since when plugs with a Fault are failed

	// Set by Run.
	runDir  string
	journal *journal.Journal
	gate    *gate.Gate
	put     *put.Stage
	bridge  *conversation.Hook
	files   *files.Store
	avatars avatars
	moves   *moves.Moves

	running atomic.Pointer[running]    // what callers from outside use; nil: Run doesn't run
	waits   atomic.Pointer[hook.Error] // why Run has not started anything yet

	mu          sync.Mutex
	supervisors map[id.InstanceName]*supervisor.Supervisor
	intakes     map[id.NetworkID]*intake.Intake
	sessions    map[id.NetworkID]context.CancelCauseFunc // ends the last session of a network
	pids        map[id.InstanceName]int
	breaches    map[id.InstanceName]int        // how often each broke the contract
	links       map[id.InstanceName]*link.Link // of the plugs that are up
	rings       map[id.InstanceName]*logs.Ring
	gaps        map[id.NetworkID][]*journalv1.GapRecord
}

// running is what callers from outside use of a host that runs.
type running struct {
	ctx       context.Context // ends when the stages do
	accept    *accept.Stage
	subscribe *subscribe.Stage
}

// run returns what callers from outside use.
func (h *Host) run() (*running, error) {
	if run := h.running.Load(); run != nil {
		return run, nil
	}
	if why := h.waits.Load(); why != nil {
		return nil, why
	}
	return nil, errStopped
}

// New checks the options and makes a host. Nothing is started or written.
func New(o Options) (*Host, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("options: %w", err)
	}
	conversations, err := o.conversations()
	if err != nil {
		return nil, fmt.Errorf("options: %w", err)
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	o.KeepEvents = cmp.Or(o.KeepEvents, keepEvents)
	o.JournalMaxBytes = cmp.Or(o.JournalMaxBytes, maxJournalBytes)
	o.JournalBallast = cmp.Or(o.JournalBallast, ballastBytes)
	return &Host{
		o:             o,
		conversations: conversations,
		log:           o.Logger,
		directory:     newDirectory(),
		faulty:        time.Now(),
		supervisors:   map[id.InstanceName]*supervisor.Supervisor{},
		intakes:       map[id.NetworkID]*intake.Intake{},
		sessions:      map[id.NetworkID]context.CancelCauseFunc{},
		pids:          map[id.InstanceName]int{},
		breaches:      map[id.InstanceName]int{},
		links:         map[id.InstanceName]*link.Link{},
		rings:         map[id.InstanceName]*logs.Ring{},
		gaps:          map[id.NetworkID][]*journalv1.GapRecord{},
	}, nil
}

// Run runs the host until ctx ends, then stops every plug, and returns nil; or it
// returns at once, with all plugs stopped, if the host itself cannot go on. While the
// disk has no room for what is written first it waits for it, says so, and starts then.
// It is called once. A plug's fault is never the host's: see Status.
func (h *Host) Run(ctx context.Context) error {
	run := &running{}
	store, drains, err := h.open(ctx, run)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	defer store.Close()

	// The stages outlive the plugs, so that what a stopping plug still says is
	// stored and what its last Puts did is recorded.
	asked := ctx
	ctx, fail := context.WithCancelCause(asked)
	defer fail(nil)
	stagesCtx, stopStages := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStages()
	var stages sync.WaitGroup
	stage := func(name string, run func(context.Context) error) {
		stages.Go(func() {
			if err := run(stagesCtx); err != nil && stagesCtx.Err() == nil {
				fail(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	run.ctx = stagesCtx
	h.running.Store(run)
	stage("put", h.put.Run)
	for _, d := range h.startHooks(stagesCtx, drains) {
		stage("drain", d.Run)
	}
	stage("journal", h.retain)
	stage("journal", h.makeRoom)

	var plugs sync.WaitGroup
	for name, s := range h.supervisors {
		plugs.Go(func() {
			if err := s.Run(ctx); err != nil && ctx.Err() == nil {
				fail(fmt.Errorf("supervise plug %s: %w", name, err))
			}
		})
	}
	<-ctx.Done()
	plugs.Wait()
	h.running.Store(nil)
	stopStages()
	run.subscribe.Close()
	stages.Wait()
	if asked.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// openStages builds the stages over the store, in the order in which they must
// take up what a crash left: puts before anything is yielded, hooks before any
// plug speaks.
func (h *Host) openStages(ctx context.Context, store storage.Store, run *running) ([]*drain.Drain, error) {
	var err error
	if h.journal, err = journal.Open(ctx, store); err != nil {
		return nil, err
	}
	if err := h.makeRunDir(); err != nil {
		return nil, err
	}
	if err := h.openFiles(); err != nil {
		return nil, err
	}
	end, err := h.journal.End(ctx)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if h.moves, err = moves.Open(ctx, h.journal); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	h.directory.follow(h.moves)
	h.gate = gate.New(end)
	run.accept = accept.New(telling{h.journal, h})
	run.subscribe = subscribe.New(subscribe.Options{Journal: h.journal, OpenFeed: h.openFeed, Outcome: run.outcome, Logger: h.log})
	h.put = put.New(put.Options{
		Journal:       h.journal,
		Gate:          h.gate,
		Moves:         h.moves,
		Logger:        h.log,
		SettleTimeout: h.o.SettleTimeout,
		Settled:       run.settled,
		LoggedOut:     h.loggedOut,
		Breach:        h.breach,
	})
	if err := h.put.Open(ctx); err != nil {
		return nil, fmt.Errorf("open put: %w", err)
	}
	for _, p := range h.o.Plugs {
		if err := h.addPlug(ctx, p); err != nil {
			return nil, err
		}
	}
	bridge, err := conversation.New(h.conversations, h.directory, newPeople(h.journal, h.directory, h.log))
	if err != nil {
		return nil, err
	}
	h.bridge = bridge
	var drains []*drain.Drain
	for _, hk := range append([]hook.Hook{bridge}, h.o.Hooks...) {
		d := drain.New(hk, h.journal, h.gate, h.put, h.directory, h.log)
		if err := d.Open(ctx); err != nil {
			return nil, err
		}
		drains = append(drains, d)
	}
	return drains, nil
}

// telling is the journal, for operations that the stages are to know of before they
// are accepted.
type telling struct {
	*journal.Journal
	host *Host
}

// Accept implements accept.Journal.
func (t telling) Accept(ctx context.Context, accepted []journal.Accepted) error {
	if err := t.Room(); err != nil {
		return &hook.Error{Code: codes.ResourceExhausted, Text: err.Error()}
	}
	t.host.put.Accepting(accepted)
	return t.Journal.Accept(ctx, accepted)
}

// settled hands the outcome of an operation over, to who waits for it and to the
// subscribers, before its echo is yielded (O1).
func (run *running) settled(c id.Channel, asked id.OperationID, op *journalv1.Operation, settled *journalv1.Settled, reason string) {
	r := run.accept.Settled(c, asked, op, settled, reason)
	run.subscribe.Settled(outcomeOf(r))
}

// outcome looks up what became of an operation whose echo is about to be yielded.
func (run *running) outcome(ctx context.Context, _ id.Channel, op id.OperationID) *subscribe.Outcome {
	r, err := run.accept.Find(ctx, op)
	if err != nil || r.Outcome == journalv1.Outcome_OUTCOME_UNSPECIFIED {
		return nil // an echo says more than nothing
	}
	return outcomeOf(r)
}

func outcomeOf(r *accept.Result) *subscribe.Outcome {
	return &subscribe.Outcome{Operation: r.ID, Echo: r.CarriedOut, Channel: r.Channel, Value: r,
		Open: r.Outcome == journalv1.Outcome_OUTCOME_PARKED && r.PutBack == ""}
}

// startHooks starts the hooks that want it, and returns the drains of those that can
// be given events.
func (h *Host) startHooks(ctx context.Context, drains []*drain.Drain) (started []*drain.Drain) {
	for i, d := range drains {
		if i > 0 { // the first is the bridging
			hk := h.o.Hooks[i-1]
			if s, ok := hk.(hook.Starter); ok {
				if err := startHook(ctx, s, &client{h, hk.Name()}); err != nil {
					h.log.Error("a hook did not start; it is given nothing until the host is started again", "hook", string(hk.Name()), "error", err)
					continue
				}
			}
		}
		started = append(started, d)
	}
	return started
}

func startHook(ctx context.Context, s hook.Starter, as hook.Host) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return s.Start(ctx, as)
}

// addPlug makes a plug's supervisor, and learns from the journal what it was.
func (h *Host) addPlug(ctx context.Context, p Plug) error {
	known, err := h.journal.Instance(ctx, p.Name)
	if err != nil {
		return fmt.Errorf("plug %s: %w", p.Name, err)
	}
	h.directory.change(p.Name, func(e *entry) {
		e.label, e.network, e.sources = p.Label, id.NetworkID(known.NetworkId), known.Sources
	})
	if err := h.recallNetwork(ctx, p, known); err != nil {
		return fmt.Errorf("plug %s: %w", p.Name, err)
	}
	if p.Fault != "" {
		h.directory.change(p.Name, func(e *entry) { e.tried = true })
		return nil
	}
	s := h.supervise(p)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.supervisors[p.Name] = s
	return nil
}

// maxRunDir leaves room for a plug's own directory and socket in the 108 bytes
// that a unix socket's path may have.
const maxRunDir = 60

// makeRunDir makes the directory for sockets, and removes what a killed host
// left there.
func (h *Host) makeRunDir() error {
	h.runDir = filepath.Join(h.o.DataDir, "run")
	if len(h.runDir) > maxRunDir {
		h.runDir = filepath.Join(os.TempDir(), fmt.Sprintf("plughost-%d-%x", os.Getuid(), hash(h.o.DataDir)))
	}
	if err := os.RemoveAll(h.runDir); err != nil {
		return fmt.Errorf("clear run directory: %w", err)
	}
	if err := os.MkdirAll(h.runDir, 0o700); err != nil {
		return fmt.Errorf("make run directory: %w", err)
	}
	return nil
}

// hookNames lists the names under which progress is stored.
func (h *Host) hookNames() []id.HookName {
	names := []id.HookName{conversation.Name}
	for _, hk := range h.o.Hooks {
		names = append(names, hk.Name())
	}
	return names
}

// intake returns the intake of a network, which lives as long as the host.
func (h *Host) intake(n id.NetworkID, log hclog.Logger) *intake.Intake {
	h.mu.Lock()
	defer h.mu.Unlock()
	in := h.intakes[n]
	if in == nil {
		in = intake.New(intake.Options{Network: n, Journal: h.journal, Watcher: h.put, Appended: h.gate.Appended, Gaps: h.setGaps,
			Moves: h.moves, Moved: h.moved,
			Breach: h.breach, BestEffort: h.bestEffort, Logger: log.Named("intake")})
		h.intakes[n] = in
	}
	return in
}
