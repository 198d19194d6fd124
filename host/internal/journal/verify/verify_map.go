package verify

import (
	"context"
	"fmt"
	"math"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// besideOldest is how far from the oldest entries of the map one may be of which the
// other half has just been forgotten.
const besideOldest = 1000

// theMap checks the entries of the map: each by itself, and that a message's list of
// copies names copies that are there.
func (v *verifier) theMap(ctx context.Context, store storage.Store) error {
	lists := map[string]*journalv1.FromRecord{}
	records := map[string]storage.Record{}
	copies := map[string]bool{}
	oldest := id.Sequence(math.MaxInt64)
	for _, filter := range subject.Map {
		entries, err := store.Get(ctx, filter)
		if err != nil {
			return fmt.Errorf("read the message map: %w", err)
		}
		for _, r := range entries {
			v.Records++
			oldest = min(oldest, r.Sequence)
			switch kind := r.Subject[:len(filter)-len(".>")]; kind {
			case subject.Copy:
				check(v, r, &journalv1.CopyRecord{}, func(r storage.Record, m *journalv1.CopyRecord) {
					copies[r.Subject] = true
					if m.OperationId == "" || m.Receipt == nil {
						v.report(r, "it names no operation or no receipt")
					}
				})
			case subject.From:
				check(v, r, &journalv1.FromRecord{}, func(r storage.Record, m *journalv1.FromRecord) {
					if m.OperationId == "" || len(m.Receipts) == 0 {
						v.report(r, "it names no operation or no receipts")
					}
					lists[r.Subject], records[r.Subject] = m, r
				})
			case subject.Original:
				check(v, r, &journalv1.OriginalRecord{}, nil)
			case subject.Reacted:
				check(v, r, &journalv1.ReactedRecord{}, nil)
			case subject.Felt:
				check(v, r, &journalv1.FeltRecord{}, nil)
			case subject.Feels:
				check(v, r, &journalv1.FeelsRecord{}, nil)
			case subject.Known:
				check(v, r, &journalv1.KnownRecord{}, nil)
			case subject.Request:
				check(v, r, &journalv1.RequestRecord{}, nil)
			case subject.Avatar:
				check(v, r, &plugv1.SpoolFile{}, nil)
			}
		}
	}
	for under, m := range lists {
		r := records[under]
		if m.Deleted || r.Sequence < oldest+besideOldest {
			continue
		}
		asked := id.Channel{Network: id.NetworkID(m.NetworkId), Source: id.ChannelSource(m.Channel)}
		for _, receipt := range m.Receipts {
			if !copies[subject.Message(subject.Copy, id.Message{Channel: journal.ReceiptChannel(asked, receipt), ID: id.MessageID(receipt.Id)})] {
				v.report(r, "it lists message %q of %s, of which nothing is known", receipt.Id, asked)
			}
		}
	}
	return nil
}
