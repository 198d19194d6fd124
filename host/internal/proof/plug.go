package proof

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// maxQueued bounds a plug's queue, and twice that while a Put runs, as in the
// SDK, only smaller.
const maxQueued = 4

var (
	errDead   = errors.New("the plug's process has ended")
	errSever  = errors.New("the connection broke")
	errClosed = errors.New("the stream was closed")
)

// process is one process of a plug: from its start to its death.
type process struct {
	net    *network
	run    *run
	number int // counts the processes of all plugs
	tasks  sync.WaitGroup
	dead   chan struct{}

	mu       sync.Mutex
	died     bool
	changed  chan struct{} // closed at every change
	queued   []*item       // bound: maxQueued, twice that while a Put runs
	kept     []*item       // sent and not acknowledged
	puts     int           // RPCs that run
	stopping bool
	picking  bool
	emit     func(*item) bool // queues what is heard; it tells whether the process lives
	onCut    func()           // ends a stream that is not this process's own
	began    time.Time
	start    map[id.ChannelSource]int              // length of each log when the process was started
	asked    map[id.ChannelSource]id.ChannelSource // under which source it was asked for each
	places   map[id.ChannelSource]int              // in each log, that was heard last
	deaf     map[id.ChannelSource]bool
	stream   *stream
}

// item is one thing in the queue.
type item struct {
	entry    *entry
	cursor   *plugv1.Cursor
	caughtUp *id.ChannelSource
	outcome  *plugv1.PutOutcome
	gap      *plugv1.Gap
	answer   uint64 // on the stream that is open; 0: none
}

func newProcess(n *network, number int) *process {
	p := &process{net: n, run: n.run, number: number, began: time.Now(), dead: make(chan struct{}), changed: make(chan struct{}),
		deaf: map[id.ChannelSource]bool{}, asked: map[id.ChannelSource]id.ChannelSource{}, start: map[id.ChannelSource]int{}, places: map[id.ChannelSource]int{}}
	p.emit = p.add
	for _, l := range n.logs() { // it hears from now, but for what a cursor says
		p.start[l.source] = n.length(l)
	}
	return p
}

// change is called with the lock held.
func (p *process) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// update changes something and wakes whoever waits.
func (p *process) update(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	p.change()
}

// die ends the process, whatever it is doing.
func (p *process) die() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.died {
		p.died = true
		close(p.dead)
		p.change()
	}
}

// pause waits, unless the process dies before; it tells whether it lives.
func (p *process) pause(d time.Duration) bool {
	if d <= 0 {
		select {
		case <-p.dead:
			return false
		default:
			return true
		}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.dead:
		return false
	case <-t.C:
		return true
	}
}

// add queues something, and waits while the queue is full; it tells whether the
// process lives.
func (p *process) add(i *item) bool {
	for first := true; ; first = false {
		p.mu.Lock()
		room := maxQueued
		if p.puts > 0 {
			room *= 2
		}
		if p.died || len(p.queued) < room || i.outcome != nil {
			p.queued = append(p.queued, i)
			p.change()
			lives := !p.died
			p.mu.Unlock()
			return lives
		}
		changed := p.changed
		p.mu.Unlock()
		if first {
			p.run.count(BlockedQueue)
		}
		select {
		case <-changed:
		case <-p.dead:
		}
	}
}

// repeat emits the last event of a channel again.
func (p *process) repeat(s id.ChannelSource) {
	n := p.net
	n.mu.Lock()
	l := n.rooms[s]
	n.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.kept) - 1; i >= 0; i-- {
		if e := p.kept[i].entry; e != nil && homeOf(id.ChannelSource(e.event.Channel)) == l.source {
			p.queued = append(p.queued, &item{entry: e})
			p.change()
			return
		}
	}
}

// stream is one call of StreamMessages.
type stream struct {
	process *process
	ended   chan struct{}
	once    sync.Once
	number  uint64
}

