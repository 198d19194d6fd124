package plug

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/protobuf/proto"
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
// A message needs Channel and MessageId. EventId is derived where it is empty: for
// a message from its id, so that it is the same on replay; for other kinds at
// random. Time is now where it is absent. An event over the contract's sizes
// (256 KiB, ids of 512 bytes) or with invalid UTF-8 is an error.
func (q *Queue) Event(ctx context.Context, e *plugv1.Event, after ...Cursor) error {
	if e == nil {
		return errors.New("queue an event: it is nil")
	}
	if e.GetEventId() == "" {
		e.EventId = eventID(e)
	}
	if e.GetTime() == nil {
		e.Time = timestamppb.Now()
	}
	if err := checkEvent(e); err != nil {
		return fmt.Errorf("queue an event: %w", err)
	}
	size, err := checkedSize(e)
	if err != nil {
		return fmt.Errorf("queue an event: %w", err)
	}
	cursors, cursorBytes, err := checkCursors(after)
	if err != nil {
		return fmt.Errorf("queue an event: %w", err)
	}
	q.out.active()
	return q.add(ctx, &entry{event: e, cursors: cursors, size: size + cursorBytes})
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
	if err := checkID("scope", scope); err != nil {
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
	if err := checkID("scope", g.GetScope()); err != nil {
		return fmt.Errorf("queue a gap: %w", err)
	}
	if g.GetUntil() == nil {
		g.Until = timestamppb.Now()
	}
	size, err := checkedSize(g)
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

// eventID derives the id of an event that has none. The kind is part of it, since
// one message has events of several kinds; an id too long for that is hashed.
func eventID(e *plugv1.Event) string {
	if e.GetMessage() == nil {
		return "random:" + rand.Text()
	}
	id := "message:" + e.GetMessageId()
	if len(id) > plugv1.MaxIDBytes {
		sum := sha256.Sum256([]byte(e.GetMessageId()))
		id = "message-sha256:" + hex.EncodeToString(sum[:])
	}
	return id
}

func checkEvent(e *plugv1.Event) error {
	if e.GetChannel() == "" {
		return errors.New("it has no channel: a network without channels uses one constant source")
	}
	if e.GetMessage() != nil && e.GetMessageId() == "" {
		return errors.New("a message needs a message id")
	}
	for _, id := range [...]struct{ name, value string }{
		{"channel", e.GetChannel()}, {"message id", e.GetMessageId()}, {"event id", e.GetEventId()},
		{"operation id", e.GetOperationId()}, {"author's id", e.GetAuthor().GetId()}, {"actor's id", e.GetActor().GetId()},
	} {
		if err := checkID(id.name, id.value); err != nil {
			return err
		}
	}
	for _, alias := range e.GetAliases() {
		if err := checkID("alias", alias); err != nil {
			return err
		}
	}
	return checkReference(e.GetReference())
}

func checkReference(reference []byte) error {
	if len(reference) > plugv1.MaxReferenceBytes {
		return fmt.Errorf("its reference has %d bytes, %d are allowed", len(reference), plugv1.MaxReferenceBytes)
	}
	return nil
}

func checkID(name, id string) error {
	if len(id) > plugv1.MaxIDBytes {
		return fmt.Errorf("its %s has %d bytes, %d are allowed", name, len(id), plugv1.MaxIDBytes)
	}
	if !utf8.ValidString(id) {
		return fmt.Errorf("its %s is not valid UTF-8: %q", name, id)
	}
	return nil
}

func checkCursors(list []Cursor) (cursors []*plugv1.Cursor, size int, err error) {
	for _, c := range list {
		if err := checkID("cursor's scope", c.Scope); err != nil {
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

// checkedSize is the size of m on the wire, or why it can't go there. It encodes m,
// which is the one way to find a string of invalid UTF-8 wherever it stands.
func checkedSize(m proto.Message) (int, error) {
	b, err := proto.Marshal(m)
	if err != nil {
		return 0, fmt.Errorf("encode it: %w", err)
	}
	if len(b) > plugv1.MaxEventBytes {
		return 0, fmt.Errorf("it has %d bytes, %d are allowed", len(b), plugv1.MaxEventBytes)
	}
	return len(b), nil
}
