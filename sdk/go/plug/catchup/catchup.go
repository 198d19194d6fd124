// Package catchup joins what a network keeps and what it says now into one stream of
// a channel's events: in order, none twice, none left out.
//
//   - Takes pages of an archive, oldest first, and live items as they come, both of one
//     scope. Gives the queue each event once with the cursor after it, and says that
//     the scope is caught up.
//   - Order: the archive's, then that of the live items; a live item is held back until
//     the archive has reached it. A cursor is queued with its event or after it, so it
//     is never ahead.
//   - Bounds: 1,024 held live items. What comes beyond is forgotten, with those held, and
//     read from the archive instead: the network's reader never waits for the archive,
//     which often comes by the same connection. Of the archive it remembers the last
//     16,384 keys until live items are past them.
//   - Stops when Run's context ends, or when it has caught up; there is nothing else to
//     stop.
//
// It relies on one order of all messages of a scope, which archive and live items both
// keep. Live items must begin before the first page is asked for; a page that is
// the last must reach at least to the time at which they began. What the archive does
// not keep (typing, say) goes to the queue without a Joiner.
//
// An author makes a Joiner for each scope and each connection, in Receive:
//
//	j := catchup.New(q, room)
//	handle := func(m message) error { return j.Live(ctx, item(m)) } // by the reader
//	err := j.Run(ctx, cursors[room], func(ctx context.Context, after []byte) (catchup.Page, error) {
//		return p.archive(ctx, room, after)
//	})
package catchup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

const (
	// maxHeld bounds the live items that wait.
	maxHeld = 1024
	// maxSeen bounds the keys of archived items that may still come live.
	maxSeen = 16384
	// retryPause is the time between two looks for a live item that the archive does
	// not have yet, and maxRetries how often it looks: archives lag by seconds.
	retryPause = time.Second
	maxRetries = 30
)

// Queue is what a Joiner needs of plug.Queue.
type Queue interface {
	Event(ctx context.Context, e *plugv1.Event, after ...plug.Cursor) error
	Cursor(ctx context.Context, c plug.Cursor) error
	CaughtUp(ctx context.Context, scope string) error
	Gap(ctx context.Context, g *plugv1.Gap) error
}

// Item is one thing that happened, as archive or network tell it.
type Item struct {
	// Key names the thing, the same in the archive and live. Where it is empty it is the
	// event's EventId, or else its MessageId.
	Key string
	// Event is what goes to the queue; nil for what makes no event.
	Event *plugv1.Event
	// Cursor is where the archive would go on after it; empty if that is not known.
	Cursor []byte
}

// Page is a piece of an archive.
type Page struct {
	// Items of the page, oldest first.
	Items []Item
	// Next is where the following page begins; empty: at the last item's cursor.
	Next []byte
	// Last is true if the archive had nothing after this page.
	Last bool
}

// Fetch gives the page of the archive that begins after a cursor or a Page.Next.
type Fetch func(ctx context.Context, after []byte) (Page, error)

// Joiner joins one scope's archive and live items, over one connection. Live may be
// called while Run runs.
type Joiner struct {
	queue   Queue
	scope   string
	maxHeld int

	mu     sync.Mutex
	state  state
	held   []Item        // live, in order; bound: maxHeld
	must   string        // key of the newest live item that was forgotten: the archive must reach it
	seen   seen          // what the archive gave and live items may give again
	room   chan struct{} // closed when held got room, while draining
	failed error         // why Run has ended before it had caught up
}

type state int

const (
	reading  state = iota // the archive is read: live items are held, or forgotten
	draining              // the archive is done: held items go out, and are waited for
	live                  // live items go straight to the queue
)

// ErrNotRunning is what Live answers after Run has ended with an error.
var ErrNotRunning = errors.New("the catch-up has failed")

// New makes the Joiner of a scope: a channel's source, or "" for the whole plug.
func New(q Queue, scope string) *Joiner {
	return &Joiner{queue: q, scope: scope, maxHeld: maxHeld, room: make(chan struct{})}
}

