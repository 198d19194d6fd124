package plug

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// eventDriven starts a plug without a Receiver and gives its queue.
func eventDriven(t *testing.T) (*host, *Queue) {
	t.Helper()
	var queue *Queue
	h := newHost(t, newOf(&fake{onStart: func(_ context.Context, s *Session) (*Started, error) {
		queue = s.Queue
		return &Started{NetworkID: "fake"}, nil
	}}))
	h.start()
	return h, queue
}

// The seeds: an event handler that just calls the queue. It hears messages already
// while Start runs, before any stream is open.
func TestBareQueueFromAnEventHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handler func(id string)
		h := newHost(t, newOf(&fake{onStart: func(_ context.Context, s *Session) (*Started, error) {
			handler = func(id string) {
				if err := s.Queue.Event(s.Context(), message(id)); err != nil {
					t.Error(err)
				}
			}
			handler("during start")
			return &Started{NetworkID: "fake"}, nil
		}}))
		h.start()
		handler("before the stream")
		stream := h.open()
		go handler("after")
		if got, _ := stream.events(3); !slices.Equal(got, []string{"during start", "before the stream", "after"}) {
			t.Errorf("got %v", got)
		}
	})
}

// The seeds: a source is a string wrapper of the network's own channel id, here an
// integer. It comes back in Put as it was given.
func TestSourcesAreBoxedAndUnboxed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const chat = -1001234567890123456
		var sentTo int64
		p := putter{&fake{}}
		p.onStart = func(ctx context.Context, s *Session) (*Started, error) {
			source := strconv.FormatInt(chat, 10)
			if err := s.Queue.Event(ctx, NewMessage(source, "1", "hello", plugv1.Own_OWN_NO)); err != nil {
				return nil, err
			}
			return &Started{NetworkID: "fake", Channels: []*plugv1.ChannelStatus{{Requested: "family", Source: source}}}, nil
		}
		p.onPut = func(_ context.Context, part *Part) (_ *plugv1.Receipt, err error) {
			sentTo, err = strconv.ParseInt(part.Channel, 10, 64)
			return receipt("2"), err
		}
		h := newHost(t, newOf(p))
		canonical := h.start().GetChannels()[0].GetSource()
		if got := h.open().recv().GetEvents()[0].GetChannel(); got != canonical {
			t.Errorf("the event names %q, Start %q", got, canonical)
		}
		if resp := h.put(t.Context(), inChannel(canonical)); resp.GetFailure() != nil || sentTo != chat {
			t.Errorf("sent to %d, %v", sentTo, resp.GetFailure())
		}
	})
}

func TestStreamNeedsAStartAndAnOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newOf(&fake{}))
		if _, err := h.open().grpc.Recv(); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("before Start: %v", err)
		}
		h.start()
		g, err := h.client.StreamMessages(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Send(&plugv1.StreamMessagesRequest{}); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Recv(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("without open: %v", err)
		}
	})
}

// A stream that says nothing else says each 10 s when the network was last heard.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, queue := eventDriven(t)
		stream := h.open()
		began := time.Now()
		for n := range uint64(3) {
			heard := time.Now()
			queue.Active()
			answer := stream.recv()
			if waited := time.Since(heard); waited != 10*time.Second {
				t.Errorf("heartbeat after %v", waited)
			}
			if answer.GetSequence() != n+1 || !answer.GetLastNetworkActivity().AsTime().Equal(heard) || len(answer.GetEvents()) > 0 {
				t.Errorf("got %v", answer)
			}
		}
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("three heartbeats took %v", took)
		}
	})
}

// Batches go at once, up to 64 events or 64 KiB.
func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, queue := eventDriven(t)
		for n := range 100 {
			if err := queue.Event(t.Context(), message(fmt.Sprint(n))); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 4 {
			big := message(fmt.Sprint("big ", n))
			big.GetMessage().Text = NewText(strings.Repeat("x", 25<<10))
			if err := queue.Event(t.Context(), big); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		stream := h.open()
		var sizes []int
		for total := 0; total < 104; {
			answer := stream.recv()
			sizes = append(sizes, len(answer.GetEvents()))
			total += len(answer.GetEvents())
		}
		if want := []int{64, 38, 2}; !slices.Equal(sizes, want) {
			t.Errorf("events per answer %v, want %v", sizes, want)
		}
		if time.Since(began) > 0 {
			t.Error("an answer waited")
		}
	})
}

