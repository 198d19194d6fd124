package plug

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug/internal/contract"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ErrStopped is what the Queue of a session answers once that session has ended.
var ErrStopped = errors.New("the plug was stopped")

// Queue is the input end of the plug's message queue. What is queued reaches the
// host in order, at least once, and is kept until it is in the host's journal.
//
// All methods may be called by any number of goroutines, from Start until Stop has
// returned; after that they answer ErrStopped. The queue holds 1,024 entries or
// 4 MiB, twice that while a Put runs, and never drops one: while it is full the
// methods wait, until their ctx ends. An error means that nothing was queued.
type Queue struct {
	out   *outbox
	ended <-chan struct{} // the session has ended
}

// Cursor is where a plug would resume after everything that was queued before it.
type Cursor struct {
	// Scope is a channel's source, or empty for the whole plug.
	Scope string
	// Value is the plug's own, at most 4 KiB. A scope's cursor never goes back.
	Value []byte
}

// Cursors holds the last cursor of each scope. A scope without one starts now: no
// old message is queued on a first start or for a new channel.
type Cursors map[string][]byte

// Event queues what happened on the network, then the cursors that are valid after
// it. The event belongs to the queue from the call on.
//
// Channel is required, MessageId for everything that is about a message, and what
// event.proto requires of each kind. An event over the contract's sizes (256 KiB, ids
// of 512 bytes) or with an id of invalid UTF-8 is an error; in what people wrote
// (texts, names, titles, reasons) invalid UTF-8 becomes U+FFFD. Time is now where it
// is absent. EventId is derived where it is empty, so that it is the same on replay:
//
//   - a message, a delete: from the message's id
//   - an edit: from the message's id and the revision, or where there is none the
//     time, if the author has set it, and the content. Without both, a message that is
//     edited back to what it once was makes no second event
//   - a reaction, added or removed: from the reaction's own id, else at random
//   - a migrated channel: from where it goes
//   - everything else: at random. A network that replays it has an id for it
//
// Typing and read markers are best effort: they have no event id, Event does not wait
// for them, and they are dropped while the queue is half full, or if no stream was
// open that could take them. They are never sent again.
func (q *Queue) Event(ctx context.Context, e *plugv1.Event, after ...Cursor) error {
	size, err := contract.Event(e)
	if err != nil {
		return fmt.Errorf("queue an event: %w", err)
	}
	if e.GetTime() == nil {
		e.Time = timestamppb.Now()
	}
	cursors, cursorBytes, err := checkCursors(after)
	if err != nil {
		return fmt.Errorf("queue an event: %w", err)
	}
	q.out.active()
	if contract.BestEffort(e) {
		return q.addFleeting(ctx, e, size, cursors, cursorBytes)
	}
	return q.add(ctx, &entry{event: e, cursors: cursors, size: size + cursorBytes})
}

// addFleeting queues an event that may be dropped, and cursors that may not.
func (q *Queue) addFleeting(ctx context.Context, e *plugv1.Event, size int, cursors []*plugv1.Cursor, cursorBytes int) error {
	select {
	case <-q.ended:
		return ErrStopped
	default:
	}
	q.out.addFleeting(&entry{event: e, fleeting: true, size: size + entryOverhead})
	if len(cursors) == 0 {
		return nil
	}
	return q.add(ctx, &entry{cursors: cursors, size: cursorBytes})
}

// Cursor queues a cursor without an event: at the first join, so that "now"
// survives a restart before the first message, and after input that made no event.
func (q *Queue) Cursor(ctx context.Context, c Cursor) error {
	cursors, size, err := checkCursors([]Cursor{c})
	if err != nil {
		return fmt.Errorf("queue a cursor: %w", err)
	}
	return q.add(ctx, &entry{cursors: cursors, size: size})
}

// CaughtUp says that the catch-up of a scope (a channel's source, or "" for the
// whole plug) has reached the present. The host waits for it before it tries again
// what may have been sent, so a resumable plug says it after each connect.
func (q *Queue) CaughtUp(ctx context.Context, scope string) error {
	if err := contract.ID("scope", scope); err != nil {
		return fmt.Errorf("queue a caught-up scope: %w", err)
	}
	return q.add(ctx, &entry{caughtUp: []string{scope}, size: len(scope)})
}

// Gap queues the notice that a time could not be replayed. Reason is required;
// Until is now where it is absent.
func (q *Queue) Gap(ctx context.Context, g *plugv1.Gap) error {
	if g.GetReason() == "" {
		return errors.New("queue a gap: it has no reason")
	}
	if err := contract.ID("scope", g.GetScope()); err != nil {
		return fmt.Errorf("queue a gap: %w", err)
	}
	if g.GetUntil() == nil {
		g.Until = timestamppb.Now()
	}
	size, err := contract.Size(g)
	if err != nil {
		return fmt.Errorf("queue a gap: %w", err)
	}
	return q.add(ctx, &entry{gap: g, size: size})
}

// Flush waits until everything queued before the call is in the host's journal. A
// network that wants acknowledgements gets its own after it.
func (q *Queue) Flush(ctx context.Context) error {
	if err := q.out.flushed(ctx); err != nil {
		return fmt.Errorf("flush the queue: %w", err)
	}
	return nil
}

// Active notes that a byte came from the network, also one that made no event (a
// pong): the host finds dead connections by its absence. Event notes it too. It
// never blocks.
func (q *Queue) Active() { q.out.active() }

func (q *Queue) add(ctx context.Context, e *entry) error {
	select {
	case <-q.ended:
		return ErrStopped
	default:
	}
	e.size += entryOverhead
	return q.out.add(ctx, q.ended, e)
}

func checkCursors(list []Cursor) (cursors []*plugv1.Cursor, size int, err error) {
	for _, c := range list {
		if err := contract.ID("cursor's scope", c.Scope); err != nil {
			return nil, 0, err
		}
		if len(c.Value) == 0 {
			return nil, 0, errors.New("its cursor has no value")
		}
		if len(c.Value) > plugv1.MaxCursorBytes {
			return nil, 0, fmt.Errorf("its cursor has %d bytes, %d are allowed", len(c.Value), plugv1.MaxCursorBytes)
		}
		size += len(c.Scope) + len(c.Value)
		cursors = append(cursors, &plugv1.Cursor{Scope: c.Scope, Value: bytes.Clone(c.Value)})
	}
	if size > plugv1.MaxEventBytes {
		return nil, 0, fmt.Errorf("its cursors have %d bytes together, %d are allowed", size, plugv1.MaxEventBytes)
	}
	return cursors, size, nil
}
