package journal

import (
	"context"
	"fmt"
	"slices"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// Move says that a channel goes on under another source.
type Move struct {
	To   id.Channel
	Home id.ChannelSource // the source that it had first
}

// SaveMove stores where a channel has moved.
func (j *Journal) SaveMove(ctx context.Context, m Move) error {
	_, err := j.append(ctx, subject.Channel(subject.Moved, m.To), &journalv1.MovedRecord{Home: string(m.Home)})
	return err
}

// homes gives the home of each channel that one has moved to.
func (j *Journal) homes(ctx context.Context) (map[id.Channel]id.Channel, error) {
	moves, err := j.Moves(ctx)
	homes := make(map[id.Channel]id.Channel, len(moves))
	for _, m := range moves {
		homes[m.To] = id.Channel{Network: m.To.Network, Source: m.Home}
	}
	return homes, err
}

// Moves returns all moves, in the order in which they were made; of those to one source
// the last.
func (j *Journal) Moves(ctx context.Context) ([]Move, error) {
	records, err := j.store.Last(ctx, subject.Join(subject.Moved, ">"))
	if err != nil {
		return nil, fmt.Errorf("read moved channels: %w", err)
	}
	slices.SortFunc(records, func(a, b storage.Record) int { return int(int64(a.Sequence) - int64(b.Sequence)) })
	moves := make([]Move, len(records))
	for i, r := range records {
		record, err := decode(r, &journalv1.MovedRecord{})
		if err != nil {
			return nil, err
		}
		moves[i].Home = id.ChannelSource(record.Home)
		if moves[i].To, err = subject.ParseChannel(r.Subject); err != nil {
			return nil, err
		}
	}
	return moves, nil
}
