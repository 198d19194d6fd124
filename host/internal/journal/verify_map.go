package journal

import (
	"context"
	"fmt"
	"math"

	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// besideOldest is how far from the oldest entries of the map one may be of which the
// other half has just been forgotten.
const besideOldest = 1000

// theMap checks the entries of the map: each by itself, and that a message's list of
// copies names copies that are there.
func (v *verifier) theMap(ctx context.Context, store Store) error {
	lists := map[string]*journalv1.FromRecord{}
	records := map[string]Record{}
	copies := map[string]bool{}
	oldest := id.Sequence(math.MaxInt64)
	for _, filter := range mapSubjects {
		entries, err := store.Get(ctx, filter)
		if err != nil {
			return fmt.Errorf("read the message map: %w", err)
		}
		for _, r := range entries {
			v.Records++
			oldest = min(oldest, r.Sequence)
			switch kind := r.Subject[:len(filter)-len(".>")]; kind {
			case kindCopy:
				check(v, r, &journalv1.CopyRecord{}, func(r Record, m *journalv1.CopyRecord) {
					copies[r.Subject] = true
					if m.OperationId == "" || m.Receipt == nil {
						v.report(r, "it names no operation or no receipt")
					}
				})
			case kindFrom:
				check(v, r, &journalv1.FromRecord{}, func(r Record, m *journalv1.FromRecord) {
					if m.OperationId == "" || len(m.Receipts) == 0 {
						v.report(r, "it names no operation or no receipts")
					}
					lists[r.Subject], records[r.Subject] = m, r
				})
			case kindOriginal:
				check(v, r, &journalv1.OriginalRecord{}, nil)
			case kindReacted:
				check(v, r, &journalv1.ReactedRecord{}, nil)
			case kindFelt:
				check(v, r, &journalv1.FeltRecord{}, nil)
			case kindFeels:
				check(v, r, &journalv1.FeelsRecord{}, nil)
			case kindKnown:
				check(v, r, &journalv1.KnownRecord{}, nil)
			case kindRequest:
				check(v, r, &journalv1.RequestRecord{}, nil)
			case kindAvatar:
				check(v, r, &plugv1.SpoolFile{}, nil)
			}
		}
	}
	for subject, m := range lists {
		r := records[subject]
		if m.Deleted || r.Sequence < oldest+besideOldest {
			continue
		}
		asked := id.Channel{Network: id.NetworkID(m.NetworkId), Source: id.ChannelSource(m.Channel)}
		for _, receipt := range m.Receipts {
			if !copies[messageSubject(kindCopy, id.Message{Channel: ReceiptChannel(asked, receipt), ID: id.MessageID(receipt.Id)})] {
				v.report(r, "it lists message %q of %s, of which nothing is known", receipt.Id, asked)
			}
		}
	}
	return nil
}
