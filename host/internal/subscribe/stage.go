package subscribe

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
)

// idleTime is how long a durable subscription stays open without a reader.
const idleTime = time.Minute

// touchEvery is how often the journal is told that a subscription is still wanted.
const touchEvery = time.Hour

// Journal is where the places of durable subscriptions are stored.
type Journal interface {
	Touch(ctx context.Context, h id.HookName) (known bool, err error)
	SaveDone(ctx context.Context, h id.HookName, done map[id.Channel]id.Sequence) (left map[id.Channel]id.Sequence, err error)
	Forget(ctx context.Context, h id.HookName) error
}

// Feed yields events to the queue that it was made for.
type Feed interface {
	Run(ctx context.Context) error
}

// Taker is what a feed yields to: see package drain.
type Taker = *queue

// Options of a stage.
type Options struct {
	Journal Journal
	// OpenFeed makes the feed of a registered name, or without one of all from a
	// sequence on.
	OpenFeed func(ctx context.Context, name id.HookName, from id.Sequence, t Taker) (Feed, error)
	// Outcome looks up what became of an operation; nil if that is not known.
	Outcome func(ctx context.Context, c id.Channel, op id.OperationID) *Outcome
	Logger  hclog.Logger
}

// Stage knows the open subscriptions. Safe for concurrent use.
type Stage struct {
	Options

	mu     sync.Mutex
	open   map[*Subscription]bool
	named  map[id.HookName]*Subscription
	busy   map[id.HookName]bool // being opened or forgotten
	closed bool
}

// New makes a stage.
func New(o Options) *Stage {
	return &Stage{Options: o, open: map[*Subscription]bool{}, named: map[id.HookName]*Subscription{}, busy: map[id.HookName]bool{}}
}

// Request says what is subscribed to.
type Request struct {
	// Name under which the journal keeps the place; empty: it doesn't.
	Name id.HookName
	// From is where one without a name begins; 0: now.
	From id.Sequence
	// Wants tells whether a channel is wanted. Filter is the same as text: a durable
	// subscription that is still open goes on only with the same.
	Wants  func(id.Channel) bool
	Filter string
}

// Subscribe opens a subscription, or takes up one that is still open, for one
// reader, who closes it in the end.
func (s *Stage) Subscribe(ctx context.Context, r Request) (*Subscription, error) {
	if r.Name == "" {
		return s.start(ctx, r)
	}
	old, err := s.claim(r.Name)
	if err != nil {
		return nil, err
	}
	defer s.unclaim(r.Name)
	if old != nil {
		select {
		case <-old.ended:
		default:
			if old.filter == r.Filter {
				if time.Since(old.touched) > touchEvery {
					if _, err := s.Journal.Touch(ctx, r.Name); err != nil {
						return nil, err
					}
					old.touched = time.Now()
				}
				s.take(old)
				return old, nil
			}
		}
		s.end(old)
	}
	known, err := s.Journal.Touch(ctx, r.Name)
	if err != nil {
		return nil, fmt.Errorf("register subscription %s: %w", r.Name, err)
	}
	sub, err := s.start(ctx, r)
	if err == nil {
		sub.resumed, sub.touched = known, time.Now()
	}
	return sub, err
}

// claim makes the caller the only one who opens or forgets a name, and returns
// what is open under it.
func (s *Stage) claim(name id.HookName) (*Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.named[name]
	if s.busy[name] || old != nil && old.inUse {
		return nil, ErrInUse
	}
	s.busy[name] = true
	return old, nil
}

func (s *Stage) unclaim(name id.HookName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, name)
}

// take gives an open subscription to a reader: from what is not acknowledged.
func (s *Stage) take(sub *Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub.inUse, sub.read, sub.resumed = true, 0, true
	if sub.idle != nil {
		sub.idle.Stop()
	}
}

func (s *Stage) start(ctx context.Context, r Request) (*Subscription, error) {
	sub := &Subscription{queue: newQueue(r.Wants, s.Outcome), stage: s, name: r.Name, filter: r.Filter, token: newToken(),
		log: s.Logger, ended: make(chan struct{}), inUse: true}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	sub.cancel = cancel
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		cancel()
		return nil, ErrClosed
	}
	// From here outcomes come, so that none is between the feed's beginning and them.
	s.open[sub] = true
	if r.Name != "" {
		s.named[r.Name] = sub
	}
	s.mu.Unlock()
	feed, err := s.OpenFeed(running, r.Name, r.From, sub.queue)
	if err != nil {
		close(sub.ended)
		s.end(sub)
		return nil, fmt.Errorf("open subscription: %w", err)
	}
	go sub.run(running, feed) // end waits for it
	return sub, nil
}

// release ends a reader's use.
func (s *Stage) release(sub *Subscription) {
	if !sub.Durable() {
		s.end(sub)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sub.inUse = false
	if s.open[sub] {
		sub.idle = time.AfterFunc(idleTime, func() {
			if _, err := s.claim(sub.name); err == nil {
				defer s.unclaim(sub.name)
				s.end(sub)
			}
		})
	}
}

// end closes a subscription, and waits for its feed.
func (s *Stage) end(sub *Subscription) {
	sub.cancel()
	<-sub.ended
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sub)
	if s.named[sub.name] == sub {
		delete(s.named, sub.name)
	}
	if sub.idle != nil {
		sub.idle.Stop()
	}
}

// Acknowledge acknowledges what a durable subscription has given, whether its
// reader is still there or not.
func (s *Stage) Acknowledge(ctx context.Context, name id.HookName, token string) error {
	s.mu.Lock()
	sub := s.named[name]
	s.mu.Unlock()
	if sub == nil {
		return ErrToken
	}
	return sub.Acknowledge(ctx, token)
}

// InUse tells whether a reader uses a name.
func (s *Stage) InUse(name id.HookName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.named[name]
	return s.busy[name] || sub != nil && sub.inUse
}

// Forget removes a durable subscription that nobody uses.
func (s *Stage) Forget(ctx context.Context, name id.HookName) error {
	old, err := s.claim(name)
	if err != nil {
		return err
	}
	defer s.unclaim(name)
	if old != nil {
		s.end(old)
	}
	return s.Journal.Forget(ctx, name)
}

// Settled gives every subscription the outcome of an operation. It never blocks.
func (s *Stage) Settled(o *Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.open {
		sub.settled(o)
	}
}

// Close ends all subscriptions, and those to come.
func (s *Stage) Close() {
	s.mu.Lock()
	s.closed = true
	var open []*Subscription
	for sub := range s.open {
		open = append(open, sub)
	}
	s.mu.Unlock()
	for _, sub := range open {
		s.end(sub)
	}
}
