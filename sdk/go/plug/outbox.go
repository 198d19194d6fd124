package plug

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Bounds of memory. What is kept has its own, so that a host that is slow to
// acknowledge does not shrink the queue.
const (
	maxQueued      = 1024
	maxQueuedBytes = 4 << 20
	maxKept        = 16384
	maxKeptBytes   = 8 << 20

	// headRoom multiplies the queue's bounds while a Put runs. Where a network
	// tells a message's id only in the echo, the Put waits for the reader, and the
	// reader for room in the queue. So the reader may fill a second queue's worth
	// while a Put runs, and a Put may begin only while the first is not full: once
	// the second is in use no new Put adds to the waiting, and the running ones end
	// by their deadlines at the latest. It does not grow with the number of Puts
	// because all of them read the same network: the last echo's place in it counts,
	// not how many there are.
	headRoom = 2

	// entryOverhead stands for what an entry costs beside its content.
	entryOverhead = 64
)

// entry is one thing that was queued. At most one of event, gap, outcome and
// caughtUp is set; cursors may come alone or with an event.
type entry struct {
	event    *plugv1.Event
	gap      *plugv1.Gap
	outcome  *plugv1.PutOutcome
	caughtUp []string
	cursors  []*plugv1.Cursor
	size     int
	fleeting bool // best effort: dropped rather than waited for, sent once

	// answer is the number of the answer that took it on the stream that is open;
	// 0 if none has. Guarded by the outbox.
	answer uint64
}

// outbox holds what the host has not acknowledged, in the order in which it was
// queued: first the entries kept after sending, then the queue. It outlives streams
// and sessions: what is not acknowledged goes out first on the next stream.
type outbox struct {
	activity atomic.Int64 // when a byte last came from the network, Unix nanoseconds

	mu      sync.Mutex
	queued  fifo              // bound: maxQueued and maxQueuedBytes, times headRoom while a Put runs
	kept    fifo              // bound: maxKept and maxKeptBytes
	resent  int               // kept[:resent] went out on the stream that is open
	epoch   uint64            // counts the streams; an old stream's calls change nothing
	ready   chan struct{}     // holds one: there may be something to send on that stream
	cursors map[string][]byte // the last of each scope; bound: the scopes the author uses

	added, settled uint64    // entries ever queued, ever acknowledged; without fleeting ones
	fleeting       int       // those in queued
	puts           int       // running Puts
	blocked        int       // callers of add that wait
	room, acked    broadcast // the queue got room; settled or puts changed
}

func newOutbox() *outbox {
	return &outbox{ready: make(chan struct{}, 1), cursors: make(map[string][]byte)}
}

// add queues e, and waits while the queue is full: until ctx ends or the session
// has ended.
func (o *outbox) add(ctx context.Context, ended <-chan struct{}, e *entry) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.fits(e.size) {
		if o.dropFleeting() {
			continue
		}
		room := o.room.wait()
		o.blocked++
		o.mu.Unlock()
		var err error
		select {
		case <-room:
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-ended:
			err = ErrStopped
		}
		o.mu.Lock()
		o.blocked--
		if err != nil {
			return err
		}
	}
	o.push(e)
	return nil
}

// addFleeting queues an entry that may be dropped, and drops it if the queue is half
// full. It never blocks.
func (o *outbox) addFleeting(e *entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queued.entries) >= maxQueued/2 || o.queued.bytes+e.size > maxQueuedBytes/2 {
		return
	}
	o.queued.push(e)
	o.fleeting++
	o.wakeSender()
}

// dropFleeting makes room for what may not be dropped, and says whether there was
// anything to drop.
func (o *outbox) dropFleeting() bool {
	if o.fleeting == 0 {
		return false
	}
	o.fleeting = 0
	o.queued.drop(func(e *entry) bool { return e.fleeting })
	return true
}

// addOutcome queues the outcome of a Put, always: there is at most one for each Put,
// and no Put begins while the queue is full.
func (o *outbox) addOutcome(outcome *plugv1.PutOutcome, size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.push(&entry{outcome: outcome, size: size + entryOverhead})
}

func (o *outbox) fits(size int) bool {
	times := 1
	if o.puts > 0 {
		times = headRoom
	}
	return len(o.queued.entries) < maxQueued*times && o.queued.bytes+size <= maxQueuedBytes*times
}

func (o *outbox) push(e *entry) {
	o.queued.push(e)
	o.added++
	for _, c := range e.cursors {
		o.cursors[c.GetScope()] = c.GetValue()
	}
	o.wakeSender()
}