// Live takes what the network says now. One caller at a time, in the network's order.
// It returns at once while the archive is read, after that when the item is queued.
func (j *Joiner) Live(ctx context.Context, i Item) error {
	if i.key() == "" {
		return errors.New("a live item has no key")
	}
	for {
		j.mu.Lock()
		switch {
		case j.failed != nil:
			j.mu.Unlock()
			return fmt.Errorf("%w: %w", ErrNotRunning, j.failed)
		case j.state == live:
			known := j.seen.passes(i.key())
			j.mu.Unlock()
			if known {
				return nil
			}
			return j.emit(ctx, i)
		case j.state == reading && j.seen.has(i.key()):
			// The archive is ahead: it gave this item and all that came live before it.
			j.held, j.must = nil, ""
			j.mu.Unlock()
			return nil
		case len(j.held) < j.maxHeld:
			j.held = append(j.held, i)
			j.mu.Unlock()
			return nil
		case j.state == reading:
			// All of it is in the archive, or will be: it is read up to this item.
			j.held, j.must = nil, i.key()
			j.mu.Unlock()
			return nil
		}
		room := j.room
		j.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Run reads the archive from a cursor to the present, then lets the live items go, and
// says that the scope is caught up. Without a cursor it reads nothing: the scope starts
// now. It is called once; after it has returned nil, live items go straight to the
// queue.
//
// An error is the archive's, the queue's or ctx's. The Joiner is then done for: the
// author makes a new one, with the last cursor, for the next connection.
func (j *Joiner) Run(ctx context.Context, cursor []byte, fetch Fetch) error {
	err := j.run(ctx, cursor, fetch)
	if err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.failed, j.held = err, nil
		close(j.room)
	}
	return err
}

func (j *Joiner) run(ctx context.Context, cursor []byte, fetch Fetch) error {
	if len(cursor) > 0 {
		if err := j.read(ctx, cursor, fetch); err != nil {
			return err
		}
	} else if err := j.startsNow(ctx); err != nil {
		return err
	}
	for said := false; ; {
		i, ok := j.nextHeld(said)
		switch {
		case ok:
			if err := j.emit(ctx, i); err != nil {
				return err
			}
		case said:
			return nil
		default:
			said = true
			if err := j.queue.CaughtUp(ctx, j.scope); err != nil {
				return err
			}
		}
	}
}

// read queues the archive, from a cursor until there is no more of it and it has
// reached what was forgotten.
func (j *Joiner) read(ctx context.Context, after []byte, fetch Fetch) error {
	for tries := 0; ; {
		page, err := fetch(ctx, after)
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		for _, i := range page.Items {
			if i.key() == "" {
				return errors.New("read the archive: an item has no key")
			}
			if j.archived(i.key()) {
				continue
			}
			if err := j.emit(ctx, i); err != nil {
				return err
			}
			tries = 0
			if len(i.Cursor) > 0 {
				after = i.Cursor
			}
		}
		switch moved := len(page.Items) > 0 || len(page.Next) > 0; {
		case !page.Last && !moved:
			return errors.New("read the archive: an empty page is not the last")
		case !page.Last:
			if len(page.Next) > 0 {
				after = page.Next
			}
			continue
		case j.reached():
			return nil
		case tries == maxRetries:
			return j.giveUp(ctx)
		}
		tries++
		if err := sleep(ctx, retryPause); err != nil {
			return err
		}
	}
}

// archived notes that the archive gave an item, and says if it had given it before:
// the last page may be read again.
func (j *Joiner) archived(key string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if key == j.must {
		j.must = ""
	}
	return !j.seen.add(key)
}

// reached says whether all that was forgotten came from the archive; then the live
// items that are held go out next.
func (j *Joiner) reached() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.must != "" {
		return false
	}
	j.state = draining
	return true
}

// giveUp goes on without what the archive should have and doesn't show.
func (j *Joiner) giveUp(ctx context.Context) error {
	j.mu.Lock()
	j.must = ""
	j.state = draining
	j.mu.Unlock()
	return j.queue.Gap(ctx, &plugv1.Gap{Scope: j.scope,
		Reason: "more came at once than could be kept, and the network's archive does not have it"})
}

// startsNow lets everything go that came since there were live items. What was
// forgotten without an archive to read it from is a gap.
func (j *Joiner) startsNow(ctx context.Context) error {
	if j.reached() {
		return nil
	}
	return j.giveUp(ctx)
}

// nextHeld takes the next held item that the archive did not have. With none left,
// live items go straight through if last is set.
func (j *Joiner) nextHeld(last bool) (Item, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer func() {
		close(j.room)
		j.room = make(chan struct{})
	}()
	for len(j.held) > 0 {
		i := j.held[0]
		j.held[0] = Item{}
		j.held = j.held[1:]
		if !j.seen.passes(i.key()) {
			return i, true
		}
	}
	if last {
		j.state, j.held = live, nil
	}
	return Item{}, false
}

func (j *Joiner) emit(ctx context.Context, i Item) error {
	switch {
	case i.Event == nil && len(i.Cursor) == 0:
		return nil
	case i.Event == nil:
		return j.queue.Cursor(ctx, plug.Cursor{Scope: j.scope, Value: i.Cursor})
	case len(i.Cursor) == 0:
		return j.queue.Event(ctx, i.Event)
	}
	return j.queue.Event(ctx, i.Event, plug.Cursor{Scope: j.scope, Value: i.Cursor})
}

func (i Item) key() string {
	switch {
	case i.Key != "":
		return i.Key
	case i.Event.GetEventId() != "":
		return i.Event.GetEventId()
	}
	return i.Event.GetMessageId()
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