// open opens the stream: what was not acknowledged comes first.
func (p *process) open(cursors []*plugv1.Cursor) (*stream, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.died {
		return nil, errDead
	}
	if p.stream != nil {
		p.stream.close()
	}
	s := &stream{process: p, ended: make(chan struct{})}
	p.stream = s
	if !p.net.Resumable {
		p.run.witness.saidAll(p, "")
	}
	for _, i := range p.kept {
		i.answer = 0
	}
	if !p.picking {
		p.picking = true
		p.tasks.Go(func() { p.pickUp(cursors) })
	}
	return s, nil
}

func (s *stream) close() { s.once.Do(func() { close(s.ended) }) }

// next blocks for the next answer.
func (s *stream) next(ctx context.Context) (*plugv1.StreamMessagesResponse, error) {
	p := s.process
	for {
		p.mu.Lock()
		select {
		case <-s.ended:
			p.mu.Unlock()
			return nil, errClosed
		default:
		}
		if p.died {
			p.mu.Unlock()
			return nil, errDead
		}
		if batch := s.batch(); len(batch) > 0 {
			answer := s.answer(batch)
			p.change()
			p.mu.Unlock()
			return answer, nil
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-s.ended:
		case <-p.dead:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// batch takes the items of the next answer.
func (s *stream) batch() []*item {
	p := s.process
	var batch []*item
	most := 1 + p.run.random(6)
	for _, i := range p.kept {
		if i.answer == 0 && len(batch) < most {
			batch = append(batch, i)
		}
	}
	for len(batch) < most && len(p.queued) > 0 {
		batch = append(batch, p.queued[0])
		p.kept = append(p.kept, p.queued[0])
		p.queued = p.queued[1:]
	}
	return batch
}

func (s *stream) answer(batch []*item) *plugv1.StreamMessagesResponse {
	s.number++
	answer := &plugv1.StreamMessagesResponse{Sequence: s.number}
	last := map[string]int{}
	for _, i := range batch {
		i.answer = s.number
		if i.entry != nil {
			answer.Events = append(answer.Events, i.entry.event)
		}
		if i.caughtUp != nil {
			answer.CaughtUp = append(answer.CaughtUp, string(*i.caughtUp))
			s.process.run.witness.saidAll(s.process, *i.caughtUp)
		}
		if i.outcome != nil {
			answer.Outcomes = append(answer.Outcomes, i.outcome)
		}
		if i.gap != nil {
			answer.Gaps = append(answer.Gaps, i.gap)
		}
		if c := i.cursor; c != nil {
			if at, ok := last[c.Scope]; ok {
				answer.Cursors[at] = c
			} else {
				last[c.Scope] = len(answer.Cursors)
				answer.Cursors = append(answer.Cursors, c)
			}
		}
	}
	return answer
}

// ack forgets what is acknowledged. The witness is shown it: by now it must be in
// the journal.
func (s *stream) ack(through uint64) {
	p := s.process
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream != s || p.died {
		return
	}
	n := 0
	for n < len(p.kept) && p.kept[n].answer != 0 && p.kept[n].answer <= through {
		n++
	}
	p.run.witness.acknowledged(p.net, p.kept[:n])
	p.kept = p.kept[n:]
	p.change()
}

// cut ends the stream.
func (p *process) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream != nil {
		p.stream.close()
	}
	if p.onCut != nil {
		p.onCut()
	}
}

// finish is the plug's Stop: it hears no more, and says what is left.
func (p *process) finish(ctx context.Context) {
	p.update(func() { p.stopping = true })
	ctx, cancel := context.WithTimeout(ctx, quiesce)
	defer cancel()
	for {
		p.mu.Lock()
		changed, left := p.changed, len(p.queued)+len(p.kept)
		p.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-changed:
		case <-p.dead:
			return
		case <-ctx.Done():
			return
		}
	}
}

// idle tells whether the process has heard all and has nothing left to say.
func (p *process) idle() bool {
	logs := p.net.logs()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range logs {
		if place, heard := p.places[l.source]; !heard || place < p.net.length(l) {
			return false
		}
	}
	return !p.died && len(p.queued) == 0 && len(p.kept) == 0
}
