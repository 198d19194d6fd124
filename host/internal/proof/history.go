package proof

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// history is the plug's word on what its network keeps, as long as the process lives.
type history struct{ process *process }

// page is how many messages an answer lists, so that there are several.
const page = 3

// answers tells whether the network can be asked just now.
func (h *history) answers() error {
	wait(context.Background(), h.process.run.delay())
	r := h.process.run
	r.mu.Lock()
	healed := r.healed
	r.mu.Unlock()
	if h.process.isDead() || !healed && r.random(4) == 0 {
		return status.Error(codes.Unavailable, "the network doesn't answer")
	}
	return nil
}

// FindOperation implements put.History: it finds what the network took, shown or not.
func (h *history) FindOperation(_ context.Context, r *plugv1.FindOperationRequest, _ ...grpc.CallOption) (*plugv1.FindOperationResponse, error) {
	p := h.process
	if err := h.answers(); err != nil {
		p.run.witness.untold(id.OperationID(r.OperationId))
		return nil, err
	}
	answer := &plugv1.FindOperationResponse{}
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	for _, m := range p.net.kept {
		if m.operation == id.OperationID(r.OperationId) && m.asked == id.ChannelSource(r.Channel) {
			part := m.part
			if m.only {
				part = 0
			}
			answer.Parts = append(answer.Parts, &plugv1.FoundPart{Part: part, Receipt: proto.CloneOf(m.receipt)})
		}
	}
	return answer, nil
}

// ListMessages implements backfill.History: it lists what the channel has shown.
func (h *history) ListMessages(_ context.Context, r *plugv1.ListMessagesRequest, _ ...grpc.CallOption) (*plugv1.ListMessagesResponse, error) {
	if err := h.answers(); err != nil {
		return nil, err
	}
	n := h.process.net
	n.mu.Lock()
	defer n.mu.Unlock()
	var events []*plugv1.Event
	for _, e := range n.rooms[homeOf(id.ChannelSource(r.Channel))].shown {
		if e.event.Channel != r.Channel || e.event.GetMessage() == nil {
			continue
		}
		if e.event.MessageId == r.Before.GetId() {
			break
		}
		if !e.twice {
			event := proto.CloneOf(e.event)
			event.History = true
			events = append(events, event)
		}
	}
	events = events[max(0, len(events)-page):]
	return &plugv1.ListMessagesResponse{Events: slices.Clip(events)}, nil
}

// untold is told that the network could not say what became of an operation.
func (w *witness) untold(operation id.OperationID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if op := w.operations[operation]; op != nil {
		op.untold = true
	}
}

// journaled returns how an event is in the journal, live or as history; nil if it isn't.
func (ch *channel) journaled(name name) *event {
	if e := ch.known[name]; e != nil {
		return e
	}
	return ch.past[name]
}

// lastLive is the last event in the journal that is no history.
func (ch *channel) lastLive() *event {
	for _, e := range slices.Backward(ch.events) {
		if !e.history {
			return e
		}
	}
	return nil
}

// finishGaps: what a network with a history has shown is in the journal, whatever its plug
// could not replay (D1).
func (w *witness) finishGaps(ch *channel) {
	if n := w.spec(ch.id.Network); n.Resumable || !n.History {
		return
	}
	for name, e := range ch.entries {
		if e.event.GetMessage() == nil || !ch.made[id.ChannelSource(e.event.Channel)] {
			continue // or nobody could tell the host whose it is
		}
		if m := messageName(e.event); !e.twice && !ch.ids[m] && !ch.pastIDs[m] {
			w.breachLocked("D1", "%s: event %s, message %s, was lost, and the network's history has it", ch.id, name, m)
		}
	}
}

// storedGaps notes how many gaps of a network are open.
func (w *witness) storedGaps(subject string, record *journalv1.GapsRecord) {
	n := w.networks[networkOf(subject)]
	n.gaps = 0
	for _, g := range record.Gaps {
		if g.ClosedTime == nil {
			n.gaps++
		}
	}
	w.noteLocked("journal: %d gaps of %s are open", n.gaps, networkOf(subject))
}

// forgotten tells whether an event that was journaled may be gone from there.
func (w *witness) forgotten(ch *channel, name name) bool {
	e := ch.journaled(name)
	return e != nil && e.at.Before(w.retained)
}
