package plug

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// D5: the queue holds 1,024 entries, blocks and drops nothing.
func TestFullQueueBlocksAndDropsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const total = 3 * maxQueued
		h, queue := eventDriven(t)
		queued := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for n := range total {
				if err := queue.Event(t.Context(), message(fmt.Sprint(n))); err != nil {
					t.Error(err)
				}
				queued++
			}
		}()
		synctest.Wait()
		if queued != maxQueued {
			t.Fatalf("%d events were taken, the bound is %d", queued, maxQueued)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := queue.Event(ctx, message("impatient")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a full queue answered %v", err)
		}
		ids, _ := h.open().events(total)
		<-done
		for n, id := range ids {
			if id != fmt.Sprint(n) {
				t.Fatalf("event %d is %q", n, id)
			}
		}
	})
}

// Who waits for room in the queue with a context that never ends is let go by Stop.
func TestStopEndsAWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, queue := eventDriven(t)
		result := make(chan error, 1)
		go func() {
			for {
				if err := queue.Event(context.Background(), message("1")); err != nil {
					result <- err
					return
				}
			}
		}()
		synctest.Wait()
		if err := h.stop(8 * time.Second); err != nil {
			t.Fatal(err)
		}
		if err := waitFor(t, "the event handler", result); !errors.Is(err, ErrStopped) {
			t.Errorf("got %v", err)
		}
	})
}

// D5: the queue holds 4 MiB.
func TestQueueIsBoundedByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, queue := eventDriven(t)
		bytes := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for n := range 100 {
				e := message(fmt.Sprint(n))
				e.GetMessage().Text = NewText(strings.Repeat("x", 200<<10))
				if err := queue.Event(t.Context(), e); err != nil {
					t.Error(err)
				}
				bytes += 200 << 10
			}
		}()
		synctest.Wait()
		if bytes > maxQueuedBytes || bytes < maxQueuedBytes-(256<<10) {
			t.Errorf("%d bytes were taken, the bound is %d", bytes, maxQueuedBytes)
		}
		stream := h.open()
		stream.acknowledge(100)
		<-done
	})
}

// acknowledge reads n events and acknowledges each answer at once.
func (s *hostStream) acknowledge(n int) {
	s.t.Helper()
	for seen := 0; seen < n; {
		answer := s.recv()
		seen += len(answer.GetEvents())
		s.ack(answer.GetSequence())
	}
}

// D5: 16,384 events are kept until they are acknowledged; then the stream waits for
// the host, with heartbeats, and the queue fills behind it.
func TestUnacknowledgedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const total = maxKept + 2*maxQueued
		h, queue := eventDriven(t)
		stream := h.open()
		queued := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for n := range total {
				if err := queue.Event(t.Context(), message(fmt.Sprint(n))); err != nil {
					t.Error(err)
				}
				queued++
			}
		}()
		_, last := stream.events(maxKept)
		if beat := stream.recv(); len(beat.GetEvents()) > 0 {
			t.Fatalf("answer %d came without room to keep its events", beat.GetSequence())
		}
		if queued != maxKept+maxQueued {
			t.Errorf("%d events were taken, the bounds are %d and %d", queued, maxKept, maxQueued)
		}
		acked := time.Now()
		stream.ack(last)
		if ids, _ := stream.events(2 * maxQueued); ids[0] != fmt.Sprint(maxKept) || time.Since(acked) > 0 {
			t.Errorf("went on with %s after %v", ids[0], time.Since(acked))
		}
		<-done
	})
}

// D5: 8 MiB are kept until they are acknowledged.
func TestUnacknowledgedIsBoundedByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, queue := eventDriven(t)
		stream := h.open()
		go func() {
			for n := range 60 {
				e := message(fmt.Sprint(n))
				e.GetMessage().Text = NewText(strings.Repeat("x", 200<<10))
				if err := queue.Event(t.Context(), e); err != nil {
					t.Error(err)
				}
			}
		}()
		events, number := 0, uint64(0)
		for {
			answer := stream.recv()
			if len(answer.GetEvents()) == 0 {
				break
			}
			events, number = events+len(answer.GetEvents()), answer.GetSequence()
		}
		if want := maxKeptBytes / (200<<10 + entryOverhead + 64); events < want-1 || events > want+1 {
			t.Errorf("%d events of 200 KiB went out without an acknowledgement", events)
		}
		stream.ack(number)
		stream.acknowledge(60 - events)
	})
}

// D1: an acknowledgement that an old stream brings late names other events than the
// new stream's answer of that number.
func TestOldStreamsAcknowledgementDoesNotCount(t *testing.T) {
	o := newOutbox()
	for range 2 {
		if err := o.add(t.Context(), nil, &entry{}); err != nil {
			t.Fatal(err)
		}
	}
	old, _ := o.open(nil)
	o.next(old, 1)
	current, _ := o.open(nil)
	if n := len(o.next(current, 1)); n != 2 {
		t.Fatalf("%d entries came again", n)
	}
	if err := o.add(t.Context(), nil, &entry{}); err != nil {
		t.Fatal(err)
	}
	o.ack(old, 1)
	if o.pending() != 3 || len(o.next(old, 2)) > 0 {
		t.Error("the old stream still counts")
	}
	o.ack(current, 1)
	if o.pending() != 1 || len(o.next(current, 2)) != 1 {
		t.Error("the new stream does not count")
	}
}

func TestFlushWaitsForTheAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, queue := eventDriven(t)
		stream := h.open()
		if err := queue.Event(t.Context(), message("1")); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- queue.Flush(t.Context()) }()
		_, number := stream.events(1)
		synctest.Wait()
		if len(done) > 0 {
			t.Fatal("flushed without an acknowledgement")
		}
		if err := queue.Event(t.Context(), message("2")); err != nil { // after the call: not waited for
			t.Fatal(err)
		}
		stream.ack(number)
		if err := waitFor(t, "flush", done); err != nil {
			t.Error(err)
		}
	})
}
