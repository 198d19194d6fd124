package main

import (
	"context"
	"fmt"
	"slices"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// batch is how many messages are read at once.
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
		messages, err := w.store.SinceIn(ctx, name, row, batch)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Row > end {
				return nil
			}
			if err := q.Event(ctx, event(m), cursor(name, m.Row)); err != nil {
				return err
			}
			row = m.Row
		}
		if len(messages) < batch {
			return nil
		}
	}
}

// follow queues what all rooms have after a row, as it comes.
func (w *webchat) follow(ctx context.Context, q *plug.Queue, row int64) error {
	for {
		changed := w.store.Changed()
		messages, err := w.store.Since(ctx, row, batch)
		if err != nil {
			return err
		}
		for _, m := range messages {
			row = m.Row
			if !slices.Contains(w.rooms, m.Room) {
				continue // no longer in use
			}
			// The queue waits while it is full: what the host doesn't take stays in
			// the store, and nobody on the page notices.
			if err := q.Event(ctx, event(m), cursor(m.Room, m.Row)); err != nil {
				return err
			}
		}
		if len(messages) == batch {
			continue // there may be more
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
