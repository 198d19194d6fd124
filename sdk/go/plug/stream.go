package plug

import (
	"context"
	"errors"
	"io"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// heartbeat is how long a stream is silent with nothing to send.
const heartbeat = 10 * time.Second

// stream is one call of StreamMessages after its open.
type stream struct {
	grpc     grpc.BidiStreamingServer[plugv1.StreamMessagesRequest, plugv1.StreamMessagesResponse]
	outbox   *outbox
	epoch    uint64
	ready    <-chan struct{}
	replaced chan struct{} // closed when a newer stream is opened
}

// StreamMessages sends what is queued and takes the acknowledgements, each in a
// goroutine of its own: a blocked answer must not keep an acknowledgement from being
// read. Both end when the call returns, since its context ends then.
func (s *server) StreamMessages(g grpc.BidiStreamingServer[plugv1.StreamMessagesRequest, plugv1.StreamMessagesResponse]) error {
	first, err := g.Recv()
	if err != nil {
		return err
	}
	if first.GetOpen() == nil {
		return status.Error(codes.InvalidArgument, "the first request of a stream is open")
	}
	r := s.running()
	if r == nil || !r.up {
		return status.Error(codes.FailedPrecondition, "a stream is opened after Start")
	}
	st := s.openStream(g, first.GetOpen().GetCursors())
	s.beginPickUp(r)

	ended := make(chan error, 2) // both goroutines can leave their word and go
	s.tasks.Go(func() { ended <- st.send(g.Context()) })
	s.tasks.Go(func() { ended <- st.receiveAcks() })
	select {
	case err := <-ended:
		return err
	case <-st.replaced:
		return status.Error(codes.Aborted, "another stream was opened")
	}
}

// openStream makes a stream the one that counts and ends the one before it.
func (s *server) openStream(g grpc.BidiStreamingServer[plugv1.StreamMessagesRequest, plugv1.StreamMessagesResponse],
	cursors []*plugv1.Cursor) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream != nil {
		close(s.stream.replaced)
	}
	st := &stream{grpc: g, outbox: s.outbox, replaced: make(chan struct{})}
	st.epoch, st.ready = s.outbox.open(cursors)
	s.stream = st
	return st
}

// send writes answers until the stream ends. HTTP/2's flow control holds it back
// while the host does not read; the queue behind it then fills.
func (st *stream) send(ctx context.Context) error {
	idle := time.NewTimer(heartbeat)
	defer idle.Stop()
	for number := uint64(1); ; number++ {
		batch := st.outbox.next(st.epoch, number)
		for beat := false; len(batch) == 0 && !beat; {
			select {
			case <-st.ready:
				batch = st.outbox.next(st.epoch, number)
			case <-idle.C:
				beat = true
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		answer := newAnswer(number, batch)
		answer.LastNetworkActivity = st.outbox.lastActivity()
		if err := st.grpc.Send(answer); err != nil {
			return err
		}
		idle.Reset(heartbeat)
	}
}

// newAnswer puts entries into one answer: of each scope the last cursor, which is
// valid after all of the answer's events.
func newAnswer(number uint64, batch []*entry) *plugv1.StreamMessagesResponse {
	answer := &plugv1.StreamMessagesResponse{Sequence: number}
	place := make(map[string]int)
	for _, e := range batch {
		if e.event != nil {
			answer.Events = append(answer.Events, e.event)
		}
		if e.gap != nil {
			answer.Gaps = append(answer.Gaps, e.gap)
		}
		if e.outcome != nil {
			answer.Outcomes = append(answer.Outcomes, e.outcome)
		}
		answer.CaughtUp = append(answer.CaughtUp, e.caughtUp...)
		for _, c := range e.cursors {
			if i, ok := place[c.GetScope()]; ok {
				answer.Cursors[i] = c
				continue
			}
			place[c.GetScope()] = len(answer.Cursors)
			answer.Cursors = append(answer.Cursors, c)
		}
	}
	return answer
}

// receiveAcks reads the request side for the stream's whole life.
func (st *stream) receiveAcks() error {
	for {
		req, err := st.grpc.Recv()
		if errors.Is(err, io.EOF) {
			return nil // the host is done with the stream
		}
		if err != nil {
			return err
		}
		if req.GetOpen() != nil {
			return status.Error(codes.InvalidArgument, "a stream is opened once")
		}
		st.outbox.ack(st.epoch, req.GetAck().GetThrough()) // of an unknown request: nothing
	}
}
