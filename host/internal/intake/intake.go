package intake

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/moves"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Stream is the output end of a plug's queue.
type Stream interface {
	// Recv blocks for the next answer.
	Recv() (*plugv1.StreamMessagesResponse, error)
	// Ack says that everything up to an answer is stored. idle is true when
	// nothing received remains unstored.
	Ack(through uint64, idle bool)
}

// Journal is where events go.
type Journal interface {
	AppendEvents(ctx context.Context, runs []journal.Run) ([]id.Sequence, error)
	DropCursor(ctx context.Context, n id.NetworkID, scope string) error
	SaveCursors(ctx context.Context, n id.NetworkID, cursors []journal.Cursor) error
	Gaps(ctx context.Context, n id.NetworkID) ([]*journalv1.GapRecord, error)
	SaveGaps(ctx context.Context, n id.NetworkID, gaps []*journalv1.GapRecord) error
	Cursors(ctx context.Context, n id.NetworkID) ([]journal.Cursor, error)
	ReadEvents(ctx context.Context, c id.Channel, from id.Sequence, yield func(id.Channel, storage.Record) bool) error
	LastEvents(ctx context.Context, c id.Channel) (storage.Record, error)
	Room() error
	End(ctx context.Context) (id.Sequence, error)

	SaveOriginal(ctx context.Context, c id.Channel, r *journalv1.OriginalRecord) error
	SaveFelt(ctx context.Context, c id.Channel, reaction string, r *journalv1.FeltRecord) error
	Felt(ctx context.Context, c id.Channel, reaction string) (*journalv1.FeltRecord, error)
	SaveFeels(ctx context.Context, m id.Message, user string, r *journalv1.FeelsRecord) error
	Feels(ctx context.Context, m id.Message, user string) (*journalv1.FeelsRecord, error)
}

// Watcher is told what has come in. Its methods don't block.
type Watcher interface {
	// Appended is called once per event, in order, after it is in the journal, where it
	// is kept under c.
	Appended(c id.Channel, s id.Sequence, e *plugv1.Event)
	// CaughtUp says that a scope's catch-up has reached the present.
	CaughtUp(n id.NetworkID, scope id.ChannelSource)
	// Outcome reports a Put whose RPC was given up.
	Outcome(n id.NetworkID, o *plugv1.PutOutcome)
}

// Files takes files out of a plug's spool.
type Files interface {
	// Names gives the names that an event has there. It is asked before Receive.
	Names(e *plugv1.Event) []string
	// Receive takes the files of an event that is no repeat, before it is stored. Its
	// error is the context's.
	Receive(ctx context.Context, e *plugv1.Event) error
	// Forget removes names, once the event is stored and before it is acknowledged.
	Forget(names []string)
}

// Options of an intake. BestEffort may be nil.
type Options struct {
	Network id.NetworkID
	Journal Journal
	Watcher Watcher
	// Moves are told which channels migrated; events are kept under a channel's home.
	Moves *moves.Moves
	// Moved is told so afterwards, before the event is stored. It doesn't block; nil:
	// nobody is told.
	Moved func(from id.Channel, to id.ChannelSource)
	// Appended is told the sequence of each record before the watcher is.
	Appended func(id.NetworkID, id.Sequence)
	// Gaps is told the network's gaps whenever they change, oldest first. It doesn't
	// block, and changes nothing in them; nil: nobody is told.
	Gaps func(id.NetworkID, []*journalv1.GapRecord)
	// Breach is told that the plug broke the contract; the plug goes on. It doesn't block;
	// nil: nobody is told.
	Breach func(n id.NetworkID, reason string)
	// BestEffort is given the events that are never stored. It doesn't block.
	BestEffort func(c id.Channel, e *plugv1.Event)
	Logger     hclog.Logger
}

// Intake is the intake of one network, over all lives of its plug. Its methods may be
// called at once with Run.
type Intake struct {
	o     Options
	log   hclog.Logger
	limit int // of what is known: knownEvents

	// turn has a value while an answer of the stream is taken, or a page of history: one
	// thing after another. It is no mutex, since its holder waits for the journal, for as
	// long as that refuses. Guards all up to pastMu, but for what belongs to what is being
	// stored (beside.go).
	turn    chan struct{} // capacity 1
	begun   *begun        // what is being stored; nil: nothing
	files   Files         // of the present stream; nil: none
	loaded  bool
	known   *knowledge
	last    id.Sequence               // all of the network's events up to here are stored
	cursors map[string]journal.Cursor // with which the plug resumed
	gaps    []*journalv1.GapRecord
	changed chan struct{} // closed when the gaps change

	// pastMu is held for a moment only. Guards all below.
	pastMu  sync.Mutex
	past    map[string]cursorPast
	again   bool   // all that the stream has brought so far came before
	refused uint64 // cursors that went back
}

