package agenda

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Step is one thing to be done.
type Step struct {
	// After is the time since the step before it was done.
	After time.Duration
	// Gate holds it back while it is shut; nil: none.
	Gate *Gate
	Do   func()
}

// Agenda is what is to be done. Its methods, except Close, are called with the lock
// held that it was made with.
type Agenda struct {
	lock    sync.Locker
	due     dueHeap
	planned uint64
	changed chan struct{}
	stop    func()
}

// New returns an agenda whose steps are done with lock held, and starts the
// goroutine that does them. Close ends it.
func New(lock sync.Locker) *Agenda {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	a := &Agenda{lock: lock, changed: make(chan struct{}, 1)}
	a.stop = func() {
		cancel()
		<-ended
	}
	go func() {
		defer close(ended)
		a.work(ctx)
	}()
	return a
}

// Close ends the agenda and waits for a step that is being done. The lock must not
// be held.
func (a *Agenda) Close() { a.stop() }

// Run does the steps, each after the one before it; those that nothing delays
// before it returns.
func (a *Agenda) Run(steps ...Step) {
	if len(steps) == 0 {
		return
	}
	first, rest := steps[0], steps[1:]
	do := func() {
		first.Do()
		a.Run(rest...)
	}
	if first.After > 0 {
		a.plan(first.After, func() { first.Gate.pass(do) })
		return
	}
	first.Gate.pass(do)
}

func (a *Agenda) plan(after time.Duration, do func()) {
	a.planned++
	heap.Push(&a.due, due{at: time.Now().Add(after), number: a.planned, do: do})
	select {
	case a.changed <- struct{}{}:
	default: // told already
	}
}

func (a *Agenda) work(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var due <-chan time.Time // none while nothing is planned
		if wait, planned := a.doDue(); planned {
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-due:
		case <-a.changed:
		case <-ctx.Done():
			return
		}
	}
}

// doDue does all that is due and returns the time to the next, if there is one.
func (a *Agenda) doDue() (wait time.Duration, planned bool) {
	a.lock.Lock()
	defer a.lock.Unlock()
	for len(a.due) > 0 {
		if wait := time.Until(a.due[0].at); wait > 0 {
			return wait, true
		}
		heap.Pop(&a.due).(due).do()
	}
	return 0, false
}

// Gate holds steps back while it is shut. The zero value is open; nil is always.
type Gate struct {
	shut    bool
	waiting []func()
}

// Shut holds back every step from now on.
func (g *Gate) Shut() { g.shut = true }

// Open lets go what waits, and opens the gate.
func (g *Gate) Open() (released int) {
	g.shut = false
	return g.Release(len(g.waiting))
}

// Release lets go of up to count that wait, the oldest first.
func (g *Gate) Release(count int) (released int) {
	released = min(count, len(g.waiting))
	free := g.waiting[:released]
	g.waiting = g.waiting[released:]
	for _, do := range free {
		do()
	}
	return released
}

func (g *Gate) pass(do func()) {
	if g != nil && g.shut {
		g.waiting = append(g.waiting, do)
		return
	}
	do()
}

type due struct {
	at     time.Time
	number uint64
	do     func()
}

type dueHeap []due

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].number < h[j].number
	}
	return h[i].at.Before(h[j].at)
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)   { *h = append(*h, x.(due)) }
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = due{}
	*h = (*h)[:last]
	return x
}
