package put

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/gate"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/moves"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// SettleTimeout is the default time that own events are held for an uncertain
// operation, and that a new attempt waits for an echo (O5).
const SettleTimeout = 10 * time.Second

// Journal is where operations come from and outcomes go to.
type Journal interface {
	OperationLanes(ctx context.Context) (*journal.Lanes, map[id.Channel]*journalv1.PutRecord, error)
	SavePut(ctx context.Context, c id.Channel, record *journalv1.PutRecord) error
	Park(ctx context.Context, c id.Channel, record *journalv1.ParkedRecord) error
	Unpark(ctx context.Context, c id.Channel, operation, putBack id.OperationID) error
	ParkedOperation(ctx context.Context, operation id.OperationID) (*journal.Parked, error)
	ParkedOperations(ctx context.Context) ([]journal.Parked, error)
	Resolving(ctx context.Context) (done func(), err error)
	StillParked(ctx context.Context, operation id.OperationID) (*journal.Parked, error)
	FoundSent(ctx context.Context, p *journal.Parked, sent []*plugv1.SentPart, whole bool) error
	Find(ctx context.Context, operation id.OperationID) (*journal.Progress, error)
	SaveCopies(ctx context.Context, c id.Channel, settled *journalv1.Settled) error
	CopyOf(ctx context.Context, m id.Message) (*journalv1.CopyRecord, error)
	CopiesIn(ctx context.Context, c id.Channel, m *journalv1.MessageKey) ([]*journalv1.FromRecord, error)
	Dropped(ctx context.Context, c id.Channel, m *journalv1.MessageKey) (bool, error)
	Original(ctx context.Context, m id.Message) (*journalv1.OriginalRecord, error)
	Reacted(ctx context.Context, c id.Channel, m *journalv1.MessageKey) (*journalv1.ReactedRecord, error)
	SaveReacted(ctx context.Context, c id.Channel, m *journalv1.MessageKey, r *journalv1.ReactedRecord) error
	ReadOperations(ctx context.Context, c id.Channel, from id.Sequence, yield func(storage.Record) error) error
	ReadEvents(ctx context.Context, c id.Channel, from id.Sequence, yield func(id.Channel, storage.Record) bool) error
	Issued(ctx context.Context, n id.NetworkID, operation id.OperationID) (*journalv1.Operation, error)
}

// Gate is the barrier that a Put passes.
type Gate interface {
	Begin(c id.Channel, scope gate.Scope) *gate.Pass
	Resume(c id.Channel, scope gate.Scope, noted id.Sequence, hold time.Duration) *gate.Pass
}

// Options of a stage.
type Options struct {
	Journal       Journal
	Gate          Gate
	Moves         *moves.Moves // channels are named by their homes here
	Logger        hclog.Logger
	SettleTimeout time.Duration // SettleTimeout if 0
	// Settled is told what became of an operation, when that is durable and before
	// any event that waits for it is yielded (O1). It must not block. asked is the
	// operation that was accepted, op what was carried out, which may be its fallback.
	// Reason is empty unless it was parked or given up. One that was parked may turn out
	// to have been sent, and is told of again then.
	Settled func(c id.Channel, asked id.OperationID, op *journalv1.Operation, settled *journalv1.Settled, reason string)
	// LoggedOut is told that a network refuses the plug's credentials.
	LoggedOut func(n id.NetworkID, reason string)
	// Breach is told that a plug broke the contract; the plug goes on.
	Breach func(n id.NetworkID, reason string)
}

// Stage carries out operations.
type Stage struct {
	Options
	lanes *journal.Lanes

	mu       sync.Mutex
	plugs    map[id.NetworkID]*plug
	channels map[id.Channel]*progress
	active   map[id.OperationID]*operation // begun and not settled
	later    later
	late     late
	gaveUp   map[id.Channel]GivenUp
	running  *sync.WaitGroup // of best effort and late word; nil while Run doesn't run
	since    time.Time       // when it was made

	origins *origins
}

// progress is how far a channel has come. It is used by the channel's lane only.
type progress struct {
	settled  *journalv1.Settled
	unsaved  *ending            // that settled is of; nil once it is durable
	attempt  *journalv1.Attempt // of the next operation, if it may have been sent
	resumed  *gate.Pass         // holds own events since that attempt
	reopened bool               // the next operation may have been parked before the start
}

// New makes a stage.
func New(o Options) *Stage {
	if o.SettleTimeout == 0 {
		o.SettleTimeout = SettleTimeout
	}
	o.Logger = o.Logger.Named("put")
	return &Stage{
		Options:  o,
		plugs:    map[id.NetworkID]*plug{},
		channels: map[id.Channel]*progress{},
		active:   map[id.OperationID]*operation{},
		later:    later{},
		late:     newLate(),
		gaveUp:   map[id.Channel]GivenUp{},
		since:    time.Now(),
		origins:  newOrigins(recentReceipts),
	}
}

