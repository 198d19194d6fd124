package storage

import (
	"context"
	"time"

	"github.com/plughost/plughost/host/id"
)

// Next implements Store.
func (e *embedded) Next(ctx context.Context, filter string, from id.Sequence) (Record, error) {
	return call(e, func(s *jetStream) (Record, error) { return s.Next(ctx, filter, from) })
}

// Last implements Store.
func (e *embedded) Last(ctx context.Context, filter string) ([]Record, error) {
	return call(e, func(s *jetStream) ([]Record, error) { return s.Last(ctx, filter) })
}

// Get implements Store.
func (e *embedded) Get(ctx context.Context, filter string) ([]Record, error) {
	return call(e, func(s *jetStream) ([]Record, error) { return s.Get(ctx, filter) })
}

// Counts implements Store.
func (e *embedded) Counts(ctx context.Context) (map[string]uint64, error) {
	return call(e, func(s *jetStream) (map[string]uint64, error) { return s.Counts(ctx) })
}

// End implements Store.
func (e *embedded) End(ctx context.Context) (id.Sequence, error) {
	return call(e, func(s *jetStream) (id.Sequence, error) { return s.End(ctx) })
}

// Before implements Store.
func (e *embedded) Before(ctx context.Context, t time.Time) (id.Sequence, error) {
	return call(e, func(s *jetStream) (id.Sequence, error) { return s.Before(ctx, t) })
}

// Purge implements Store.
func (e *embedded) Purge(ctx context.Context, subject string, before id.Sequence) error {
	_, err := call(e, func(s *jetStream) (struct{}, error) { return struct{}{}, s.Purge(ctx, subject, before) })
	return err
}

// Remove implements Store.
func (e *embedded) Remove(ctx context.Context, subject string) error {
	_, err := call(e, func(s *jetStream) (struct{}, error) { return struct{}{}, s.Remove(ctx, subject) })
	return err
}
