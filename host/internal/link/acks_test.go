package link

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// ackTimes runs a plug that notes each acknowledgement and when it came.
type ackTimes struct {
	through []uint64
	at      []time.Time
}

func (a *ackTimes) serve(s streamServer) error {
	for {
		r, err := s.Recv()
		if err != nil {
			return nil
		}
		if ack := r.GetAck(); ack != nil {
			a.through = append(a.through, ack.Through)
			a.at = append(a.at, time.Now())
		}
	}
}

// Acknowledgements: at once and up to 200 per second when nothing waits, every
// 50 ms else; the newest always arrives, and they only ever grow.
func TestAckPace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		idle     bool
		gap      time.Duration
		min, max int // acks for one second of one each millisecond
	}{
		{idle: true, gap: idleGap, min: 195, max: 201},
		{idle: false, gap: busyGap, min: 19, max: 21},
	} {
		synctest.Test(t, func(t *testing.T) {
			var got ackTimes
			s := open(t, connect(t, &fakePlug{OnStream: got.serve}))
			const n = 1000
			for i := uint64(1); i <= n; i++ {
				s.Ack(i, c.idle)
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if k := len(got.at); k < c.min || k > c.max {
				t.Errorf("idle %v: %d acks in a second, want %d to %d", c.idle, k, c.min, c.max)
			}
			for i := 1; i < len(got.at); i++ {
				if d := got.at[i].Sub(got.at[i-1]); d < c.gap {
					t.Errorf("idle %v: two acks within %v", c.idle, d)
				}
				if got.through[i] <= got.through[i-1] {
					t.Errorf("idle %v: %d after %d", c.idle, got.through[i], got.through[i-1])
				}
			}
			if last := got.through[len(got.through)-1]; last != n {
				t.Errorf("idle %v: the last ack is %d, want %d", c.idle, last, n)
			}
		})
	}
}

// An idle acknowledgement goes at once, also when a busy one waits for its turn;
// a smaller number, or the same again, sends nothing.
func TestAckAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got ackTimes
		s := open(t, connect(t, &fakePlug{OnStream: got.serve}))
		time.Sleep(time.Second)
		began := time.Now()
		s.Ack(1, true)
		synctest.Wait()
		time.Sleep(10 * time.Millisecond)
		s.Ack(2, false) // would wait until 50 ms
		s.Ack(1, false)
		time.Sleep(10 * time.Millisecond)
		s.Ack(3, true)
		s.Ack(3, true)
		synctest.Wait()
		s.Ack(5, false)
		s.Ack(4, false)
		time.Sleep(time.Second)
		synctest.Wait()
		if fmt.Sprint(got.through) != "[1 3 5]" || got.at[0] != began || got.at[1].Sub(began) != 20*time.Millisecond {
			t.Errorf("acks %v at %v", got.through, got.at)
		}
	})
}

// A plug that never reads its acknowledgements blocks neither Ack nor Close, and
// costs one number.
func TestAckUnread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, connect(t, &fakePlug{OnStream: send()}))
		for i := range uint64(200 * 90) { // 90 s at full pace: more than a flow-control window
			s.Ack(i, true)
			time.Sleep(idleGap)
		}
		s.Close()
	})
}
