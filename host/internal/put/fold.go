package put

import (
	"context"
	"errors"
	"slices"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// maxLater is how many edits and deletes that wait are remembered for a channel. One
// beyond that is carried out when its turn comes, like any other operation.
const maxLater = 1000

// later holds the edits and deletes that wait, by channel: a message that waits in
// front of them is sent as they would leave it. Guarded by Stage.mu.
type later map[id.Channel][]*journalv1.Operation

// Accepting is told what is about to become durable, so that what waits learns of
// edits before their own turn comes. It doesn't matter if a crash comes between: an
// operation that is made again has the same id.
func (s *Stage) Accepting(accepted []journal.Accepted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range accepted {
		for _, op := range a.Operations {
			s.later.add(a.Channel, op)
		}
	}
}

// readLater finds the edits and deletes that waited when the host ended.
func (s *Stage) readLater(ctx context.Context, c id.Channel, settled *journalv1.Position) error {
	return s.Journal.ReadOperations(ctx, c, id.Sequence(settled.GetSequence()), func(r storage.Record) error {
		record, err := journal.OperationsOf(r)
		if err != nil {
			s.Logger.Error("journal record not readable; passed over", "error", err)
			return nil
		}
		for i, op := range record.Operations {
			if after(&journalv1.Position{Sequence: uint64(r.Sequence), Index: uint32(i)}, settled) {
				s.later.add(c, op)
			}
		}
		return nil
	})
}

func (l later) add(c id.Channel, op *journalv1.Operation) {
	if op.Target != nil && (op.Action.GetEdit() != nil || op.Action.GetDelete() != nil) && len(l[c]) < maxLater {
		l[c] = append(l[c], op)
	}
}

// arrived forgets an operation whose own turn has come.
func (l later) arrived(c id.Channel, op *journalv1.Operation) {
	if len(l[c]) == 0 {
		return
	}
	l[c] = slices.DeleteFunc(l[c], func(o *journalv1.Operation) bool { return o.Id == op.Id })
	if len(l[c]) == 0 {
		delete(l, c)
	}
}

// fold gives the content that edits have left a message with while it waited; nil for
// its own. A message that was deleted meanwhile is dropped. Once an attempt may have
// been sent, the content stays what it was. Its error is a decision, or the context's.
func (o *operation) fold(ctx context.Context, first bool) (*plugv1.Message, error) {
	if !first {
		o.folded = o.attempt.GetFolded()
		if len(o.folded) == 0 {
			return nil, nil
		}
		return o.foldedContent(ctx, o.folded[len(o.folded)-1])
	}
	key := journal.SourceKey(o.record.Source, o.record.Id)
	author := o.record.Action.GetAuthor().GetUser().GetId()
	o.stage.mu.Lock()
	defer o.stage.mu.Unlock()
	o.folded = nil
	var content *plugv1.Message
	for _, op := range o.stage.later[o.channel] {
		if !sameKey(op.Target, key) {
			continue
		}
		if op.Action.GetDelete() != nil {
			return nil, dropped("it was deleted before it could be sent")
		}
		by := operation{record: op}
		if by.mayEdit(author) {
			content = op.Action.GetEdit().GetContent()
			o.folded = append(o.folded, op.Id)
		}
	}
	return content, nil
}

// foldedContent reads again what an edit said.
func (o *operation) foldedContent(ctx context.Context, edit string) (content *plugv1.Message, err error) {
	err = o.must(ctx, func(ctx context.Context) error {
		op, err := o.stage.Journal.Issued(ctx, o.channel.Network, id.OperationID(edit))
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		content = op.GetAction().GetEdit().GetContent()
		return err
	})
	return content, err
}

func sameKey(a, b *journalv1.MessageKey) bool {
	return a.GetNetworkId() == b.GetNetworkId() && a.GetChannel() == b.GetChannel() && a.GetId() == b.GetId()
}
