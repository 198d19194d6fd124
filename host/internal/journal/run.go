package journal

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// Run is a run of events of one channel, stored whole or not at all.
type Run struct {
	Channel id.Channel
	Record  *journalv1.EventsRecord

	encoded []byte // Record; nil: not yet
}

// Encode encodes the run, which is not changed any more, and gives its size in bytes.
// AppendEvents does it where nobody has.
func (r *Run) Encode() (size int, err error) {
	if r.encoded == nil {
		if r.encoded, err = proto.Marshal(r.Record); err != nil {
			return 0, fmt.Errorf("encode events: %w", err)
		}
	}
	return len(r.encoded), nil
}

// AppendEvents stores runs of different channels of one network. A refused one has sequence 0,
// and err says why; the others stand.
func (j *Journal) AppendEvents(ctx context.Context, runs []Run) ([]id.Sequence, error) {
	if len(runs) > 0 {
		if err := j.roomFor(ctx, runs[0].Channel.Network); err != nil {
			return make([]id.Sequence, len(runs)), fmt.Errorf("store events: %w", err)
		}
	}
	entries := make([]storage.Entry, len(runs))
	for i, run := range runs {
		if _, err := run.Encode(); err != nil {
			return make([]id.Sequence, len(runs)), err
		}
		entries[i] = storage.Entry{Subject: subject.Channel(subject.Events, run.Channel), Data: run.encoded}
	}
	return j.store.Append(ctx, entries...)
}
