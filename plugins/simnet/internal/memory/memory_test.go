package memory_test

import (
	"testing"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/memory"
)

func TestLogForgetsItsOldest(t *testing.T) {
	const keep = 8
	var l memory.Log[int]
	for i := 1; i <= 100; i++ {
		l.Add(i, keep)
		if l.End() != uint64(i) {
			t.Fatalf("the end is %d after %d items", l.End(), i)
		}
		kept := l.End() - l.Forgotten()
		if kept > keep+keep/4 || i >= keep && kept < keep {
			t.Fatalf("%d items are kept after %d", kept, i)
		}
		for p := l.Forgotten() + 1; p <= l.End(); p++ {
			if got, ok := l.At(p); !ok || got != int(p) {
				t.Fatalf("at %d: %d, %v", p, got, ok)
			}
		}
	}
	for _, p := range []uint64{0, l.Forgotten(), l.End() + 1} {
		if _, ok := l.At(p); ok {
			t.Errorf("there is an item at %d", p)
		}
	}
}

func TestOperationsExpire(t *testing.T) {
	var o memory.Operations[string]
	begin := time.Now()
	left, right := memory.Operation{Channel: "left", ID: "op"}, memory.Operation{Channel: "right", ID: "op"}
	o.Remember(left, "m1", begin.Add(time.Second))
	o.Remember(right, "m2", begin.Add(2*time.Second))
	for _, c := range []struct {
		after       time.Duration
		left, right bool
	}{{0, true, true}, {time.Second - 1, true, true}, {time.Second, false, true}, {2 * time.Second, false, false}} {
		if _, ok := o.Find(left, begin.Add(c.after)); ok != c.left {
			t.Errorf("left after %v: %v", c.after, ok)
		}
		if _, ok := o.Find(right, begin.Add(c.after)); ok != c.right {
			t.Errorf("right after %v: %v", c.after, ok)
		}
	}
}

func TestUploadsAreTakenOnce(t *testing.T) {
	var u memory.Uploads
	first := u.Add("first")
	for range 1023 {
		u.Add("more")
	}
	second := u.Add("last") // the 1025th drops the first
	if _, ok := u.Take(first); ok {
		t.Error("1025 uploads are kept")
	}
	if text, ok := u.Take(second); !ok || text != "last" {
		t.Errorf("got %q, %v", text, ok)
	}
	if _, ok := u.Take(second); ok {
		t.Error("an upload was taken twice")
	}
}
