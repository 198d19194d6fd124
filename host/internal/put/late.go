package put

import (
	"context"
	"errors"
	"maps"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// What is parked may turn out to have been sent: its echo comes after all, or the plug's
// late word. Then it is settled as if that had come in time, and is no longer a person's
// to decide. That is done when the event is stored, and where a crash came in between,
// before the event is yielded (O1, O4).
//
// Of a person who puts it back and of what says that it was sent, the one wins that is
// durable first. What was put back before is looked for once more when its turn has come
// (findBefore), and is not sent if it is there by then.

// maxListened is of how many parked operations late word is listened for: the newest.
const maxListened = 10_000

// late is what is listened for. Guarded by Stage.mu.
type late struct {
	parked map[id.OperationID]*listened
	order  []id.OperationID // of parked, the oldest first
	news   chan struct{}    // capacity 1
}

// listened is a parked operation.
type listened struct {
	channel id.Channel
	heard   heard // since it was parked
	news    bool  // something of that was not dealt with yet
}

func newLate() late {
	return late{parked: map[id.OperationID]*listened{}, news: make(chan struct{}, 1)}
}

// listen listens for late word of a parked operation. The caller holds mu.
func (l *late) listen(c id.Channel, name id.OperationID) {
	if l.parked[name] != nil {
		return
	}
	l.parked[name] = &listened{channel: c}
	if l.order = append(l.order, name); len(l.order) > maxListened {
		delete(l.parked, l.order[0])
		l.order = l.order[1:]
	}
}

// readParked listens for what was parked when the host ended.
func (s *Stage) readParked(ctx context.Context) error {
	parked, err := s.Journal.ParkedOperations(ctx)
	if err != nil {
		return err
	}
	for _, p := range parked {
		s.late.listen(p.Channel, id.OperationID(p.Record.Operation.Id))
	}
	return nil
}

// listen listens from now to what is told of the operation, which is parked. What was
// told since it was given up counts too.
func (o *operation) listen() {
	o.stage.mu.Lock()
	o.stage.late.listen(o.channel, o.id)
	o.stage.late.parked[o.id].heard.asked = o.heard.asked // no more attempts are made
	o.stage.mu.Unlock()
	o.mu.Lock()
	told := o.heard.clone()
	o.mu.Unlock()
	if !told.nothing() {
		o.stage.tellLate(o.channel.Network, o.id, func(p *listened) { p.heard = told })
	}
}

// tellLate notes what is told of an operation if that is parked. It doesn't block.
func (s *Stage) tellLate(n id.NetworkID, name id.OperationID, note func(*listened)) (parked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.late.parked[name]
	if p == nil || p.channel.Network != n {
		return false
	}
	note(p)
	p.news = true
	select {
	case s.late.news <- struct{}{}:
	default:
	}
	return true
}

// echoedLate is operation.echoed for one that is parked.
func (s *Stage) echoedLate(n id.NetworkID, name id.OperationID, part uint32, e *plugv1.Event) (parked bool) {
	if part > 0 && e.GetDelete() != nil {
		return false
	}
	return s.tellLate(n, name, func(p *listened) {
		p.heard.note(part, receiptOf(p.channel, e), journalv1.SettledBy_SETTLED_BY_ECHO)
	})
}

// runLate settles what was told of until ctx ends.
func (s *Stage) runLate(ctx context.Context) {
	for ctx.Err() == nil {
		var failed error
		for _, name := range s.toldLate() {
			if err := s.settleLate(ctx, name); err != nil {
				failed = err
			}
		}
		if failed == nil {
			_ = await(ctx, s.late.news, 0)
		} else if ctx.Err() == nil {
			s.Logger.Error("what was parked and turned out to have been sent could not be settled", "error", failed, "next_try", searchAgain)
			_ = await(ctx, nil, searchAgain)
		}
	}
}

func (s *Stage) toldLate() (names []id.OperationID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, p := range s.late.parked {
		if p.news {
			names = append(names, name)
		}
	}
	return names
}

// settleLate settles a parked operation by what was told of it. Unless there is an error
// it is durable and handed over when this returns.
func (s *Stage) settleLate(ctx context.Context, name id.OperationID) error {
	done, err := s.Journal.Resolving(ctx)
	if err != nil {
		return err
	}
	defer done()
	s.mu.Lock()
	var told heard
	if p := s.late.parked[name]; p != nil && p.news {
		told, p.news = p.heard.clone(), false
	}
	s.mu.Unlock()
	if told.nothing() {
		return nil // another has settled it meanwhile
	}
	resolved := false
	p, err := s.Journal.StillParked(ctx, name)
	if err == nil {
		resolved, err = s.settleParked(ctx, p, told)
	} else if errors.Is(err, storage.ErrNotFound) {
		resolved, err = true, nil // by a person
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.late.parked[name]; resolved {
		delete(s.late.parked, name)
	} else if err != nil && l != nil {
		l.news = true
	}
	return err
}

// settleParked settles a parked operation if that is known to have been sent; else it
// notes the parts that were, which are not sent again when it is put back.
func (s *Stage) settleParked(ctx context.Context, p *journal.Parked, told heard) (sent bool, err error) {
	record := p.Record.Operation
	o := &operation{stage: s, channel: p.Channel, progress: &progress{}, record: record, id: id.OperationID(record.Id), heard: told,
		log: s.Logger.With("channel", p.Channel.String(), "operation", record.Id), news: make(chan struct{}, 1),
		attempt: &journalv1.Attempt{Number: p.Record.Attempts, Sent: p.Record.Sent, Continuation: p.Record.Continuation}}
	if err := o.recall(ctx); err != nil {
		return false, err
	}
	response, by := o.known()
	if response != nil {
		o.keepSent(response)
	}
	if response == nil || response.Failure != nil && response.Failure.Verdict != plugv1.Verdict_VERDICT_ALREADY {
		parts := o.sent()
		if len(parts) <= len(p.Record.Sent) {
			return false, nil
		}
		if err := o.chart(ctx, o.settled(journalv1.Outcome_OUTCOME_PARKED, by, o.receipts())); err != nil {
			return false, err
		}
		return false, s.Journal.FoundSent(ctx, p, parts, false)
	}
	asked := o.id
	if accepted, err := s.Journal.Find(ctx, o.id); accepted != nil {
		asked = id.OperationID(accepted.Operation.Id) // also where this is its fallback
	} else if !errors.Is(err, storage.ErrNotFound) {
		return false, err
	}
	settled := o.settled(journalv1.Outcome_OUTCOME_SENT, by, response.Receipts)
	if err := o.chart(ctx, settled); err != nil {
		return false, err
	}
	var parts []*plugv1.SentPart
	for i, r := range settled.Receipts {
		parts = append(parts, &plugv1.SentPart{Part: uint32(i + 1), Receipt: r})
	}
	if err := s.Journal.FoundSent(ctx, p, parts, true); err != nil {
		return false, err
	}
	o.log.Info("it was parked, and turned out to have been sent", "known_by", by.String())
	if s.Settled != nil {
		s.Settled(p.Channel, asked, record, settled, "")
	}
	return true, nil
}

// clone gives a copy that doesn't change with it.
func (h *heard) clone() heard {
	copied := *h
	copied.parts = maps.Clone(h.parts)
	return copied
}

func (h *heard) nothing() bool { return h.whole == nil && h.parts == nil && h.outcome == nil }