func (o *outbox) wakeSender() {
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// beginPut counts a running Put, unless the queue is full: then nothing may be
// sent whose echo the reader could not bring in.
func (o *outbox) beginPut() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.blocked > 0 || len(o.queued.entries) >= maxQueued || o.queued.bytes >= maxQueuedBytes {
		return false
	}
	o.puts++
	return true
}

func (o *outbox) endPut() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.puts--
	o.acked.wake()
}

// putsEnded waits until no Put runs.
func (o *outbox) putsEnded(ctx context.Context) error {
	return o.until(ctx, func() bool { return o.puts == 0 })
}

// flushed waits until everything queued before the call is acknowledged.
func (o *outbox) flushed(ctx context.Context) error {
	o.mu.Lock()
	target := o.added
	o.mu.Unlock()
	return o.until(ctx, func() bool { return o.settled >= target })
}

func (o *outbox) until(ctx context.Context, holds func() bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !holds() {
		changed := o.acked.wait()
		o.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		o.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

// pending is how many entries are not acknowledged.
func (o *outbox) pending() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.added - o.settled
}

// startOver forgets the cursors, unless entries before them are still to be
// acknowledged: then they are newer than the host's.
func (o *outbox) startOver() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.added == o.settled {
		clear(o.cursors)
	}
}

// forgetCursor forgets the cursor of a scope, also where it was queued and not yet
// sent: the host has forgotten it too.
func (o *outbox) forgetCursor(scope string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.cursors, scope)
	for _, e := range o.queued.entries { // no stream has seen them yet
		e.cursors = slices.DeleteFunc(e.cursors, func(c *plugv1.Cursor) bool { return c.GetScope() == scope })
	}
}

// lastCursors gives a copy of the last cursor of each scope.
func (o *outbox) lastCursors() Cursors {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.cursors)
}

// open begins a stream, on which everything kept goes out again; it ends what an
// earlier stream may do. Of each scope the newest cursor counts: the host's, unless
// one was queued since this process began.
func (o *outbox) open(cursors []*plugv1.Cursor) (epoch uint64, ready <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range cursors {
		if _, ok := o.cursors[c.GetScope()]; !ok {
			o.cursors[c.GetScope()] = c.GetValue()
		}
	}
	for _, e := range o.kept.entries {
		e.answer = 0
	}
	o.resent = 0
	o.dropFleeting() // nobody is still writing after the time without a stream
	o.epoch++
	o.ready = make(chan struct{}, 1)
	return o.epoch, o.ready
}

// next takes the entries of a stream's next answer: at most 64 entries or 64 KiB.
// None: there is nothing to send, or what is kept is at its bound until the host
// acknowledges.
func (o *outbox) next(epoch, answer uint64) []*entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	if epoch != o.epoch {
		return nil
	}
	var batch []*entry
	bytes := 0
	for len(batch) < plugv1.MaxBatchEvents {
		e, again := o.peek()
		if e == nil || (len(batch) > 0 && bytes+e.size > plugv1.MaxBatchBytes) {
			break
		}
		if !again {
			o.queued.pop(1)
			o.room.wake()
		}
		if e.fleeting {
			o.fleeting--
		} else {
			if !again {
				o.kept.push(e)
			}
			o.resent++
			e.answer = answer
		}
		batch = append(batch, e)
		bytes += e.size
	}
	return batch
}

// peek gives the next entry to send and whether it is kept already.
func (o *outbox) peek() (e *entry, again bool) {
	if o.resent < len(o.kept.entries) {
		return o.kept.entries[o.resent], true
	}
	if len(o.queued.entries) == 0 || len(o.kept.entries) >= maxKept {
		return nil, false
	}
	e = o.queued.entries[0]
	if o.kept.bytes+e.size > maxKeptBytes {
		return nil, false
	}
	return e, false
}

// ack forgets the entries of a stream's answers up to the one given.
func (o *outbox) ack(epoch, through uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if epoch != o.epoch {
		return
	}
	n := 0
	for n < o.resent && o.kept.entries[n].answer <= through {
		n++
	}
	if n == 0 {
		return
	}
	o.kept.pop(n)
	o.resent -= n
	o.settled += uint64(n)
	o.acked.wake()
	o.wakeSender()
}

// active notes that a byte came from the network.
func (o *outbox) active() { o.activity.Store(time.Now().UnixNano()) }

func (o *outbox) lastActivity() *timestamppb.Timestamp {
	if at := o.activity.Load(); at != 0 {
		return timestamppb.New(time.Unix(0, at))
	}
	return nil
}
