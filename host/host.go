package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/drain"
	"github.com/plughost/plughost/host/internal/files"
	"github.com/plughost/plughost/host/internal/gate"
	"github.com/plughost/plughost/host/internal/hook/conversation"
	"github.com/plughost/plughost/host/internal/intake"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/put"
	"github.com/plughost/plughost/host/internal/supervisor"
)

// keepEvents is how long finished events are kept by default.
const keepEvents = 7 * 24 * time.Hour

// retainEvery is how often the journal is cleared of what is finished and old.
const retainEvery = 10 * time.Minute

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

	mu          sync.Mutex
	supervisors map[id.InstanceName]*supervisor.Supervisor
	intakes     map[id.NetworkID]*intake.Intake
	sessions    map[id.NetworkID]context.CancelCauseFunc // ends the last session of a network
	pids        map[id.InstanceName]int
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
	if o.KeepEvents == 0 {
		o.KeepEvents = keepEvents
	}
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
	}, nil
}

// Run runs the host until ctx ends, then stops every plug, and returns nil; or it
// returns at once, with all plugs stopped, if the host itself cannot go on. It is
// called once. A plug's fault is never the host's: see Status.
func (h *Host) Run(ctx context.Context) error {
	store, err := h.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	drains, err := h.openStages(ctx, store)
	if err != nil {
		return err
	}

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
	stage("put", h.put.Run)
	for _, d := range drains {
		stage("drain", d.Run)
	}
	stage("journal", h.retain)

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
	stopStages()
	stages.Wait()
	if asked.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// openStore makes the directories and opens the journal's store, which locks
// them.
func (h *Host) openStore(ctx context.Context) (journal.Store, error) {
	dir, err := filepath.Abs(h.o.DataDir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	h.o.DataDir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	return journal.OpenJetStream(ctx, journal.Options{
		Dir:    filepath.Join(dir, "journal"),
		Sync:   h.o.JournalSync,
		Logger: h.log.Named("journal"),
	})
}

// openStages builds the stages over the store, in the order in which they must
// take up what a crash left: puts before anything is yielded, hooks before any
// plug speaks.
func (h *Host) openStages(ctx context.Context, store journal.Store) ([]*drain.Drain, error) {
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
	h.gate = gate.New(end)
	h.put = put.New(put.Options{
		Journal:       h.journal,
		Gate:          h.gate,
		Logger:        h.log,
		SettleTimeout: h.o.SettleTimeout,
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
	bridge, err := conversation.New(h.conversations, h.directory.Canonical, newPeople(h.journal, h.directory, h.log))
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

// addPlug makes a plug's supervisor, and learns from the journal what it was.
func (h *Host) addPlug(ctx context.Context, p Plug) error {
	known, err := h.journal.Instance(ctx, p.Name)
	if err != nil {
		return fmt.Errorf("plug %s: %w", p.Name, err)
	}
	h.directory.change(p.Name, func(e *entry) {
		e.label, e.network, e.sources = p.Label, id.NetworkID(known.NetworkId), known.Sources
	})
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

// retain clears the journal of what is finished and old.
func (h *Host) retain(ctx context.Context) error {
	hooks := h.hookNames()
	t := time.NewTicker(retainEvery)
	defer t.Stop()
	for {
		if err := h.journal.Retain(ctx, time.Now().Add(-h.o.KeepEvents), hooks); err != nil && ctx.Err() == nil {
			h.log.Error("old records could not be removed; tried again later", "error", err)
		}
		if err := h.files.Retain(ctx, time.Now()); err != nil && ctx.Err() == nil {
			h.log.Error("old files could not be removed; tried again later", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// intake returns the intake of a network, which lives as long as the host.
func (h *Host) intake(n id.NetworkID, log hclog.Logger) *intake.Intake {
	h.mu.Lock()
	defer h.mu.Unlock()
	in := h.intakes[n]
	if in == nil {
		in = intake.New(intake.Options{Network: n, Journal: h.journal, Watcher: h.put, Appended: h.gate.Appended, BestEffort: h.bestEffort, Logger: log.Named("intake")})
		h.intakes[n] = in
	}
	return in
}
