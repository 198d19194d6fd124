package put

import (
	"cmp"
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Times that a network which cannot tell now is asked again, and the time between two
// of them. After that the operation is as one of a network without history.
const (
	lookUpTries = 5
	lookUpAgain = 2 * time.Second
)

// lookUp asks the network what an operation made whose outcome is uncertain, until it
// can tell (O5). It is called when nothing that is under way can send any more, so that
// what is not found was not sent. Its error is the context's.
func (o *operation) lookUp(ctx context.Context) error {
	for try := 1; ; try++ {
		told, again := o.find(ctx)
		o.certain = told
		if !again || try == lookUpTries {
			return ctx.Err()
		}
		if err := await(ctx, nil, lookUpAgain); err != nil {
			return err
		}
	}
}

// find asks the network once what the operation made, and notes it. told is false if
// it did not tell, and again if it may do so later.
func (o *operation) find(ctx context.Context) (told, again bool) {
	s := o.stage
	s.mu.Lock()
	live := s.plug(o.channel.Network).live
	s.mu.Unlock()
	if !live.finds(o.record.Action) {
		return false, false
	}
	// Where it was asked for; what a migration took along, under the present source.
	sources := []id.ChannelSource{cmp.Or(id.ChannelSource(o.attempt.Channel), o.channel.Source)}
	if now := s.Moves.Now(o.channel).Source; now != sources[0] {
		sources = append(sources, now)
	}
	for _, source := range sources {
		if told, again = o.findIn(ctx, live, source, o.id); !told {
			break
		}
	}
	return told, again
}

// findBefore finds out, before what was parked is sent again, what it made under its old
// id: of echoes that came while it was parked and while it waited again, and of the
// network's history. What is there now needs not be sent. Its error is the context's.
func (o *operation) findBefore(ctx context.Context, live *Live) error {
	back := o.record.PutBack
	if back == nil || o.attempt.GetUncertain() > 0 {
		return nil
	}
	parked := id.OperationID(back.OperationId)
	if back.Place > 0 {
		if err := o.searchAs(ctx, parked, id.Sequence(back.Place)); err != nil {
			return err
		}
	}
	if live.finds(o.record.Action) {
		_, _ = o.findIn(ctx, live, o.stage.Moves.Now(o.channel).Source, parked)
	}
	if sent := o.sent(); len(sent) > 0 && o.attempt == nil {
		o.attempt = &journalv1.Attempt{OperationId: string(o.id), NotSent: true, FirstTime: timestamppb.Now()}
	}
	if o.attempt != nil {
		o.attempt.Sent = o.sent()
	}
	return nil
}

// findIn is find in one channel, under one of the operation's ids.
func (o *operation) findIn(ctx context.Context, live *Live, source id.ChannelSource, as id.OperationID) (told, again bool) {
	s := o.stage
	answer, err := live.History.FindOperation(ctx, &plugv1.FindOperationRequest{Channel: string(source), OperationId: string(as)})
	switch {
	case status.Code(err) == codes.Unimplemented:
		s.change(o.channel.Network, func(p *plug) {
			if p.live == live {
				without := *live
				without.History = nil
				p.live = &without
			}
		})
		return false, false
	case err != nil:
		o.log.Warn("the network can't tell what became of an operation", "error", err)
		return false, true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range answer.Parts {
		p.Receipt.Channel = cmp.Or(p.Receipt.Channel, string(source))
		o.heard.note(p.Part, p.Receipt, journalv1.SettledBy_SETTLED_BY_HISTORY)
		s.origins.add(o.channel, o.record, max(p.Part, 1), p.Receipt)
	}
	return true, false
}

// finds tells whether the plug can be asked what an action made.
func (l *Live) finds(a *plugv1.Action) bool {
	return l != nil && l.History != nil && a.GetMessage() != nil
}
