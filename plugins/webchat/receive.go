package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/plughost/plughost/plugins/webchat/internal/presence"
	"github.com/plughost/plughost/plugins/webchat/internal/room"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// batch is how many changes are read at once.
const batch = 200

// Receive gives the host everything after its cursors, for as long as the plug
// runs. First it catches up, room by room; then it follows all rooms from where the
// catching up ended, so that a room's live messages come after its old ones, and
// none twice.
func (w *webchat) Receive(ctx context.Context, q *plug.Queue, cursors plug.Cursors) error {
	end, err := w.store.End(ctx)
	if err != nil {
		return err
	}
	for _, name := range w.rooms {
		from, err := begin(ctx, q, cursors, name, end)
		if err != nil {
			return err
		}
		if err := w.catchUp(ctx, q, name, from, end); err != nil {
			return err
		}
		// The host waits for this before it tries again what may have been sent:
		// its echo would have come by now.
		if err := q.CaughtUp(ctx, name); err != nil {
			return err
		}
	}
	return w.follow(ctx, q, end)
}

// begin says from which row a room goes on. A room without a cursor begins now, and
// gets that as a cursor at once: were the plug killed before the first message,
// "now" would be later the next time.
func begin(ctx context.Context, q *plug.Queue, cursors plug.Cursors, name string, end int64) (int64, error) {
	value, known := cursors[name]
	if row, err := parseCursor(value); known && err == nil && row <= end {
		return row, nil
	}
	if known {
		// A history that ends before the cursor is not the one that the cursor was
		// made in. To go on in silence would hide that messages are missing.
		if err := q.Gap(ctx, &plugv1.Gap{Scope: name, Reason: fmt.Sprintf("the chat's history has no row %q", value)}); err != nil {
			return 0, err
		}
	}
	return end, q.Cursor(ctx, cursor(name, end))
}

// catchUp queues what a room has after a row and up to end.
func (w *webchat) catchUp(ctx context.Context, q *plug.Queue, name string, row, end int64) error {
	for {
		changes, err := w.store.SinceIn(ctx, name, row, batch)
		if err != nil {
			return err
		}
		for _, c := range changes {
			if c.Row > end {
				return nil
			}
			if err := w.queue(ctx, q, c); err != nil {
				return err
			}
			row = c.Row
		}
		if len(changes) < batch {
			return nil
		}
	}
}

// follow queues what all rooms have after a row, as it comes, and who is writing.
func (w *webchat) follow(ctx context.Context, q *plug.Queue, row int64) error {
	writers := map[string][]presence.Writer{}
	for {
		changed, typing := w.store.Changed(), w.typing.Changed()
		changes, err := w.store.Since(ctx, row, batch)
		if err != nil {
			return err
		}
		for _, c := range changes {
			row = c.Row
			if !slices.Contains(w.rooms, c.Room) {
				continue // no longer in use
			}
			if err := w.queue(ctx, q, c); err != nil {
				return err
			}
		}
		if len(changes) == batch {
			continue // there may be more
		}
		for _, name := range w.rooms {
			if writers[name], err = w.queueTyping(ctx, q, name, writers[name]); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-typing:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// queue queues one change, and the cursor after it. The queue waits while it is full:
// what the host doesn't take stays in the store, and nobody on the page notices.
func (w *webchat) queue(ctx context.Context, q *plug.Queue, c room.Change) error {
	e, err := w.event(c, inQueue)
	if err != nil {
		return err
	}
	if e == nil { // the cursor of what follows is after it too
		return nil
	}
	return q.Event(ctx, e, cursor(c.Room, c.Row))
}

// queueTyping queues who began to write in a room, who goes on and who stopped, since
// before. It is best effort, and of no use later: it has no cursor.
func (w *webchat) queueTyping(ctx context.Context, q *plug.Queue, name string, before []presence.Writer) (now []presence.Writer, err error) {
	for _, p := range w.typing.Now(name) {
		if p.Origin != room.Page {
			continue // of them the host told us
		}
		now = append(now, p)
		if !slices.Contains(before, p) {
			err = errors.Join(err, q.Event(ctx, plug.NewTyping(name, user(p.Person), true, plugv1.Own_OWN_NO)))
		}
	}
	for _, p := range before {
		if !slices.ContainsFunc(now, func(n presence.Writer) bool { return n.ID == p.ID }) {
			err = errors.Join(err, q.Event(ctx, plug.NewTyping(name, user(p.Person), false, plugv1.Own_OWN_NO)))
		}
	}
	return now, err
}
