package plug

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Receive is run again with back-off after an error, a panic and an early return,
// from the last cursors that it gave.
func TestReceiveRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type call struct {
			at      time.Time
			cursors Cursors
		}
		calls := make(chan call, 10)
		n := 0
		p := receiver{&fake{}}
		p.onReceive = func(ctx context.Context, q *Queue, cursors Cursors) error {
			n++
			calls <- call{time.Now(), cursors}
			if err := q.Cursor(ctx, Cursor{Value: []byte(fmt.Sprint(n))}); err != nil {
				return err
			}
			switch n {
			case 1:
				return errors.New("connection reset")
			case 2:
				panic("password hunter2")
			case 3:
				return nil
			case 4:
				time.Sleep(2 * time.Minute) // a connection that held
				return errors.New("connection reset")
			}
			<-ctx.Done()
			return nil
		}
		h := newHost(t, newOf(p))
		h.start()
		stream := h.open(&plugv1.Cursor{Value: []byte("0")})
		go func() {
			for {
				if _, err := stream.grpc.Recv(); err != nil {
					return
				}
			}
		}()
		before := waitFor(t, "receive", calls)
		if string(before.cursors[""]) != "0" {
			t.Errorf("first run: cursors %v", before.cursors)
		}
		for n := 1; n <= 3; n++ {
			next := waitFor(t, "receive", calls)
			// The pause doubles from 1 s, give or take half of it.
			low, high := time.Second<<n/4, time.Second<<n
			if pause := next.at.Sub(before.at); pause < low || pause > high {
				t.Errorf("pause %d was %v, not within %v and %v", n, pause, low, high)
			}
			if string(next.cursors[""]) != fmt.Sprint(n) {
				t.Errorf("run %d: cursors %v", n+1, next.cursors)
			}
			before = next
		}
		time.Sleep(2 * time.Minute)
		next := waitFor(t, "receive", calls)
		if pause := next.at.Sub(before.at) - 2*time.Minute; pause > 2*time.Second {
			t.Errorf("after a run of two minutes the pause was %v", pause)
		}
		if !strings.Contains(h.log.String(), "hunter2") {
			t.Error("the log lacks the panic")
		}
	})
}

// A restart of Receive begins where the author was, also if the host, on a stream
// opened since, brought what it has stored so far.
func TestNewStreamsCursorsDoNotSetReceiveBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		given := make(chan Cursors, 2)
		broken := make(chan struct{})
		p := receiver{&fake{}}
		p.onReceive = func(ctx context.Context, q *Queue, cursors Cursors) error {
			given <- cursors
			if err := q.Event(ctx, message("7"), Cursor{Value: []byte("7")}); err != nil {
				return err
			}
			select {
			case <-broken:
				return errors.New("connection reset")
			case <-ctx.Done():
				return nil
			}
		}
		h := newHost(t, newOf(p))
		h.start()
		h.open(&plugv1.Cursor{Value: []byte("6")})
		waitFor(t, "receive", given)
		synctest.Wait()
		h.open(&plugv1.Cursor{Value: []byte("6")}, &plugv1.Cursor{Scope: "new room", Value: []byte("1")})
		synctest.Wait()
		broken <- struct{}{}
		if got := waitFor(t, "receive again", given); string(got[""]) != "7" || string(got["new room"]) != "1" {
			t.Errorf("cursors %v", got)
		}
	})
}

// A new stream without a new Start does not disturb the pick-up.
func TestReceiveGoesOnOverANewStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := make(chan struct{}, 2)
		p := receiver{&fake{}}
		p.onReceive = func(ctx context.Context, q *Queue, _ Cursors) error {
			runs <- struct{}{}
			<-ctx.Done()
			return nil
		}
		h := newHost(t, newOf(p))
		h.start()
		h.open().end()
		synctest.Wait()
		h.open()
		synctest.Wait()
		if len(runs) != 1 {
			t.Errorf("receive ran %d times", len(runs))
		}
	})
}

// Nothing is picked up before the cursors are there.
func TestReceiveWaitsForTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		given := make(chan Cursors, 1)
		p := receiver{&fake{}}
		p.onReceive = func(ctx context.Context, q *Queue, cursors Cursors) error {
			given <- cursors
			<-ctx.Done()
			return nil
		}
		h := newHost(t, newOf(p))
		h.start()
		synctest.Wait()
		if len(given) > 0 {
			t.Fatal("receive ran before the stream was open")
		}
		h.open(&plugv1.Cursor{Scope: "room", Value: []byte("42")})
		if got := waitFor(t, "receive", given); string(got["room"]) != "42" {
			t.Errorf("cursors %v", got)
		}
	})
}

// What was not acknowledged before a Stop is not lost for the next Start.
func TestUnacknowledgedOutlivesAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		given := make(chan Cursors, 2)
		p := receiver{&fake{}}
		p.onReceive = func(ctx context.Context, q *Queue, cursors Cursors) error {
			given <- cursors
			if len(cursors) == 0 {
				if err := q.Event(ctx, message("1"), Cursor{Value: []byte("after 1")}); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return nil
		}
		h := newHost(t, newOf(p))
		h.start()
		h.open()
		waitFor(t, "receive", given)
		synctest.Wait()
		if err := h.stop(8 * time.Second); err != nil {
			t.Fatal(err)
		}
		h.start()
		stream := h.open() // the host has no cursor: the answer never was acknowledged
		if got := waitFor(t, "receive", given); string(got[""]) != "after 1" {
			t.Errorf("cursors %v: the event would come twice", got)
		}
		if ids, _ := stream.events(1); ids[0] != "1" {
			t.Errorf("got %v", ids)
		}
	})
}

// After a Stop that left nothing open the host's cursors count: it may have dropped
// one with its channel.
func TestCursorsAreTheHostsAfterACleanStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		given := make(chan Cursors, 2)
		p := receiver{&fake{}}
		p.onReceive = func(ctx context.Context, q *Queue, cursors Cursors) error {
			given <- cursors
			err := q.Cursor(ctx, Cursor{Scope: "room", Value: []byte("1")})
			<-ctx.Done()
			return err
		}
		h := newHost(t, newOf(p))
		h.start()
		stream := h.open()
		stream.ack(stream.recv().GetSequence())
		waitFor(t, "receive", given)
		if err := h.stop(8 * time.Second); err != nil {
			t.Fatal(err)
		}
		h.start()
		h.open()
		if got := waitFor(t, "receive", given); len(got) > 0 {
			t.Errorf("cursors %v", got)
		}
	})
}

// A network that no longer takes us is told to the host at once: it holds the plug.
func TestReceiveIsLoggedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := receiver{&fake{}}
		p.onReceive = func(context.Context, *Queue, Cursors) error {
			return fmt.Errorf("log in: %w", LoggedOut(errors.New("the token was revoked")))
		}
		h := newHost(t, newOf(p))
		h.start()
		h.open()
		synctest.Wait()
		watch, err := plugv1.NewNetworkStatusClient(h.conn).WatchStatus(t.Context(), &plugv1.WatchStatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := watch.Recv(); err != nil || got.State != plugv1.NetworkState_NETWORK_STATE_LOGGED_OUT || got.Reason != "log in: the token was revoked" {
			t.Errorf("got %v, %v", got, err)
		}
	})
}
