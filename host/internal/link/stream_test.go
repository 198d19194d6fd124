package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

func answer(sequence uint64, eventIDs ...string) *plugv1.StreamMessagesResponse {
	resp := &plugv1.StreamMessagesResponse{Sequence: sequence}
	for _, id := range eventIDs {
		resp.Events = append(resp.Events, &plugv1.Event{EventId: id, Channel: "#c", Time: timestamppb.Now()})
	}
	return resp
}

// send is a plug that sends these answers, then stays silent.
func send(answers ...*plugv1.StreamMessagesResponse) func(streamServer) error {
	return func(s streamServer) error {
		for _, a := range answers {
			if err := s.Send(a); err != nil {
				return err
			}
		}
		<-s.Context().Done()
		return nil
	}
}

func open(t *testing.T, l *Link, cursors ...*plugv1.Cursor) *Stream {
	t.Helper()
	s, err := l.Open(context.Background(), cursors)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// O6: answers come in order, with what the plug said, and the plug has got its
// cursors back first.
func TestStream(t *testing.T) {
	t.Parallel()
	var opened *plugv1.StreamMessagesRequest
	l := connect(t, &fakePlug{OnStream: func(s streamServer) error {
		opened, _ = s.Recv()
		return send(answer(1, "a", "b"), answer(2), answer(3, "c"))(s)
	}})
	s := open(t, l, &plugv1.Cursor{Scope: "#c", Value: []byte("7")})
	var got []string
	for range 3 {
		resp, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range resp.Events {
			got = append(got, e.EventId)
		}
	}
	if strings.Join(got, "") != "abc" {
		t.Errorf("events %q", got)
	}
	if c := opened.GetOpen().GetCursors(); len(c) != 1 || c[0].Scope != "#c" || string(c[0].Value) != "7" {
		t.Errorf("the plug was given %v", c)
	}
}

// At most one stream is open; after its end there may be another.
func TestStreamOnlyOne(t *testing.T) {
	t.Parallel()
	l := connect(t, &fakePlug{OnStream: func(s streamServer) error { return s.Send(answer(1)) }})
	s := open(t, l)
	if second, err := l.Open(t.Context(), nil); err == nil {
		second.Close()
		t.Fatal("a second stream was opened beside the first")
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Recv()
	if !errors.Is(err, io.EOF) || !strings.HasPrefix(err.Error(), "plug irc1: receive: ") {
		t.Errorf("the end of the stream: %v", err)
	}
	if _, again := s.Recv(); again != err {
		t.Errorf("after the end: %v", again)
	}
	s.Close()
	s.Close()
	if _, err := open(t, l).Recv(); err != nil {
		t.Errorf("the next stream: %v", err)
	}
}

// endedClient opens streams that the plug has ended before the opening went out.
type endedClient struct{ plugv1.PlugClient }

func (c endedClient) StreamMessages(ctx context.Context, o ...grpc.CallOption) (streamClient, error) {
	s, err := c.PlugClient.StreamMessages(ctx, o...)
	return endedStream{s}, err
}

type streamClient = grpc.BidiStreamingClient[plugv1.StreamMessagesRequest, plugv1.StreamMessagesResponse]

type endedStream struct{ streamClient }

func (endedStream) Send(*plugv1.StreamMessagesRequest) error { return io.EOF }

// D1: what a plug sent before it ended the stream is not lost, even if it ended
// it before it could be told the cursors.
func TestStreamEndedEarly(t *testing.T) {
	t.Parallel()
	l := connect(t, &fakePlug{OnStream: func(s streamServer) error { return s.Send(answer(1, "a")) }})
	l.client = endedClient{l.client}
	s := open(t, l)
	if resp, err := s.Recv(); err != nil || len(resp.Events) != 1 {
		t.Errorf("%v, %v", resp, err)
	}
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

// A stream that could not be opened doesn't stand in the way of the next.
func TestStreamOpenFails(t *testing.T) {
	t.Parallel()
	var refuse atomic.Bool
	refuse.Store(true)
	l := connect(t, &fakePlug{OnStream: func(s streamServer) error {
		if refuse.Load() {
			return status.Error(codes.FailedPrecondition, "not started")
		}
		return send(answer(1))(s)
	}})
	cursor := &plugv1.Cursor{Value: make([]byte, plugv1.MaxMessageBytes)}
	if s, err := l.Open(t.Context(), []*plugv1.Cursor{cursor}); err == nil {
		s.Close()
		t.Fatal("an opening of more than 16 MiB went out")
	}
	s := open(t, l)
	if _, err := s.Recv(); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("got %v", err)
	}
	s.Close()
	refuse.Store(false)
	if _, err := open(t, l).Recv(); err != nil {
		t.Error(err)
	}
}

// I2: a connection that neither comes about nor fails can't hold the host in
// Open.
func TestStreamOpenHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _ := dial(t, func(ctx context.Context, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		began := time.Now()
		_, err := l.Open(context.Background(), nil)
		if !errors.Is(err, errOpenTimeout) || time.Since(began) != openTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestStreamSequence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sequences []uint64
		good      int
	}{
		"begins at 2": {[]uint64{2}, 0},
		"begins at 0": {[]uint64{0}, 0},
		"a gap":       {[]uint64{1, 2, 4}, 2},
		"a repeat":    {[]uint64{1, 1}, 1},
		"backwards":   {[]uint64{1, 2, 1}, 2},
	} {
		var answers []*plugv1.StreamMessagesResponse
		for _, n := range c.sequences {
			answers = append(answers, answer(n))
		}
		synctest.Test(t, func(t *testing.T) {
			s := open(t, connect(t, &fakePlug{OnStream: send(answers...)}))
			for i := range c.good {
				if _, err := s.Recv(); err != nil {
					t.Errorf("%s: answer %d: %v", name, i, err)
				}
			}
			for range 2 { // the error stays
				if _, err := s.Recv(); err == nil || !strings.Contains(err.Error(), "broke the contract") {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

// An answer may be as large as gRPC's limit, if its events are within theirs.
func TestStreamLargeAnswer(t *testing.T) {
	t.Parallel()
	large := answer(1)
	for i := range 60 {
		large.Events = append(large.Events, &plugv1.Event{
			EventId: fmt.Sprint(i), MessageId: fmt.Sprint(i), Channel: "#c",
			Kind: &plugv1.Event_Message{Message: message(strings.Repeat("x", 250<<10)).GetMessage()},
		})
	}
	l := connect(t, &fakePlug{OnStream: send(large)})
	if resp, err := open(t, l).Recv(); err != nil || len(resp.Events) != 60 || l.Refused() != 0 {
		t.Errorf("%d events, refused %d: %v", len(resp.GetEvents()), l.Refused(), err)
	}
}

// What is over a size is refused at the link, counted and logged at a bounded
// rate; the answer and the plug live on.
func TestStreamRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bad := answer(1, "good")
		for range 100 {
			bad.Events = append(bad.Events, &plugv1.Event{EventId: "no channel"})
		}
		bad.Cursors = []*plugv1.Cursor{{Value: make([]byte, plugv1.MaxCursorBytes+1)}, {Value: []byte("v")}}
		l := connect(t, &fakePlug{OnStream: send(bad, answer(2, "next"))})
		var lines countingWriter
		l.log = hclogTo(&lines)
		s := open(t, l)
		resp, err := s.Recv()
		if err != nil || len(resp.Events) != 1 || resp.Events[0].EventId != "good" || len(resp.Cursors) != 1 {
			t.Fatalf("%v, %v", resp, err)
		}
		if n := l.Refused(); n != 101 {
			t.Errorf("refused %d, want 101", n)
		}
		if lines != refusalsLogged {
			t.Errorf("%d log lines for 101 breaches, want %d", lines, refusalsLogged)
		}
		if resp, err := s.Recv(); err != nil || len(resp.Events) != 1 {
			t.Errorf("the next answer: %v, %v", resp, err)
		}
	})
}

// Over 16 MiB, or with invalid UTF-8, gRPC itself ends the stream; Puts live,
// and so does the next stream.
func TestStreamEndedByGRPC(t *testing.T) {
	t.Parallel()
	invalid, err := proto.Marshal(answer(1, "id?"))
	if err != nil {
		t.Fatal(err)
	}
	invalid[strings.Index(string(invalid), "id?")+2] = 0xff
	for name, breakIt := range map[string]func(streamServer) error{
		"too large": func(s streamServer) error {
			return s.Send(answer(1, strings.Repeat("x", plugv1.MaxMessageBytes)))
		},
		"invalid UTF-8": func(s streamServer) error { return s.SendMsg(raw(invalid)) },
	} {
		var broken atomic.Bool
		broken.Store(true)
		l := connect(t, &fakePlug{
			OnPut: func(context.Context, *plugv1.PutRequest) (*plugv1.PutResponse, error) { return receipts("1"), nil },
			OnStream: func(s streamServer) error {
				if broken.Load() {
					return breakIt(s)
				}
				return send(answer(1))(s)
			},
		})
		s := open(t, l)
		if resp, err := s.Recv(); err == nil {
			t.Errorf("%s: got %d events", name, len(resp.Events))
		}
		s.Close()
		if resp := l.Put(t.Context(), putRequest("1"), time.Minute); resp.Failure != nil {
			t.Errorf("%s: a Put after it: %v", name, resp)
		}
		broken.Store(false)
		if _, err := open(t, l).Recv(); err != nil {
			t.Errorf("%s: the next stream: %v", name, err)
		}
	}
}

// Close ends a Recv that waits; so does the end of the stream's life.
func TestStreamClose(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Stream, context.CancelFunc){
		"close": func(s *Stream, _ context.CancelFunc) { s.Close() },
		"life":  func(_ *Stream, cancel context.CancelFunc) { cancel() },
	} {
		synctest.Test(t, func(t *testing.T) {
			l := connect(t, &fakePlug{OnStream: send()})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, err := l.Open(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error)
			go func() {
				_, err := s.Recv()
				ended <- err
			}()
			synctest.Wait()
			end(s, cancel)
			if err := <-ended; status.Code(errors.Unwrap(err)) != codes.Canceled {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// Close waits for the goroutine that sends acknowledgements.
func TestStreamCloseWaits(t *testing.T) {
	t.Parallel()
	l := connect(t, &fakePlug{OnStream: send()})
	for range 20 {
		s := open(t, l)
		s.Ack(1, true)
		s.Close()
		select {
		case <-s.acked:
		default:
			t.Fatal("Close returned before the goroutine had ended")
		}
	}
}
