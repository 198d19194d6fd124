package plug

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

func (e *Echoes) entries() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.waiting)
}

func TestEchoBeforeAndAfterWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e Echoes
		early := e.Expect("early")
		if !e.Arrived("early", receipt("1")) {
			t.Error("nobody was waiting")
		}
		if r, err := early.Wait(t.Context()); err != nil || r.GetId() != "1" {
			t.Errorf("got %v, %v", r, err)
		}
		late := e.Expect("late")
		go func() {
			time.Sleep(time.Second)
			e.Arrived("late", receipt("2"))
		}()
		if r, err := late.Wait(t.Context()); err != nil || r.GetId() != "2" {
			t.Errorf("got %v, %v", r, err)
		}
		if e.Arrived("late", receipt("3")) || e.Arrived("never expected", receipt("4")) {
			t.Error("an echo that nobody waits for was taken")
		}
		if e.entries() != 0 {
			t.Errorf("%d entries are left", e.entries())
		}
	})
}

func TestEchoThatNeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e Echoes
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := e.Expect("a").Wait(ctx)
		if VerdictOf(err) != plugv1.Verdict_VERDICT_UNCERTAIN || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		x := e.Expect("b")
		x.Cancel()
		x.Cancel()
		if e.entries() != 0 {
			t.Errorf("%d entries are left", e.entries())
		}
	})
}

// The same text twice: the first echo is the first message's.
func TestEchoesOfOneKeyKeepTheirOrder(t *testing.T) {
	var e Echoes
	first, gone, second := e.Expect("hi"), e.Expect("hi"), e.Expect("hi")
	gone.Cancel()
	e.Arrived("hi", receipt("1"))
	e.Arrived("hi", receipt("2"))
	for i, x := range []*Expected{first, second} {
		if r, err := x.Wait(t.Context()); err != nil || r.GetId() != fmt.Sprint(i+1) {
			t.Errorf("expected %d got %v, %v", i+1, r, err)
		}
	}
}

// After the deadline of a Put nothing may be sent, but its echo is still listened
// for, as long as the host waits; a time-out of the author's own is kept.
func TestPutListensOnAfterItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e Echoes
		own := time.Duration(0)
		h := startPutter(t, Definition{}, func(ctx context.Context, p *Part) (*plugv1.Receipt, error) {
			if own > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, own)
				defer cancel()
			}
			return e.Expect("key").Wait(ctx)
		})
		go func() {
			time.Sleep(33 * time.Second) // 3 s after the deadline
			e.Arrived("key", receipt("1"))
		}()
		if got := receiptIDs(h.put(t.Context())); len(got) != 1 || got[0] != "1" {
			t.Errorf("receipts %v", got)
		}
		for _, own = range []time.Duration{0, 10 * time.Second} {
			began := time.Now()
			if f := h.put(t.Context()).GetFailure(); f.GetVerdict() != plugv1.Verdict_VERDICT_UNCERTAIN {
				t.Errorf("got %v", f)
			}
			want := 30*time.Second + listenAfterDeadline
			if own > 0 {
				want = own
			}
			if took := time.Since(began); took != want {
				t.Errorf("own time-out %v: took %v, want %v", own, took, want)
			}
		}
	})
}

// The head-room rule: strangers have filled the queue behind a Put that waits for its
// echo. The reader still brings the echo in, and a new Put is refused before it sends
// anything. Without the head-room this is a deadlock until the deadline.
func TestEchoArrivesThroughAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e Echoes
		network := make(chan *plugv1.Event, 4*maxQueued) // what the reader has yet to read
		read := 0
		p := full{putter: putter{&fake{}}}
		p.onPut = func(ctx context.Context, part *Part) (*plugv1.Receipt, error) {
			x := e.Expect(part.OperationID)
			defer x.Cancel()
			for n := range maxQueued + maxQueued/2 { // the strangers talk first
				network <- message(fmt.Sprint("stranger ", n))
			}
			echo := message("ours")
			echo.OperationId = part.OperationID
			network <- echo
			return x.Wait(ctx)
		}
		p.onReceive = func(ctx context.Context, q *Queue, _ Cursors) error {
			for {
				select {
				case event := <-network:
					e.Arrived(event.GetOperationId(), receipt(event.GetMessageId()))
					if err := q.Event(ctx, event); err != nil {
						return err
					}
					read++
				case <-ctx.Done():
					return nil
				}
			}
		}
		d := newOf(p)
		d.MaxConcurrentPuts = 2
		h := newHost(t, d)
		h.start()
		h.server.beginPickUp(h.server.running()) // as a stream would, which then is stuck

		began := time.Now()
		if got := receiptIDs(h.put(t.Context())); len(got) != 1 || got[0] != "ours" {
			t.Fatalf("receipts %v", got)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("the echo took %v", took)
		}
		synctest.Wait()
		if read < maxQueued+maxQueued/2 { // the echo itself may wait again, now that its Put has ended
			t.Errorf("%d events were read", read)
		}
		if f := h.put(t.Context(), inChannel("other")).GetFailure(); f.GetVerdict() != plugv1.Verdict_VERDICT_NOT_SENT || len(network) > 0 {
			t.Errorf("with a full queue a new put answered %v", f)
		}
		stream := h.open()
		stream.acknowledge(maxQueued + maxQueued/2 + 1)
		synctest.Wait()
		if got := receiptIDs(h.put(t.Context(), inChannel("other"))); len(got) != 1 {
			t.Errorf("with room again: %v", got)
		}
		go stream.acknowledge(maxQueued + maxQueued/2 + 1)
		synctest.Wait()
	})
}

// The head-room is bounded too, and only for running Puts.
func TestHeadRoomIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		add := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return o.add(ctx, nil, &entry{size: 100})
		}
		if !o.beginPut() {
			t.Fatal("an empty queue refused a put")
		}
		n := 0
		for add() == nil {
			n++
		}
		if n != headRoom*maxQueued {
			t.Errorf("%d entries with a running put", n)
		}
		if o.beginPut() {
			t.Error("a put began with a full queue")
		}
		o.endPut()
		epoch, _ := o.open(nil)
		for range maxQueued / plugv1.MaxBatchEvents {
			o.next(epoch, 1)
		}
		if add() == nil {
			t.Error("the head-room was open without a running put")
		}
		o.next(epoch, 1)
		if err := add(); err != nil {
			t.Error(err)
		}
	})
}

// A Put that begins while the reader is blocked would wait for an echo behind it.
func TestPutIsRefusedWhileTheReaderIsBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		for range 15 { // 15 of 16 quarters of a MiB: neither bound is reached
			if err := o.add(t.Context(), nil, &entry{size: 256 << 10}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = o.add(ctx, nil, &entry{size: 300 << 10}) }()
		synctest.Wait()
		if o.beginPut() {
			t.Error("the put began")
		}
		cancel()
		synctest.Wait()
		if !o.beginPut() {
			t.Error("the put was refused without a reason")
		}
	})
}
