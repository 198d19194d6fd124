package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"

	"github.com/plughost/plughost/host/internal/link/contract"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// openTimeout bounds the opening of a stream, which waits for a connection. The
// stream itself has no deadline, since it lives as long as the plug; heartbeats,
// and the supervisor that counts them, take the deadline's place (S3).
const openTimeout = 10 * time.Second

var (
	errStreaming   = errors.New("a stream is open already")
	errOpenTimeout = errors.New("there was no connection to the plug in time")
)

// Stream is the output end of the plug's queue. Recv is called from one
// goroutine; Ack and Close from any.
type Stream struct {
	link   *Link
	rpc    grpc.BidiStreamingClient[plugv1.StreamMessagesRequest, plugv1.StreamMessagesResponse]
	cancel context.CancelFunc

	received uint64 // sequence of the last answer; Recv only
	err      error  // why the stream is over; Recv only

	// waitingSince is since when Recv waits for an answer; zero: it doesn't. The
	// link's mu guards it.
	waitingSince time.Time

	acks  *acks
	acked chan struct{} // closed when the goroutine that sends acks has ended
}

// Open opens the stream with the last cursor of each scope. ctx is the stream's
// whole life; Close ends it too and must be called in any case. While a stream
// is open another Open fails; after Close one may open the next, without a new
// Start. If the plug refuses the stream, the first Recv says so.
func (l *Link) Open(ctx context.Context, cursors []*plugv1.Cursor) (*Stream, error) {
	s := &Stream{link: l, acks: newAcks(), acked: make(chan struct{})}
	l.mu.Lock()
	if l.stream != nil {
		l.mu.Unlock()
		return nil, l.callError("open the stream", errStreaming)
	}
	l.stream = s
	l.mu.Unlock()

	ctx, s.cancel = context.WithCancel(ctx)
	if err := s.open(ctx, cursors); err != nil {
		s.cancel()
		s.release()
		return nil, l.callError("open the stream", err)
	}
	go func() {
		defer close(s.acked)
		s.acks.run(ctx, s.sendAck)
	}()
	return s, nil
}

// open makes the call and sends the cursors, within openTimeout.
func (s *Stream) open(ctx context.Context, cursors []*plugv1.Cursor) error {
	late := time.AfterFunc(openTimeout, s.cancel)
	rpc, err := s.link.client.StreamMessages(ctx, sizes()...)
	if err == nil {
		s.rpc = rpc
		err = rpc.Send(&plugv1.StreamMessagesRequest{Kind: &plugv1.StreamMessagesRequest_Open{
			Open: &plugv1.StreamOpen{Cursors: cursors},
		}})
		if errors.Is(err, io.EOF) { // over already; what was sent, and why it ended, is Recv's
			err = nil
		}
	}
	if !late.Stop() {
		return errOpenTimeout
	}
	return err
}

// release lets the link open another stream.
func (s *Stream) release() {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	if s.link.stream == s {
		s.link.stream = nil
	}
}

// Recv waits for the next answer. It is checked: sequences have no gap, and
// what breaks the contract is taken out of the answer, counted (Refused) and
// logged. An answer may hold more than the 64 events of a well-behaved plug; it
// is never over 16 MiB. An event without a valid time has the time of receipt.
//
// After an error (the plug ended the stream, an answer was over 16 MiB or not
// valid UTF-8, a gap in the sequences, the life or Close ended it) the stream is
// over, and every further Recv gives the same error.
func (s *Stream) Recv() (*plugv1.StreamMessagesResponse, error) {
	if s.err != nil {
		return nil, s.err
	}
	resp, err := s.recv()
	if err != nil {
		s.err = err
		return nil, err
	}
	return resp, nil
}

func (s *Stream) recv() (*plugv1.StreamMessagesResponse, error) {
	l := s.link
	l.mu.Lock()
	s.waitingSince = time.Now()
	l.mu.Unlock()

	resp, err := s.rpc.Recv()

	now := time.Now()
	l.mu.Lock()
	s.waitingSince = time.Time{}
	if resp != nil {
		l.note(resp.LastNetworkActivity, now)
	}
	l.mu.Unlock()

	if errors.Is(err, io.EOF) {
		return nil, &callError{text: fmt.Sprintf("plug %s: receive: the plug ended the stream", l.name), err: err}
	}
	if err != nil {
		return nil, l.callError("receive", err)
	}
	if resp.Sequence != s.received+1 {
		return nil, l.breach("receive", fmt.Errorf("answer %d came after answer %d", resp.Sequence, s.received))
	}
	s.received = resp.Sequence
	contract.CheckBatch(resp, now, l.refuse)
	return resp, nil
}

// Ack tells the plug that everything up to and with this sequence is in the
// journal. It never blocks and keeps only the newest number: the stream's own
// goroutine sends it, at once if idle is true (nothing that was received remains
// unstored; at most 200 times per second), else at most every 50 ms. Small
// frames that pile up unread were seen to end connections, hence the pace.
func (s *Stream) Ack(through uint64, idle bool) { s.acks.set(through, idle) }

func (s *Stream) sendAck(through uint64) error {
	return s.rpc.Send(&plugv1.StreamMessagesRequest{Kind: &plugv1.StreamMessagesRequest_Ack{
		Ack: &plugv1.StreamAck{Through: through},
	}})
}

// Close ends the stream, and with it a Recv that waits. It returns when the
// stream's goroutine has ended. An acknowledgement not yet sent is lost, which
// costs repeats, no data. It may be called more than once.
func (s *Stream) Close() {
	s.cancel()
	<-s.acked
	s.release()
}
