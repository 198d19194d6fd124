package journal

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// SaveCopies stores in the message map what an operation made: whose copy each
// receipt's message is (also under its aliases), and that the source has them.
// Keys are network, channel and id together: the same id in two channels is two
// messages.
func (j *Journal) SaveCopies(ctx context.Context, c id.Channel, settled *journalv1.Settled) error {
	var entries []Entry
	add := func(subject string, m proto.Message) error {
		data, err := proto.Marshal(m)
		if err != nil {
			return fmt.Errorf("encode message map: %w", err)
		}
		entries = append(entries, Entry{subject, data})
		return nil
	}
	for i, r := range settled.Receipts {
		copied := &journalv1.CopyRecord{OperationId: settled.OperationId, Hook: settled.Hook, Source: settled.Source, Primary: i == 0, Receipt: r}
		landed := ReceiptChannel(c, r)
		for _, name := range append([]string{r.Id}, r.Aliases...) {
			if err := add(messageSubject(kindCopy, id.Message{Channel: landed, ID: id.MessageID(name)}), copied); err != nil {
				return err
			}
		}
	}
	if s := settled.Source; s != nil && len(settled.Receipts) > 0 {
		source := id.Message{Channel: id.Channel{Network: id.NetworkID(s.NetworkId), Source: id.ChannelSource(s.Channel)}, ID: id.MessageID(s.Id)}
		from := &journalv1.FromRecord{OperationId: settled.OperationId, NetworkId: string(c.Network), Channel: string(c.Source), Receipts: settled.Receipts}
		if err := add(messageSubject(kindFrom, source)+"."+settled.OperationId, from); err != nil {
			return err
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return j.store.Set(ctx, entries...)
}

// ReceiptChannel is where a receipt's message landed.
func ReceiptChannel(asked id.Channel, r *plugv1.Receipt) id.Channel {
	if r.Channel != "" {
		asked.Source = id.ChannelSource(r.Channel)
	}
	return asked
}

// CopyOf tells whose copy a message is; ErrNotFound if it is none of ours.
func (j *Journal) CopyOf(ctx context.Context, m id.Message) (*journalv1.CopyRecord, error) {
	records, err := j.store.Get(ctx, messageSubject(kindCopy, m))
	if err != nil {
		return nil, fmt.Errorf("look up %s in the message map: %w", m.ID, err)
	}
	if len(records) == 0 {
		return nil, ErrNotFound
	}
	return decode(records[0], &journalv1.CopyRecord{})
}

// CopiesOf lists the copies of a message.
func (j *Journal) CopiesOf(ctx context.Context, m id.Message) ([]*journalv1.FromRecord, error) {
	records, err := j.store.Get(ctx, messageSubject(kindFrom, m)+".*")
	if err != nil {
		return nil, fmt.Errorf("look up %s in the message map: %w", m.ID, err)
	}
	copies := make([]*journalv1.FromRecord, len(records))
	for i, r := range records {
		if copies[i], err = decode(r, &journalv1.FromRecord{}); err != nil {
			return nil, err
		}
	}
	return copies, nil
}

func messageSubject(kind string, m id.Message) string {
	return subject(kind, token(m.Channel.Network), token(m.Channel.Source), token(m.ID))
}
