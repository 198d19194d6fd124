package plug

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

func typing(n int) *plugv1.Event {
	return NewTyping("room", &plugv1.User{Id: fmt.Sprint(n)}, true, plugv1.Own_OWN_NO)
}

// Typing and read markers reach the host in their place, once: another stream brings
// back only what counts.
func TestBestEffortEventsAreSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, q := startQueue(t)
		stream := h.open()
		synctest.Wait()
		for _, e := range []*plugv1.Event{message("1"), typing(1), NewReadMarker("room", "1", nil, plugv1.Own_OWN_NO), message("2")} {
			if err := q.Event(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		var kinds string
		var last uint64
		for len(kinds) < 4 {
			answer := stream.recv()
			last = answer.GetSequence()
			for _, e := range answer.GetEvents() {
				kinds += map[bool]string{true: "b", false: "m"}[e.GetMessage() == nil]
			}
		}
		if kinds != "mbbm" {
			t.Errorf("came as %s", kinds)
		}
		stream.end()
		synctest.Wait()
		stream = h.open()
		if ids, _ := stream.events(2); ids[0] != "1" || ids[1] != "2" {
			t.Errorf("again came %v", ids)
		}
		stream.ack(last)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.Flush(ctx); err != nil {
			t.Errorf("a best-effort event keeps the queue from being flushed: %v", err)
		}
	})
}

// They never wait, and never keep room from what counts.
func TestBestEffortEventsGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		for i := range maxQueued {
			if err := q.Event(t.Context(), typing(i)); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(q.out.queued.entries); n != maxQueued/2 {
			t.Errorf("%d were taken", n)
		}
		for i := range maxQueued {
			if err := q.Event(t.Context(), message(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(q.out.queued.entries); n != maxQueued || q.out.queued.bytes > maxQueuedBytes {
			t.Errorf("%d entries", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if q.Event(ctx, message("one more")) == nil {
			t.Error("the queue has no bound any more")
		}
	})
}

// What somebody typed before there was a stream is old by then; a cursor is not.
func TestBestEffortEventsDoNotWaitForAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, q := startQueue(t)
		if err := q.Event(t.Context(), typing(1), Cursor{Value: []byte("7")}); err != nil {
			t.Fatal(err)
		}
		answer := h.open().recv()
		if len(answer.GetEvents()) > 0 || string(answer.GetCursors()[0].GetValue()) != "7" {
			t.Errorf("got %v", answer)
		}
	})
}

// startQueue starts a plug and gives its queue.
func startQueue(t *testing.T) (*host, *Queue) {
	t.Helper()
	var q *Queue
	h := newHost(t, newOf(&fake{onStart: func(_ context.Context, s *Session) (*Started, error) {
		q = s.Queue
		return &Started{NetworkID: "fake"}, nil
	}}))
	h.start()
	return h, q
}
