package pace

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Parts go at the slower of the two rates, after the bucket is empty.
func TestRates(t *testing.T) {
	for name, c := range map[string]struct {
		plug, channel *plugv1.Rate
		want          []time.Duration // when each part went
	}{
		"none":         {nil, nil, []time.Duration{0, 0, 0}},
		"channel":      {nil, &plugv1.Rate{PerSecond: 2}, []time.Duration{0, time.Second / 2, time.Second}},
		"plug":         {&plugv1.Rate{PerSecond: 1, Burst: 2}, nil, []time.Duration{0, 0, time.Second, 2 * time.Second}},
		"the slower":   {&plugv1.Rate{PerSecond: 10}, &plugv1.Rate{PerSecond: 1}, []time.Duration{0, time.Second, 2 * time.Second}},
		"without rate": {&plugv1.Rate{Burst: 1}, nil, []time.Duration{0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := New(c.plug)
				began := time.Now()
				for i, want := range c.want {
					if late, err := p.Wait(t.Context(), "room", c.channel); late != 0 || err != nil {
						t.Fatal(late, err)
					}
					if at := time.Since(began); at != want {
						t.Errorf("part %d went after %v, not %v", i, at, want)
					}
				}
			})
		})
	}
}

// A channel's rate is its own; the plug's is everybody's.
func TestChannelsDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(nil)
		began := time.Now()
		for i := range 1000 {
			if _, err := p.Wait(t.Context(), fmt.Sprint(i), &plugv1.Rate{PerSecond: 0.01}); err != nil {
				t.Fatal(err)
			}
		}
		if time.Since(began) != 0 {
			t.Errorf("it took %v", time.Since(began))
		}
		time.Sleep(time.Hour)
		for i := range 3000 { // all are full by now, and are swept out
			_, _ = p.Wait(t.Context(), fmt.Sprint("b", i%70), &plugv1.Rate{PerSecond: 1e9})
			time.Sleep(time.Microsecond)
		}
		p.sweep = 0
		_, _ = p.Wait(t.Context(), "last", &plugv1.Rate{PerSecond: 1})
		if len(p.channels) > 3 {
			t.Errorf("%d buckets are kept", len(p.channels))
		}
	})
}

// A token that comes too late is not taken, and does not use up the deadline.
func TestTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &plugv1.Rate{PerSecond: 0.1}
		p := New(nil)
		if _, err := p.Wait(t.Context(), "room", slow); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		for range 3 {
			if late, err := p.Wait(ctx, "room", slow); late != 10*time.Second || err != nil {
				t.Errorf("got %v, %v", late, err)
			}
		}
		if time.Since(began) != 0 {
			t.Errorf("it waited %v", time.Since(began))
		}
		cause := errors.New("stopped")
		long, end := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { end(cause) })
		if _, err := p.Wait(long, "room", slow); err != cause {
			t.Errorf("got %v", err)
		}
		if _, err := p.Wait(long, "room", slow); err != cause {
			t.Errorf("got %v", err)
		}
	})
}
