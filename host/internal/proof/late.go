package proof

import (
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// storedParked: what is parked is so once, and turns out to have been sent only by
// messages of its own (D4, O5).
func (w *witness) storedParked(record *journalv1.ParkedRecord) {
	op := w.operations[id.OperationID(record.Operation.Id)]
	if op == nil {
		w.breachLocked("D3", "parked was %s, which was never accepted", record.Operation.Id)
		return
	}
	w.noteLocked("journal: parked %s: %v, %d parts", op.id, record.Resolution, len(record.Sent))
	op.parked = true
	for _, s := range record.Sent {
		m := w.messages[id.Message{Channel: journal.ReceiptChannel(op.channel, s.Receipt), ID: id.MessageID(s.Receipt.Id)}]
		if m == nil || m.operation != op.id {
			w.breachLocked("O5", "operation %s is parked with message %s, which is not its own", op.id, s.Receipt.Id)
		}
	}
	if record.Resolution != journalv1.Resolution_RESOLUTION_SENT {
		return
	}
	op.foundSent = time.Now()
	w.counts[FoundSent]++
	if len(record.Sent) != op.cause.parts && !op.already {
		w.breachLocked("D3", "operation %s turned out to have been sent with %d receipts of %d", op.id, len(record.Sent), op.cause.parts)
	}
}

// unheard tells whether an operation is parked though the host was told that it was sent:
// its echo is in the journal, or this life had a good PutOutcome (D4).
func (w *witness) unheard(op *operation) bool {
	if !op.parked || !op.foundSent.IsZero() || op.settled.GetOutcome() == journalv1.Outcome_OUTCOME_SENT {
		return false
	}
	if !op.told.IsZero() {
		return true
	}
	for _, m := range op.messages {
		e := w.channel(m.channel).journaled(m.shownAs)
		if e != nil && e.event.Own == plugv1.Own_OWN_YES && e.event.OperationId == string(op.id) {
			return true
		}
	}
	return false
}
