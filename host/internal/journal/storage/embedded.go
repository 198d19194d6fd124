package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/disk"
)

// lookEvery is how often the bounds are looked at, and the time between two tries to
// open a server that stopped answering.
const lookEvery = time.Second

// embedded is a Store on a server in this process. It keeps the bounds, and opens the
// server anew, in place, when that has stopped taking records: after a write that
// failed, on a full disk, it does so until its end.
type embedded struct {
	o       Options
	lock    *flock.Flock
	ballast *disk.Ballast // nil: the disk is not looked at

	stop    context.CancelFunc
	stopped chan struct{}
	silent  chan struct{} // capacity 1: a record was not answered

	lookMu  sync.Mutex // held while the bounds are looked at
	stateMu sync.Mutex
	state   State
	told    matter // that was logged last

	// Every call but Follow holds mu for reading, so that a server is only stopped
	// when its calls have ended. Each is bounded by answerTimeout or its context.
	mu     sync.RWMutex
	server *jetStream    // nil: it could not be opened anew yet
	opened chan struct{} // closed when another server is there, or none for good
	closed bool
}

// MinFree is the least room on the disk, in bytes, with which it is worth a try to open
// a store that could not be opened or written without any.
const MinFree = 1 << 20

// ErrNoRoom says that a store could not be opened because its disk is full. Nothing is
// lost: it can be opened when there is room.
var ErrNoRoom = errors.New("the disk is full")

// OpenJetStream locks a directory and starts an embedded server over it. ctx bounds
// the opening only; Close stops the server. A record that was acknowledged is in the
// file system, so no crash of the process loses it (D1, D3).
//
// A store that is there is opened without a byte of room, unless its bounds have
// changed; a ballast is given up before. With ErrNoRoom the caller tries again when
// MinFree is free.
func OpenJetStream(ctx context.Context, o Options) (Store, error) {
	o.setDefaults()
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	e := &embedded{o: o, lock: lock, stopped: make(chan struct{}), silent: make(chan struct{}, 1), opened: make(chan struct{})}
	if o.Ballast > 0 {
		e.ballast = disk.Open(o.Dir, o.Ballast)
		e.look(ctx) // the server may need what the ballast holds
	}
	if e.server, err = startJetStream(ctx, o); err != nil {
		if e.noRoom(ctx, err) {
			err = fmt.Errorf("%w: %w", ErrNoRoom, err)
		}
		return nil, errors.Join(fmt.Errorf("open journal: %w", err), lock.Unlock())
	}
	e.look(ctx)
	watching, stop := context.WithCancel(context.Background())
	e.stop = stop
	go e.watch(watching)
	return e, nil
}

// noRoom tells whether something failed because the disk is full. The server gives the
// reason as text, or not at all.
func (e *embedded) noRoom(ctx context.Context, err error) bool {
	e.look(ctx)
	return errors.Is(err, unix.ENOSPC) || strings.Contains(err.Error(), unix.ENOSPC.Error()) || e.ballast != nil && e.State().Disk.Free < MinFree
}

// Close implements Store: it waits for the calls in progress, ends the Follows, and
// returns when the server has stopped and the directory is free. Calls after it fail.
func (e *embedded) Close() error {
	e.stop()
	<-e.stopped
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	close(e.opened)
	if e.server != nil {
		e.server.Close()
	}
	if err := e.lock.Unlock(); err != nil {
		return fmt.Errorf("unlock data directory: %w", err)
	}
	return nil
}

// watch looks at the bounds, and opens the server anew when it has stopped taking
// records, until ctx ends.
func (e *embedded) watch(ctx context.Context) {
	defer close(e.stopped)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			e.look(ctx)
		case <-e.silent:
			e.look(ctx)
			e.reopen(ctx, tick.C)
		}
	}
}

// look looks at the disk and at the log.
func (e *embedded) look(ctx context.Context) {
	e.lookMu.Lock()
	defer e.lookMu.Unlock()
	if e.ballast != nil {
		d, err := e.ballast.Check()
		if err != nil {
			e.o.Logger.Warn("the disk could not be looked after; tried again", "error", err)
		}
		e.change(func(s *State) { s.Disk = d })
	}
	server, _ := e.current()
	if server == nil {
		return
	}
	bytes, entries, err := server.sizes(ctx)
	if err != nil {
		if ctx.Err() == nil {
			e.o.Logger.Warn("the journal's size could not be read; tried again", "error", err)
		}
		return
	}
	e.change(func(s *State) {
		s.Bytes, s.MaxBytes, s.Entries, s.MaxEntries = bytes, e.o.MaxBytes, entries, e.o.MapMax
	})
}

