package proof

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
)

var (
	errRefused = errors.New("the disk is full")
	errLost    = errors.New("the answer was lost")
	errGone    = errors.New("the host is dead")
)

// refusal makes the journal refuse the next records of a kind.
type refusal struct {
	kind string // of all kinds if empty
	left int
	lost bool // they are stored all the same
}

// store is one life's hold on the journal's records: slow, refusing, and gone
// when that life ends, whatever was under way.
type store struct {
	storage.Store
	run  *run
	dead chan struct{}
}

// pause takes the time that an operation takes.
func (s *store) pause(ctx context.Context) error {
	if d := s.run.delay(); d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		case <-s.dead:
		}
	}
	select {
	case <-s.dead:
		return errGone
	default:
		return ctx.Err()
	}
}

// Append implements storage.Store. Every entry takes its own way: it is stored
// or refused, and the answer comes or is lost.
func (s *store) Append(ctx context.Context, entries ...storage.Entry) ([]id.Sequence, error) {
	sequences := make([]id.Sequence, len(entries))
	if err := s.pause(ctx); err != nil {
		return sequences, err
	}
	var failure error
	for i, e := range entries {
		sequence, err := s.write(ctx, e)
		if err == errGone {
			return make([]id.Sequence, len(entries)), err
		}
		if err != nil {
			failure = err
			continue
		}
		sequences[i] = sequence
	}
	if err := s.pause(ctx); err != nil {
		return make([]id.Sequence, len(entries)), err
	}
	for i, e := range entries {
		if sequences[i] != 0 {
			s.run.witness.confirmed(e)
		}
	}
	return sequences, failure
}

// write stores one entry, or doesn't.
func (s *store) write(ctx context.Context, e storage.Entry) (id.Sequence, error) {
	kind, _, _ := strings.Cut(e.Subject, ".")
	switch s.run.crashing(kind) {
	case 1: // before it is stored
		s.run.crash()
		return 0, errGone
	case 2: // after
		_, _ = s.keep(ctx, e)
		s.run.crash()
		return 0, errGone
	}
	refused, stored := s.run.refused(kind)
	if refused && !stored {
		s.run.witness.refused(e)
		return 0, errRefused
	}
	sequence, err := s.keep(ctx, e)
	if refused {
		s.run.count(LostAnswer)
		return 0, errLost
	}
	return sequence, err
}

// keep stores an entry under the eyes of the witness.
func (s *store) keep(ctx context.Context, e storage.Entry) (id.Sequence, error) {
	w := s.run.witness
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-s.dead:
		return 0, errGone
	default:
	}
	sequences, err := s.Store.Append(ctx, e)
	if err != nil {
		return 0, err
	}
	w.stored(e, sequences[0])
	return sequences[0], nil
}

// Set implements storage.Store.
func (s *store) Set(ctx context.Context, entries ...storage.Entry) error {
	if err := s.pause(ctx); err != nil {
		return err
	}
	switch s.run.crashing("map") {
	case 1:
		s.run.crash()
		return errGone
	case 2:
		_ = s.keepMap(ctx, entries)
		s.run.crash()
		return errGone
	}
	refused, stored := s.run.refused("map")
	if refused && !stored {
		return errRefused
	}
	if err := s.keepMap(ctx, entries); err != nil {
		return err
	}
	if refused {
		return errLost
	}
	if err := s.pause(ctx); err != nil {
		return err
	}
	for _, e := range entries {
		s.run.witness.confirmed(e)
	}
	return nil
}

// keepMap stores entries of the map under the eyes of the witness.
func (s *store) keepMap(ctx context.Context, entries []storage.Entry) error {
	w := s.run.witness
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-s.dead:
		return errGone
	default:
	}
	if err := s.Store.Set(ctx, entries...); err != nil {
		return err
	}
	w.mapped(entries)
	return nil
}

// read is what every read begins with.
func (s *store) read(ctx context.Context) error {
	if err := s.pause(ctx); err != nil {
		return err
	}
	if refused, _ := s.run.refused("read"); refused {
		return errRefused
	}
	return nil
}

// Next implements storage.Store.
func (s *store) Next(ctx context.Context, filter string, from id.Sequence) (storage.Record, error) {
	if err := s.read(ctx); err != nil {
		return storage.Record{}, err
	}
	return s.Store.Next(ctx, filter, from)
}

// Last implements storage.Store.
func (s *store) Last(ctx context.Context, filter string) ([]storage.Record, error) {
	if err := s.read(ctx); err != nil {
		return nil, err
	}
	return s.Store.Last(ctx, filter)
}

// Get implements storage.Store.
func (s *store) Get(ctx context.Context, filter string) ([]storage.Record, error) {
	if err := s.read(ctx); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, filter)
}

// Follow implements storage.Store.
func (s *store) Follow(ctx context.Context, from id.Sequence, yield func(storage.Record) error, filters ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-s.dead:
			cancel()
		case <-ended:
		}
	}()
	return s.Store.Follow(ctx, from, yield, filters...)
}
