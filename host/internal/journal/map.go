package journal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// SaveCopies stores in the message map what an operation made: whose copy each
// receipt's message is (also under its aliases), and that the source has them;
// of an edit, what now represents the copy; of a delete, that it is gone; of a message
// that was given up, that there shall be none. Keys are
// network, channel and id together: the same id in two channels is two messages.
func (j *Journal) SaveCopies(ctx context.Context, c id.Channel, settled *journalv1.Settled) error {
	if settled.As != journalv1.SettledAs_SETTLED_AS_UNSPECIFIED && settled.Outcome != journalv1.Outcome_OUTCOME_SENT {
		return nil // what it was is what it is
	}
	source := SourceKey(settled.Source, settled.OperationId)
	from := &journalv1.FromRecord{OperationId: settled.OperationId, NetworkId: string(c.Network), Channel: string(c.Source),
		Receipts: settled.Receipts, AuthorId: settled.AuthorId, Folded: settled.Folded}
	switch settled.As {
	case journalv1.SettledAs_SETTLED_AS_OTHER:
		return nil
	case journalv1.SettledAs_SETTLED_AS_DELETE:
		return j.deleteCopies(ctx, c, source)
	case journalv1.SettledAs_SETTLED_AS_EDIT:
		from.OperationId = settled.OfOperationId
	}
	if settled.Outcome == journalv1.Outcome_OUTCOME_DROPPED {
		from.Deleted, from.Dropped = true, true
	} else if len(settled.Receipts) == 0 {
		return nil
	}
	var entries []storage.Entry
	add := func(subject string, m proto.Message) error {
		data, err := proto.Marshal(m)
		if err != nil {
			return fmt.Errorf("encode message map: %w", err)
		}
		entries = append(entries, storage.Entry{Subject: subject, Data: data})
		return nil
	}
	for i, r := range settled.Receipts {
		copied := &journalv1.CopyRecord{OperationId: from.OperationId, Hook: settled.Hook, Source: settled.Source, Primary: i == 0, Receipt: r}
		landed := ReceiptChannel(c, r)
		for _, name := range append([]string{r.Id}, r.Aliases...) {
			if err := add(subject.Message(subject.Copy, id.Message{Channel: landed, ID: id.MessageID(name)}), copied); err != nil {
				return err
			}
		}
	}
	if err := add(fromSubject(source, from.OperationId), from); err != nil {
		return err
	}
	if parked := settled.OfOperationId; parked != from.OperationId && parked != "" {
		// What was sent of it is part of the message that was put back.
		of := &journalv1.FromRecord{OperationId: parked, NetworkId: from.NetworkId, Channel: from.Channel, Deleted: true}
		if err := add(fromSubject(source, parked), of); err != nil {
			return err
		}
	}
	return j.store.Set(ctx, entries...)
}

// deleteCopies notes that the copies of a message in a channel are gone.
func (j *Journal) deleteCopies(ctx context.Context, c id.Channel, source *journalv1.MessageKey) error {
	copies, err := j.CopiesIn(ctx, c, source)
	if err != nil {
		return err
	}
	for _, from := range copies {
		from.Deleted = true
		if err := j.set(ctx, fromSubject(source, from.OperationId), from); err != nil {
			return err
		}
	}
	return nil
}

// ReceiptChannel is where a receipt's message landed.
func ReceiptChannel(asked id.Channel, r *plugv1.Receipt) id.Channel {
	if r.Channel != "" {
		asked.Source = id.ChannelSource(r.Channel)
	}
	return asked
}

// SourceKey is the key of the message that an operation's messages represent: of
// its source, or of the operation itself if it has none.
func SourceKey(source *journalv1.MessageKey, operation string) *journalv1.MessageKey {
	if source.GetId() == "" {
		return &journalv1.MessageKey{Id: operation}
	}
	return source
}

// CopyOf tells whose copy a message is; ErrNotFound if it is none of ours.
func (j *Journal) CopyOf(ctx context.Context, m id.Message) (*journalv1.CopyRecord, error) {
	r := &journalv1.CopyRecord{}
	return r, j.get(ctx, subject.Message(subject.Copy, m), r)
}

// CopiesOf lists the copies of a message, in the order in which they were made.
func (j *Journal) CopiesOf(ctx context.Context, m *journalv1.MessageKey) ([]*journalv1.FromRecord, error) {
	records, err := j.store.Get(ctx, fromSubject(m, "*"))
	if err != nil {
		return nil, fmt.Errorf("look up %s in the message map: %w", m.Id, err)
	}
	copies := make([]*journalv1.FromRecord, len(records))
	for i, r := range records {
		if copies[i], err = decode(r, &journalv1.FromRecord{}); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(copies, func(a, b *journalv1.FromRecord) int { return strings.Compare(a.OperationId, b.OperationId) })
	return copies, nil
}

// CopiesIn lists those copies of a message that were asked for in a channel and
// are not deleted.
func (j *Journal) CopiesIn(ctx context.Context, c id.Channel, m *journalv1.MessageKey) ([]*journalv1.FromRecord, error) {
	copies, err := j.CopiesOf(ctx, m)
	return slices.DeleteFunc(copies, func(r *journalv1.FromRecord) bool {
		return r.Deleted || r.NetworkId != string(c.Network) || r.Channel != string(c.Source)
	}), err
}

// Dropped tells whether a message was given up that was to be sent to a channel.
func (j *Journal) Dropped(ctx context.Context, c id.Channel, m *journalv1.MessageKey) (bool, error) {
	copies, err := j.CopiesOf(ctx, m)
	return slices.ContainsFunc(copies, func(r *journalv1.FromRecord) bool {
		return r.Dropped && r.NetworkId == string(c.Network) && r.Channel == string(c.Source)
	}), err
}

func fromSubject(m *journalv1.MessageKey, operation string) string {
	return subject.Join(subject.From, keyTokens(m), operation)
}
