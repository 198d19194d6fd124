package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/plughost/plughost/host/id"
)

// What a Follow reads ahead: at most two requests of this size are on their way
// or wait in memory.
const (
	readAheadRecords = 512
	readAheadBytes   = 4 << 20
)

// A feed whose server has been silent for twice feedHeartbeat is broken: so one
// finds out that the server has removed the consumer, as it does when nothing
// was asked of it for feedIdle, because yield took so long. Making a new one is
// tried feedTries times.
const (
	feedHeartbeat = 2 * time.Second
	feedIdle      = 5 * time.Minute
	feedPause     = 100 * time.Millisecond
	feedTries     = 10
)

// errFeedBroke says that a consumer must be made anew: it missed a heartbeat,
// was removed, or may have left out a record.
var errFeedBroke = errors.New("the feed broke")

// Follow implements Store. The filters must not overlap. After Close it returns
// ErrClosed.
func (s *jetStream) Follow(ctx context.Context, from id.Sequence, yield func(Record) error, filters ...string) error {
	if err := checkFilters(filters...); err != nil {
		return err
	}
	next := max(from, 1)
	var refused error
	take := func(r Record) error {
		refused = yield(r)
		return refused
	}
	for tries := 1; ; tries++ {
		err := s.feed(ctx, &next, take, filters)
		switch {
		case refused != nil:
			return refused
		case ctx.Err() != nil:
			return ctx.Err()
		case s.isClosed():
			return ErrClosed
		case errors.Is(err, errFeedBroke):
			tries = 0
		case tries == feedTries:
			return fmt.Errorf("read the journal: %w", err)
		}
		s.logger.Warn("reading on after a break", "from", next, "error", err)
		pause(ctx, feedPause)
	}
}

// feed yields records from *next on, and moves it on, until something fails. It
// uses a consumer in the server's memory that keeps no acknowledgements: they
// are lost by a crash, and our progress is records of its own.
func (s *jetStream) feed(ctx context.Context, next *id.Sequence, yield func(Record) error, filters []string) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	defer context.AfterFunc(s.connection(), func() { fail(errors.New("the connection was lost")) })()
	making, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	consumer, err := s.js.CreateConsumer(making, logStream, jetstream.ConsumerConfig{
		FilterSubjects:    filters,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       uint64(*next),
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		InactiveThreshold: feedIdle,
	})
	if err != nil {
		return err
	}
	defer s.removeConsumer(ctx, consumer.CachedInfo().Name)
	// Not by consumer.Messages: it has room for just the records asked for, and
	// drops one when the server adds a word on how the request went.
	messages := make(chan jetstream.Msg)
	consuming, err := consumer.Consume(
		func(m jetstream.Msg) {
			select {
			case messages <- m:
			case <-ctx.Done():
			}
		},
		jetstream.PullMaxMessagesWithBytesLimit(readAheadRecords, readAheadBytes),
		jetstream.PullHeartbeat(feedHeartbeat),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { fail(err) }))
	if err != nil {
		return err
	}
	defer consuming.Stop()
	for delivered := uint64(1); ; delivered++ {
		var m jetstream.Msg
		select {
		case m = <-messages:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errFeedBroke, context.Cause(ctx))
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("%w: %w", errFeedBroke, err)
		}
		if meta.Sequence.Consumer != delivered {
			return fmt.Errorf("%w: delivery %d came as number %d", errFeedBroke, delivered, meta.Sequence.Consumer)
		}
		sequence := id.Sequence(meta.Sequence.Stream)
		*next = sequence + 1
		if err := yield(Record{Subject: m.Subject(), Sequence: sequence, Time: meta.Timestamp, Data: m.Data()}); err != nil {
			return err
		}
	}
}

// removeConsumer spares the server the wait until it sees that nobody reads.
func (s *jetStream) removeConsumer(ctx context.Context, name string) {
	if !s.enter() {
		return
	}
	defer s.leave()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
	defer cancel()
	if err := s.js.DeleteConsumer(ctx, logStream, name); err != nil {
		s.logger.Debug("a consumer was not removed", "name", name, "error", err)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