// Open reads how far each channel had come. What was begun and not settled may
// have been sent: its channel's own events are held from now. It is called once,
// before anything is yielded and before Run.
func (s *Stage) Open(ctx context.Context) error {
	lanes, puts, err := s.Journal.OperationLanes(ctx)
	if err != nil {
		return err
	}
	s.lanes = lanes
	if err := s.readParked(ctx); err != nil {
		return err
	}
	for c := range lanes.Waiting() {
		s.channels[c] = &progress{reopened: true}
		if err := s.readLater(ctx, c, puts[c].GetSettled().GetPosition()); err != nil {
			return err
		}
	}
	for c, record := range puts {
		p := s.channels[c]
		if p == nil {
			p = &progress{}
			s.channels[c] = p
		}
		p.settled = record.Settled
		if a := record.Attempt; a != nil && a.Uncertain > 0 {
			p.attempt = a
			// The plug's scope is not known before it has started; the whole
			// plug is the scope that is right for every network.
			p.resumed = s.Gate.Resume(c, gate.Plug, id.Sequence(a.Noted), s.SettleTimeout)
		} else if a != nil {
			p.attempt = a
		}
		if err := s.knowSent(ctx, c, record.Attempt); err != nil {
			return err
		}
		// A crash may have come between the receipt's record and the map's.
		if record.Settled != nil {
			if err := s.Journal.SaveCopies(ctx, c, record.Settled); err != nil {
				return err
			}
		}
	}
	return nil
}

// knowSent makes the parts that an attempt is known to have sent the origin of
// their echoes.
func (s *Stage) knowSent(ctx context.Context, c id.Channel, a *journalv1.Attempt) error {
	if len(a.GetSent()) == 0 {
		return nil
	}
	op, err := s.Journal.Issued(ctx, c.Network, id.OperationID(a.OperationId))
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, sent := range a.Sent {
		s.origins.add(c, op, sent.Part, sent.Receipt)
	}
	return nil
}

// Run carries out operations until ctx ends.
func (s *Stage) Run(ctx context.Context) error {
	running := &sync.WaitGroup{}
	s.mu.Lock()
	s.running = running
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	running.Go(func() { s.runLate(ctx) })
	defer func() {
		cancel()
		s.mu.Lock()
		s.running = nil
		s.mu.Unlock()
		running.Wait()
	}()
	return s.lanes.Run(ctx, s.handle)
}

func (s *Stage) handle(ctx context.Context, c id.Channel, records []storage.Record) {
	s.mu.Lock()
	p := s.channels[c]
	if p == nil {
		p = &progress{}
		s.channels[c] = p
	}
	s.mu.Unlock()
lane:
	for _, r := range records {
		record, err := journal.OperationsOf(r)
		if err != nil {
			s.Logger.Error("journal record not readable; passed over", "error", err)
			continue
		}
		for i, op := range record.Operations {
			position := &journalv1.Position{Sequence: uint64(r.Sequence), Index: uint32(i)}
			if !after(position, p.settled.GetPosition()) {
				continue
			}
			s.mu.Lock()
			s.later.arrived(c, op)
			s.mu.Unlock()
			o := &operation{stage: s, channel: c, progress: p, record: op, position: position,
				id: id.OperationID(op.Id), log: s.Logger.With("channel", c.String(), "operation", op.Id)}
			if err := o.run(ctx); err != nil {
				break lane // ctx has ended; the operation is carried out after the next start
			}
		}
	}
	_ = p.flush(ctx)
}

func after(a, b *journalv1.Position) bool {
	if b == nil {
		return true
	}
	return a.Sequence > b.Sequence || a.Sequence == b.Sequence && a.Index > b.Index
}

// Appended implements intake.Watcher: an own event with the id of an operation
// that is under way settles it (O5). Strangers' events never do, whatever id they
// carry.
func (s *Stage) Appended(c id.Channel, _ id.Sequence, e *plugv1.Event) {
	at := id.Channel{Network: c.Network, Source: id.ChannelSource(e.Channel)}
	// What becomes of the source that a channel has left is of no matter.
	if state := e.GetChannelStateChanged(); state != nil && s.Moves.Now(at) == at {
		s.change(c.Network, func(p *plug) { p.waits[c.Source] = !joined(state.State) })
	}
	if e.GetChannelMigrated() != nil {
		s.change(c.Network, func(p *plug) { delete(p.waits, c.Source) }) // of where it was
	}
	base, part, ok := echoOf(e)
	if !ok {
		return
	}
	s.mu.Lock()
	o := s.active[base]
	s.mu.Unlock()
	if o != nil && o.channel.Network == c.Network {
		o.echoed(part, e)
	}
	s.echoedLate(c.Network, base, part, e) // also where it was parked just now
}

// Outcome implements intake.Watcher.
func (s *Stage) Outcome(n id.NetworkID, outcome *plugv1.PutOutcome) {
	s.mu.Lock()
	o := s.active[id.OperationID(outcome.OperationId)]
	s.mu.Unlock()
	if o != nil && o.channel.Network == n {
		o.reported(outcome)
	}
	s.tellLate(n, id.OperationID(outcome.OperationId), func(p *listened) { p.heard.report(outcome) })
}

// CaughtUp implements intake.Watcher.
func (s *Stage) CaughtUp(n id.NetworkID, scope id.ChannelSource) {
	scope = s.Moves.Home(id.Channel{Network: n, Source: scope}).Source
	s.change(n, func(p *plug) { p.caughtUp[scope] = time.Now() })
}
