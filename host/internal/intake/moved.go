package intake

import (
	"context"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
)

// superseded tells whether a scope's channel has moved, and has a cursor under its present
// source. The caller holds pastMu.
func (in *Intake) superseded(scope string) bool {
	c := id.Channel{Network: in.o.Network, Source: id.ChannelSource(scope)}
	now := in.o.Moves.Now(c)
	return now != c && len(in.past[string(now.Source)]) > 0
}

// dropOlder forgets the cursors that channels had under the sources before their present
// ones, once those have their own. Its error is the context's.
func (in *Intake) dropOlder(ctx context.Context, stored []journal.Cursor) error {
	for _, scope := range in.older(stored) {
		if err := in.until(ctx, func() error { return in.o.Journal.DropCursor(ctx, in.o.Network, scope) }); err != nil {
			return err
		}
	}
	return nil
}

// older lists the scopes that the stored cursors have taken the place of.
func (in *Intake) older(stored []journal.Cursor) (scopes []string) {
	in.pastMu.Lock()
	defer in.pastMu.Unlock()
	for _, cursor := range stored {
		c := id.Channel{Network: in.o.Network, Source: id.ChannelSource(cursor.Scope)}
		if cursor.Scope == "" || in.o.Moves.Now(c) != c {
			continue
		}
		for _, name := range in.o.Moves.Names(c) {
			if _, had := in.past[string(name)]; had && name != c.Source {
				scopes = append(scopes, string(name))
				delete(in.past, string(name))
			}
		}
	}
	return scopes
}
