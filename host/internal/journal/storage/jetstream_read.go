package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/plughost/plughost/host/id"
)

// Next implements Store. The server walks over the records that lie between from
// and the one found, some 7 million a second.
func (s *jetStream) Next(ctx context.Context, filter string, from id.Sequence) (Record, error) {
	if err := checkFilters(filter); err != nil {
		return Record{}, err
	}
	if !s.enter() {
		return Record{}, ErrClosed
	}
	defer s.leave()
	return s.next(ctx, filter, from)
}

func (s *jetStream) next(ctx context.Context, filter string, from id.Sequence) (Record, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return record(s.log.GetMsg(ctx, uint64(from), jetstream.WithGetMsgSubject(filter)))
}

// Last implements Store.
func (s *jetStream) Last(ctx context.Context, filter string) ([]Record, error) {
	return s.latest(ctx, s.log, filter)
}

// Get implements Store.
func (s *jetStream) Get(ctx context.Context, filter string) ([]Record, error) {
	return s.latest(ctx, s.copies, filter)
}

func (s *jetStream) latest(ctx context.Context, stream jetstream.Stream, filter string) ([]Record, error) {
	if err := checkFilters(filter); err != nil {
		return nil, err
	}
	if !s.enter() {
		return nil, ErrClosed
	}
	defer s.leave()
	if !Literal(filter) {
		return s.list(ctx, stream.CachedInfo().Config.Name, filter)
	}
	r, err := last(ctx, stream, filter)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []Record{r}, nil
}

func last(ctx context.Context, stream jetstream.Stream, subject string) (Record, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return record(stream.GetLastMsgForSubject(ctx, subject))
}

func record(m *jetstream.RawStreamMsg, err error) (Record, error) {
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Record{}, ErrNotFound
	}
	if err != nil {
		return Record{}, fmt.Errorf("read the journal: %w", err)
	}
	return Record{Subject: m.Subject, Sequence: id.Sequence(m.Sequence), Time: m.Time, Data: m.Data}, nil
}

// End implements Store.
func (s *jetStream) End(ctx context.Context) (id.Sequence, error) {
	if !s.enter() {
		return 0, ErrClosed
	}
	defer s.leave()
	_, end, err := s.bounds(ctx)
	return end, err
}

// bounds returns the first and the last sequence of the log.
func (s *jetStream) bounds(ctx context.Context) (first, end id.Sequence, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	info, err := s.log.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read the journal's state: %w", err)
	}
	return id.Sequence(info.State.FirstSeq), id.Sequence(info.State.LastSeq), nil
}

// sizes returns the bytes of the log and the entries of the map.
func (s *jetStream) sizes(ctx context.Context) (bytes, entries int64, err error) {
	if !s.enter() {
		return 0, 0, ErrClosed
	}
	defer s.leave()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	log, err := s.log.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read the journal's state: %w", err)
	}
	copies, err := s.copies.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read the map's state: %w", err)
	}
	return int64(log.State.Bytes), int64(copies.State.Msgs), nil
}

// Before implements Store. Records bear the time of the host's clock; where that
// was set back, the answer may be too early.
func (s *jetStream) Before(ctx context.Context, t time.Time) (id.Sequence, error) {
	if !s.enter() {
		return 0, ErrClosed
	}
	defer s.leave()
	low, high, err := s.bounds(ctx)
	if err != nil {
		return 0, err
	}
	// Purges leave gaps, so each probe finds the first record at or after the
	// middle: all before low are older than t, all from beyond on are not.
	var older id.Sequence
	for beyond := high + 1; low < beyond; {
		middle := low + (beyond-low)/2
		r, err := s.next(ctx, ">", middle)
		switch {
		case errors.Is(err, ErrNotFound):
			beyond = middle
		case err != nil:
			return 0, err
		case r.Time.Before(t):
			older, low = r.Sequence, r.Sequence+1
		default:
			beyond = middle
		}
	}
	return older, nil
}

// Purge implements Store.
func (s *jetStream) Purge(ctx context.Context, subject string, before id.Sequence) error {
	if !Literal(subject) {
		return fmt.Errorf("%q is no subject", subject)
	}
	if !s.enter() {
		return ErrClosed
	}
	defer s.leave()
	newest, err := last(ctx, s.log, subject)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	// To the server, a purge before 0 is one of everything.
	if before = min(before, newest.Sequence); before <= 1 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := s.log.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(uint64(before))); err != nil {
		return fmt.Errorf("purge the journal: %w", err)
	}
	return nil
}

// Remove implements Store.
func (s *jetStream) Remove(ctx context.Context, subject string) error {
	if !Literal(subject) {
		return fmt.Errorf("%q is no subject", subject)
	}
	if !s.enter() {
		return ErrClosed
	}
	defer s.leave()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := s.log.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
		return fmt.Errorf("purge the journal: %w", err)
	}
	return nil
}