// D1: what the host did not acknowledge comes again, first and in order, with the
// cursors behind it; what it did acknowledge does not.
func TestUnacknowledgedComesAgainOnANewStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, queue := eventDriven(t)
		stream := h.open()
		emit := func(n int) {
			if err := queue.Event(t.Context(), message(fmt.Sprint(n)), Cursor{Value: []byte(fmt.Sprint(n))}); err != nil {
				t.Fatal(err)
			}
		}
		emit(1)
		_, first := stream.events(1)
		emit(2)
		stream.events(1)
		stream.ack(first)
		synctest.Wait()
		stream.end()
		synctest.Wait()
		emit(3)

		stream = h.open()
		answer := stream.recv()
		if answer.GetSequence() != 1 {
			t.Errorf("the new stream begins at %d", answer.GetSequence())
		}
		var ids []string
		for _, e := range answer.GetEvents() {
			ids = append(ids, e.GetMessageId())
		}
		if !slices.Equal(ids, []string{"2", "3"}) {
			t.Errorf("got %v", ids)
		}
		if c := answer.GetCursors(); len(c) != 1 || string(c[0].GetValue()) != "3" {
			t.Errorf("cursors %v", c)
		}
		stream.ack(answer.GetSequence())
		if err := queue.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A cursor is never ahead of its events: the answer with a cursor holds, or comes
// after, every event that was queued before it. Cursors without events go out too.
func TestCursorsFollowTheirEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, queue := eventDriven(t)
		go func() {
			for n := range 500 {
				var err error
				if n%5 == 4 {
					err = queue.Cursor(t.Context(), Cursor{Scope: "room", Value: []byte(fmt.Sprint(n))})
				} else {
					err = queue.Event(t.Context(), message(fmt.Sprint(n)), Cursor{Value: []byte(fmt.Sprint(n))})
				}
				if err != nil {
					t.Error(err)
				}
			}
		}()
		stream := h.open()
		seen, room, plug := 0, "", ""
		for room != "499" || plug != "498" {
			answer := stream.recv()
			seen += len(answer.GetEvents())
			for _, c := range answer.GetCursors() {
				var n int
				if _, err := fmt.Sscan(string(c.GetValue()), &n); err != nil {
					t.Fatal(err)
				}
				if before := n - n/5; seen < before {
					t.Fatalf("cursor %d came after %d events, %d were queued before it", n, seen, before)
				}
				if c.GetScope() == "room" {
					room = string(c.GetValue())
				} else {
					plug = string(c.GetValue())
				}
			}
		}
	})
}

func TestGapAndCaughtUpReachTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, queue := eventDriven(t)
		if err := queue.Gap(t.Context(), &plugv1.Gap{Scope: "room", Reason: "the cursor has expired"}); err != nil {
			t.Fatal(err)
		}
		if err := queue.CaughtUp(t.Context(), "room"); err != nil {
			t.Fatal(err)
		}
		answer := h.open().recv()
		if g := answer.GetGaps(); len(g) != 1 || g[0].GetUntil() == nil || g[0].GetReason() != "the cursor has expired" {
			t.Errorf("gaps %v", g)
		}
		if !slices.Equal(answer.GetCaughtUp(), []string{"room"}) {
			t.Errorf("caught up %v", answer.GetCaughtUp())
		}
	})
}

// The host holds one stream: a new one ends the old, also if the old one is blocked
// because nobody reads it. Nothing is lost between them.
func TestNewStreamEndsTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, queue := eventDriven(t)
		old := h.open()
		go func() {
			for n := range 50 { // more than flow control lets through unread
				e := message(fmt.Sprint(n))
				e.GetMessage().Text = NewText(strings.Repeat("x", 100<<10))
				if err := queue.Event(t.Context(), e); err != nil {
					t.Error(err)
				}
			}
		}()
		synctest.Wait()
		stream := h.open()
		ids := []string{}
		for len(ids) < 50 {
			answer := stream.recv()
			for _, e := range answer.GetEvents() {
				ids = append(ids, e.GetMessageId())
			}
			stream.ack(answer.GetSequence())
		}
		for n, id := range ids {
			if id != fmt.Sprint(n) {
				t.Fatalf("event %d is %q", n, id)
			}
		}
		for {
			if _, err := old.grpc.Recv(); err != nil {
				if status.Code(err) != codes.Aborted {
					t.Errorf("the old stream ended with %v", err)
				}
				return
			}
		}
	})
}
