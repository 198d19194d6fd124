package plug

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A Put that finds no place before its deadline was certainly not sent.
func TestPutThatWaitsBeyondItsDeadlineIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := startPutter(t, Definition{}, func(context.Context, *Part) (*plugv1.Receipt, error) {
			<-release
			return receipt("m"), nil
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.put(t.Context())
		}()
		synctest.Wait()
		if f := h.put(t.Context(), inChannel("other")).GetFailure(); f.GetVerdict() != plugv1.Verdict_VERDICT_NOT_SENT {
			t.Errorf("got %v", f)
		}
		close(release)
		<-done
	})
}

// A Put whose deadline has passed before it begins never reaches the author.
func TestPutAfterItsDeadlineIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newOf(wholePutter{&fake{onPutWhole: func(context.Context, *Whole) ([]*plugv1.Receipt, error) {
			t.Error("the author's put was called")
			return nil, nil
		}}}))
		h.start()
		late := func(req *plugv1.PutRequest) { req.Deadline = timestamppb.New(time.Now().Add(-time.Second)) }
		if f := h.put(t.Context(), late).GetFailure(); f.GetVerdict() != plugv1.Verdict_VERDICT_NOT_SENT {
			t.Errorf("got %v", f)
		}
	})
}

// A clock that was set back after the host had looked at it gives a Put no more time: its
// end is told by the RPC's too.
func TestPutDeadlineAfterAClockJump(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		h := startPutter(t, Definition{}, func(ctx context.Context, p *Part) (*plugv1.Receipt, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second+answerMargin)
		defer cancel()
		r := h.put(ctx, func(req *plugv1.PutRequest) { req.Deadline = timestamppb.New(time.Now().Add(time.Hour)) })
		if took := time.Since(begun); took != 30*time.Second || r.GetFailure().GetVerdict() != plugv1.Verdict_VERDICT_UNCERTAIN {
			t.Errorf("after %v: %v", took, r)
		}
	})
}

// The RPC's cancellation does not reach the author; the outcome then comes on the
// stream.
func TestOutcomeAfterTheRPCWasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := startPutter(t, Definition{}, func(ctx context.Context, p *Part) (*plugv1.Receipt, error) {
			select {
			case <-release:
				return receipt("m"), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		stream := h.open()
		ctx, cancel := context.WithCancel(t.Context())
		given := make(chan error, 1)
		go func() {
			_, err := h.client.Put(ctx, putRequest(func(req *plugv1.PutRequest) { req.Attempt = 2 }))
			given <- err
		}()
		synctest.Wait()
		cancel()
		if err := waitFor(t, "the cancelled RPC", given); err == nil {
			t.Fatal("the RPC was answered")
		}
		synctest.Wait()
		close(release)
		o := stream.recv().GetOutcomes()
		if len(o) != 1 || o[0].GetOperationId() != "0123456789abcdefghij" || o[0].GetAttempt() != 2 || receiptIDs(o[0].GetResponse())[0] != "m" {
			t.Errorf("outcomes %v", o)
		}
	})
}

// The author's ctx ends at the deadline, 5 s before the RPC; no further part begins.
func TestDeadlineEndsWhatCouldStillSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		h := startPutter(t, limits(&plugv1.Limits{TextLength: 12}), func(ctx context.Context, p *Part) (*plugv1.Receipt, error) {
			calls++
			<-ctx.Done() // the network took it at the last moment
			return receipt("m1"), nil
		})
		began := time.Now()
		resp := h.put(t.Context(), withText("one two three four"))
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("took %v", took)
		}
		if f := resp.GetFailure(); calls != 1 || f.GetVerdict() != plugv1.Verdict_VERDICT_NOT_SENT || !slices.Equal(receiptIDs(resp), []string{"m1"}) {
			t.Errorf("%d calls, %v", calls, resp)
		}
	})
}

// A Put that still runs when Stop comes gets its echo, and its outcome reaches the
// host before the author's Stop.
func TestStopWaitsForALatePut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var echoes Echoes
		network := make(chan *plugv1.Receipt)
		stopped := false
		p := full{putter: putter{&fake{}}}
		p.onPut = func(ctx context.Context, part *Part) (*plugv1.Receipt, error) {
			return echoes.Expect(part.OperationID).Wait(ctx)
		}
		p.onReceive = func(ctx context.Context, _ *Queue, _ Cursors) error {
			select {
			case r := <-network:
				echoes.Arrived(putRequest().GetOperationId(), r)
				<-ctx.Done()
			case <-ctx.Done():
			}
			return nil
		}
		p.onStop = func(context.Context) error { stopped = true; return nil }
		h := newHost(t, newOf(p))
		h.start()
		stream := h.open()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = h.client.Put(ctx, putRequest()) }()
		synctest.Wait()
		cancel() // the host's stop ladder has given it up
		done := make(chan error, 1)
		go func() { done <- h.stop(8 * time.Second) }()
		time.Sleep(time.Second)
		if f := h.put(t.Context(), inChannel("other")).GetFailure(); f.GetVerdict() != plugv1.Verdict_VERDICT_NOT_SENT {
			t.Errorf("a put during Stop: %v", f)
		}
		select {
		case network <- receipt("m"):
		case <-time.After(time.Minute):
			t.Fatal("nobody reads the network any more")
		}
		answer := stream.recv()
		if o := answer.GetOutcomes(); len(o) != 1 || receiptIDs(o[0].GetResponse())[0] != "m" || stopped {
			t.Errorf("outcomes %v, author's Stop called: %v", o, stopped)
		}
		stream.ack(answer.GetSequence())
		if err := waitFor(t, "stop", done); err != nil || !stopped {
			t.Errorf("stop: %v", err)
		}
	})
}

// A Put that obeys nobody does not keep Stop beyond its grace.
func TestStopDoesNotWaitForAStuckPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := startPutter(t, Definition{}, func(context.Context, *Part) (*plugv1.Receipt, error) {
			<-release
			return nil, errors.New("stuck")
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.put(t.Context())
		}()
		synctest.Wait()
		began := time.Now()
		if err := h.stop(8 * time.Second); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("Stop took %v", took)
		}
		close(release)
		<-done
	})
}

// A Put that never returns would keep its channel for ever: the process ends, a minute
// after the deadline and not before.
func TestStuckPutEndsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, aborted := make(chan struct{}), make(chan time.Time, 1)
		h := startPutter(t, Definition{}, func(context.Context, *Part) (*plugv1.Receipt, error) {
			<-release
			return receipt("m"), nil
		})
		h.server.abort = func() { aborted <- time.Now() }
		deadline := time.Now().Add(time.Second)
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.put(t.Context(), func(req *plugv1.PutRequest) { req.Deadline = timestamppb.New(deadline) })
		}()
		if at := <-aborted; !at.Equal(deadline.Add(time.Minute)) {
			t.Errorf("the process ended at %v, the deadline was %v", at, deadline)
		}
		close(release)
		<-done
		h.put(t.Context()) // one that returns in time
		time.Sleep(2 * time.Minute)
		if len(aborted) > 0 {
			t.Error("the process ended without a reason")
		}
	})
}