// New makes the intake of a network.
func New(o Options) *Intake {
	return &Intake{o: o, log: o.Logger, limit: knownEvents, turn: make(chan struct{}, 1), known: newKnowledge(knownEvents), past: map[string]cursorPast{}, changed: make(chan struct{})}
}

func (in *Intake) enter() { in.turn <- struct{}{} }
func (in *Intake) leave() { <-in.turn }

// Open returns the cursors with which the plug resumes. It is called before each
// Run.
func (in *Intake) Open(ctx context.Context) ([]*plugv1.Cursor, error) {
	in.enter()
	defer in.leave()
	stored, err := in.learn(ctx)
	if err != nil {
		return nil, err
	}
	gaps, err := in.o.Journal.Gaps(ctx, in.o.Network)
	if err != nil {
		return nil, fmt.Errorf("read gaps of %s: %w", in.o.Network, err)
	}
	in.setGaps(gaps)
	in.resumes(stored)
	in.cursors = make(map[string]journal.Cursor, len(stored))
	cursors := make([]*plugv1.Cursor, len(stored))
	for i, c := range stored {
		cursors[i], in.cursors[c.Scope] = c.Cursor, c
	}
	return cursors, nil
}

// learn learns what is known, and gives the cursors with which the plug resumes.
func (in *Intake) learn(ctx context.Context) ([]journal.Cursor, error) {
	stored, err := in.o.Journal.Cursors(ctx, in.o.Network)
	if err != nil {
		return nil, err
	}
	if err := in.load(ctx, stored); err != nil {
		return nil, fmt.Errorf("read known events of %s: %w", in.o.Network, err)
	}
	return stored, nil
}

// Run stores what a stream says until it ends, and returns why. files may be nil.
func (in *Intake) Run(ctx context.Context, s Stream, files Files) error {
	in.enter()
	in.files = files
	in.leave()
	cursors, finish := in.keep(ctx, s)
	defer finish()
	defer in.settle()
	for {
		answer, err := s.Recv()
		if err != nil {
			return fmt.Errorf("read the plug's stream: %w", err)
		}
		if err := in.take(ctx, answer, cursors); err != nil {
			return err
		}
	}
}

// take prepares an answer, and stores it once the one before it is stored: beside the next
// one's being prepared, if it may be. Its error is the context's.
func (in *Intake) take(ctx context.Context, answer *plugv1.StreamMessagesResponse, c *cursors) error {
	in.enter()
	defer in.leave()
	beside := in.beside(answer)
	if !beside {
		if err := in.stand(); err != nil {
			return err
		}
	}
	events, err := in.prepare(ctx, answer.Events)
	if err != nil {
		return err
	}
	if err := in.stand(); err != nil {
		return err
	}
	in.begin(func() error { return in.store(ctx, answer, events, c) })
	if beside {
		return nil
	}
	return in.stand()
}

// store stores an answer whose events are prepared. Its cursors follow by themselves.
func (in *Intake) store(ctx context.Context, answer *plugv1.StreamMessagesResponse, events prepared, c *cursors) error {
	if err := in.append(ctx, events); err != nil {
		return err
	}
	if err := in.addGaps(ctx, answer.Gaps); err != nil {
		return err
	}
	for _, scope := range answer.CaughtUp {
		for _, name := range in.o.Moves.Names(id.Channel{Network: in.o.Network, Source: id.ChannelSource(scope)}) {
			in.known.caughtUp(string(name)) // it may have resumed under an older source
		}
		in.o.Watcher.CaughtUp(in.o.Network, id.ChannelSource(scope))
	}
	for _, outcome := range answer.Outcomes {
		in.o.Watcher.Outcome(in.o.Network, outcome)
	}
	c.add(answer.Sequence, in.last, in.forward(answer.Cursors, len(events.rounds) > 0))
	return nil
}
