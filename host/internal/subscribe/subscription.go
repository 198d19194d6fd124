package subscribe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
)

// savePassed is how often the place in channels that are not wanted is saved.
const savePassed = 10 * time.Second

// Errors of subscriptions.
var (
	ErrInUse    = errors.New("another client uses this subscription")
	ErrToken    = errors.New("it was given before the subscription was opened last; what it stands for is given again")
	ErrClosed   = errors.New("the subscription is closed")
	ErrNotKnown = errors.New("there is no such subscription")
)

// Subscription is one open subscription.
type Subscription struct {
	*queue
	stage   *Stage
	name    id.HookName // empty: not durable
	filter  string
	resumed bool
	token   string // of this opening
	log     hclog.Logger

	cancel context.CancelFunc
	ended  chan struct{} // closed when the feed has ended
	err    error         // why, valid then; nil if it was closed

	saving sync.Mutex // places are saved one after another

	// Guarded by stage.mu.
	inUse bool
	idle  *time.Timer // closes a durable one that nobody uses

	// Of whoever has claimed the name.
	touched time.Time

	// Of the reader.
	read uint64 // number of the last entry that it was given
}

// Resumed tells whether the subscription was known to the journal.
func (s *Subscription) Resumed() bool { return s.resumed }

// Durable tells whether it has a name.
func (s *Subscription) Durable() bool { return s.name != "" }

// Next gives the next entries, at most limit of them, when there is one. What a
// subscription without a name has been given counts as acknowledged. It is called
// by one goroutine at a time. Its error is the context's, or says why the
// subscription has ended.
func (s *Subscription) Next(ctx context.Context, limit int) ([]*Entry, error) {
	if !s.Durable() {
		s.acknowledge(s.read)
	}
	entries, err := s.queue.read(ctx, s.ended, s.read, limit)
	if err != nil {
		if err == ErrClosed && s.err != nil {
			err = fmt.Errorf("%w: %w", ErrClosed, s.err)
		}
		return nil, err
	}
	s.read = entries[len(entries)-1].Number
	return entries, nil
}

// Token is what acknowledges an entry and all before it.
func (s *Subscription) Token(e *Entry) string {
	return s.token + "-" + strconv.FormatUint(e.Number, 10)
}

// Acknowledge says that everything up to a token is dealt with. It returns when
// that is durable.
func (s *Subscription) Acknowledge(ctx context.Context, token string) error {
	of, number, ok := strings.Cut(token, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || of != s.token {
		return ErrToken
	}
	s.acknowledge(n)
	return s.save(ctx)
}

// save stores how far the subscription has come.
func (s *Subscription) save(ctx context.Context) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	if left, err := s.stage.Journal.SaveDone(ctx, s.name, s.places()); err != nil {
		s.keep(left)
		return fmt.Errorf("save the place of subscription %s: %w", s.name, err)
	}
	return nil
}

// run runs the feed until ctx ends.
func (s *Subscription) run(ctx context.Context, feed Feed) {
	defer close(s.ended)
	var saves sync.WaitGroup
	if s.Durable() {
		saves.Go(func() {
			tick := time.NewTicker(savePassed)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				if err := s.save(ctx); err != nil && ctx.Err() == nil {
					s.log.Warn("the place of a subscription could not be saved; tried again later", "subscription", s.name, "error", err)
				}
			}
		})
	}
	if err := feed.Run(ctx); ctx.Err() == nil {
		s.err = err
		s.cancel()
	}
	saves.Wait()
}

// Close ends the reader's use. A durable subscription stays open for a minute, so
// that the next reader goes on without delay; what was not acknowledged is given
// again.
func (s *Subscription) Close() { s.stage.release(s) }

func newToken() string { return strings.ToLower(rand.Text()[:13]) }

var _ interface {
	Wants(id.Channel) bool
	Take(context.Context, *hook.Delivery) error
	Passed(id.Channel, id.Sequence)
} = (*queue)(nil)