// change changes the state, and logs it if there is something else to say.
func (e *embedded) change(do func(*State)) {
	e.stateMu.Lock()
	do(&e.state)
	now, told := e.state, e.told
	e.told = now.matter()
	e.stateMu.Unlock()
	switch now.matter() {
	case told:
	case matter{}:
		e.o.Logger.Info("the journal takes everything again")
	default:
		e.o.Logger.Error("a bound of the journal is reached", "reason", now.reason())
	}
}

// State implements Store.
func (e *embedded) State() State {
	e.stateMu.Lock()
	defer e.stateMu.Unlock()
	s := e.state
	s.Reason = s.reason()
	return s
}

// Look implements Store.
func (e *embedded) Look(ctx context.Context) State {
	e.look(ctx)
	return e.State()
}

// reopen stops the server and starts it anew over the same files, as soon as there
// is room on the disk. It returns when that is done or ctx has ended.
func (e *embedded) reopen(ctx context.Context, again <-chan time.Time) {
	for !e.tryReopen(ctx) {
		select {
		case <-ctx.Done():
			return
		case <-again:
			e.look(ctx)
		}
	}
	select {
	case <-e.silent: // of the server that is gone
	default:
	}
	e.change(func(s *State) { s.Broken = false })
}

func (e *embedded) tryReopen(ctx context.Context) bool {
	if e.ballast != nil && e.State().Disk.Free < MinFree {
		return false // what can be read is read from the old one
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server != nil {
		e.server.Close()
	}
	var err error
	if e.server, err = startJetStream(ctx, e.o); err != nil {
		e.server = nil
		if ctx.Err() != nil {
			return false
		}
		e.o.Logger.Error("the embedded server could not be opened anew; tried again", "error", err)
		return false
	}
	close(e.opened)
	e.opened = make(chan struct{})
	e.o.Logger.Warn("the embedded server had stopped taking records and was opened anew")
	return true
}

// current returns the server, nil if there is none, and what is closed when there is
// another.
func (e *embedded) current() (*jetStream, <-chan struct{}) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.server, e.opened
}

// answered notes whether the server still takes records. It is called within the call,
// so that it is never about a server that has been opened anew since.
func (e *embedded) answered(err error) {
	if !errors.Is(err, jetstream.ErrAsyncPublishTimeout) {
		return
	}
	e.change(func(s *State) { s.Broken = true })
	select {
	case e.silent <- struct{}{}:
	default:
	}
}

// ErrReopening says that the server takes no records and is being opened anew.
var ErrReopening = errors.New("the journal is being opened anew; try again in a few seconds")

// call runs one call on the server.
func call[T any](e *embedded, do func(*jetStream) (T, error)) (none T, err error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	switch {
	case e.closed:
		return none, ErrClosed
	case e.server == nil:
		return none, ErrReopening
	}
	return do(e.server)
}

// Append implements Store.
func (e *embedded) Append(ctx context.Context, entries ...Entry) ([]id.Sequence, error) {
	e.stateMu.Lock()
	broken := e.state.Broken
	e.state.Bytes += size(entries) // until the next look
	e.stateMu.Unlock()
	if broken {
		return make([]id.Sequence, len(entries)), ErrReopening // it would not answer
	}
	sequences, err := call(e, func(s *jetStream) ([]id.Sequence, error) {
		sequences, err := s.Append(ctx, entries...)
		e.answered(err)
		return sequences, err
	})
	if sequences == nil {
		sequences = make([]id.Sequence, len(entries))
	}
	return sequences, err
}

// Set implements Store.
func (e *embedded) Set(ctx context.Context, entries ...Entry) error {
	if e.State().Broken {
		return ErrReopening
	}
	_, err := call(e, func(s *jetStream) (struct{}, error) {
		err := s.Set(ctx, entries...)
		e.answered(err)
		return struct{}{}, err
	})
	return err
}

// Follow implements Store. It goes on over the opening of another server.
func (e *embedded) Follow(ctx context.Context, from id.Sequence, yield func(Record) error, filters ...string) error {
	refused := false
	take := func(r Record) error {
		from = r.Sequence + 1
		err := yield(r)
		refused = err != nil
		return err
	}
	for {
		server, another := e.current()
		if server != nil {
			if err := server.Follow(ctx, from, take, filters...); refused || !errors.Is(err, ErrClosed) {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-another:
		}
		if e.isClosed() {
			return ErrClosed
		}
	}
}

func (e *embedded) isClosed() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.closed
}
