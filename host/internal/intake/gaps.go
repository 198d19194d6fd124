package intake

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// maxGaps is how many gaps of a network are remembered; the oldest goes first.
const maxGaps = 100

// Gaps returns what could not be replayed, oldest first, not to be changed, and a
// channel that is closed when there is something new.
func (in *Intake) Gaps() ([]*journalv1.GapRecord, <-chan struct{}) {
	in.enter()
	defer in.leave()
	return in.gaps, in.changed
}

// CloseGap notes that nothing more is done to fill a gap: how many messages filled it,
// and if that is not all, why. Its error is the context's.
func (in *Intake) CloseGap(ctx context.Context, gap *plugv1.Gap, filled int, lack string) error {
	in.enter()
	defer in.leave()
	i := slices.IndexFunc(in.gaps, func(g *journalv1.GapRecord) bool { return g.ClosedTime == nil && proto.Equal(g.Gap, gap) })
	if i < 0 {
		return nil // it goes on, or is forgotten
	}
	gaps := slices.Clone(in.gaps)
	gaps[i] = &journalv1.GapRecord{Gap: gap, ClosedTime: timestamppb.Now(), Filled: gaps[i].Filled + uint32(filled), Lack: lack}
	return in.saveGaps(ctx, gaps)
}

// Backfill stores messages of the network's history, in order, but for those that are
// known, and tells how many those were. They are never bridged, since they are marked as
// history. Its error is the context's.
func (in *Intake) Backfill(ctx context.Context, events []*plugv1.Event) (stored int, err error) {
	in.enter()
	defer in.leave()
	if err := in.stand(); err != nil {
		return 0, err
	}
	if !in.loaded {
		// What was known was forgotten with the last stream, and the next one is not open
		// yet.
		if err := in.until(ctx, func() error { _, err := in.learn(ctx); return err }); err != nil {
			return 0, err
		}
	}
	var fresh, known []*plugv1.Event
	for _, e := range events {
		if in.known.stored(e) {
			known = append(known, e)
		} else {
			fresh = append(fresh, e)
		}
	}
	in.forget(in.names(known))
	p, err := in.prepare(ctx, fresh)
	if err != nil {
		return 0, err
	}
	in.begin(func() error { return in.append(ctx, p) })
	return len(fresh), in.stand()
}

// addGaps records gaps that a plug reported.
func (in *Intake) addGaps(ctx context.Context, reported []*plugv1.Gap) error {
	if len(reported) == 0 {
		return nil
	}
	gaps := slices.Clone(in.gaps)
	for _, gap := range reported {
		if gap.Since == nil {
			gap.Since = in.lastKnown(gap.Scope)
		}
		in.log.Warn("a time could not be resumed", "scope", gap.Scope, "since", asTime(gap.Since), "until", gap.Until.AsTime(), "reason", gap.Reason)
		if slices.ContainsFunc(gaps, func(g *journalv1.GapRecord) bool { return proto.Equal(g.Gap, gap) }) {
			continue // it is said again, since its answer was not acknowledged
		}
		record := &journalv1.GapRecord{Gap: gap}
		// One that goes on takes the place of what it was before.
		i := slices.IndexFunc(gaps, func(g *journalv1.GapRecord) bool {
			return g.Gap.Scope == gap.Scope && gap.Since != nil && proto.Equal(g.Gap.Since, gap.Since)
		})
		if i >= 0 {
			record.Filled = gaps[i].Filled
			gaps = slices.Delete(gaps, i, i+1)
		}
		gaps = append(gaps, record)
	}
	return in.saveGaps(ctx, gaps[max(0, len(gaps)-maxGaps):])
}

// lastKnown is when a scope's cursor was stored with which the plug resumed, nil if it
// had none: what was before that is no gap.
func (in *Intake) lastKnown(scope string) *timestamppb.Timestamp {
	c, ok := in.cursors[scope]
	if !ok {
		c, ok = in.cursors[""]
	}
	if !ok || c.Time.IsZero() {
		return nil
	}
	return timestamppb.New(c.Time)
}

func (in *Intake) saveGaps(ctx context.Context, gaps []*journalv1.GapRecord) error {
	if err := in.until(ctx, func() error { return in.o.Journal.SaveGaps(ctx, in.o.Network, gaps) }); err != nil {
		return err
	}
	in.setGaps(gaps)
	return nil
}

func (in *Intake) setGaps(gaps []*journalv1.GapRecord) {
	in.gaps = gaps
	close(in.changed)
	in.changed = make(chan struct{})
	if in.o.Gaps != nil {
		in.o.Gaps(in.o.Network, gaps)
	}
}

func asTime(t *timestamppb.Timestamp) any {
	if t == nil {
		return "unknown"
	}
	return t.AsTime().Format(time.RFC3339)
}
