package proof

import (
	"context"

	"github.com/plughost/plughost/host/internal/intake"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// turns lets one thing at a time be stored through an intake. The intake sees to that
// itself, by a mutex; but who waits for a mutex stops the bubble's time, for which its
// holder may wait.
type turns struct {
	*intake.Intake
	turn chan struct{} // capacity 1
}

func (t *turns) take() { t.turn <- struct{}{} }
func (t *turns) give() { <-t.turn }

func (t *turns) Open(ctx context.Context) ([]*plugv1.Cursor, error) {
	t.take()
	defer t.give()
	return t.Intake.Open(ctx)
}

func (t *turns) Run(ctx context.Context, s intake.Stream) error {
	t.take()
	defer t.give()
	return t.Intake.Run(ctx, &turnStream{s, t}, nil)
}

// turnStream gives others their turn while nothing is received.
type turnStream struct {
	intake.Stream
	turns *turns
}

func (s *turnStream) Recv() (*plugv1.StreamMessagesResponse, error) {
	s.turns.give()
	defer s.turns.take()
	return s.Stream.Recv()
}

// Gaps implements backfill.Intake.
func (t *turns) Gaps() ([]*journalv1.GapRecord, <-chan struct{}) {
	t.take()
	defer t.give()
	return t.Intake.Gaps()
}

// Backfill implements backfill.Intake.
func (t *turns) Backfill(ctx context.Context, events []*plugv1.Event) (int, error) {
	t.take()
	defer t.give()
	return t.Intake.Backfill(ctx, events)
}

// CloseGap implements backfill.Intake.
func (t *turns) CloseGap(ctx context.Context, gap *plugv1.Gap, filled int, lack string) error {
	t.take()
	defer t.give()
	return t.Intake.CloseGap(ctx, gap, filled, lack)
}
