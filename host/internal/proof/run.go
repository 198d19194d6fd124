package proof

import (
	"math/rand/v2"
	"sync"
	"testing/synctest"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/hook/conversation"
	"github.com/plughost/plughost/host/internal/journal/storage"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Result is what a run found out.
type Result struct {
	// Broken is the first guarantee that did not hold; nil: all held.
	Broken *Breach
	// Counts says how often each situation came up.
	Counts Counts
	// Trace lists what happened, for a person.
	Trace func() string
}

// Connect makes the host's client to a plug's process.
type Connect func(*life, *process) Link

// Run carries out a schedule. It is called inside a synctest bubble.
func Run(s Schedule, connect Connect) Result {
	r := &run{schedule: s, dial: connect, rng: rand.New(rand.NewPCG(s.Seed, 0)), stopped: make(chan time.Duration, 1), end: make(chan struct{})}
	r.witness = newWitness(r)
	r.memory = storage.NewMemory()
	for i, name := range networkNames {
		r.networks = append(r.networks, newNetwork(r, name, s.Networks[i], sources[i]))
	}
	r.plugs = map[id.NetworkID]*plugState{}
	for _, n := range r.networks {
		r.plugs[n.id] = &plugState{}
	}
	var host sync.WaitGroup
	host.Go(r.keepHost)
	time.Sleep(time.Millisecond) // the first life has begun
	for _, step := range s.Steps {
		time.Sleep(step.After)
		r.do(step)
	}
	time.Sleep(time.Second)
	r.heal()
	for range mostWaiting / waitingStep {
		time.Sleep(waitingStep)
		synctest.Wait()
		if r.idle() {
			break
		}
	}
	close(r.end)
	host.Wait()
	r.witness.finish()
	return Result{Broken: r.witness.broken, Counts: r.witness.counts, Trace: r.witness.trace}
}

// After everything is healed, this long at the most until nothing waits.
const (
	mostWaiting = 2 * time.Hour
	waitingStep = 10 * time.Second
)

// run is a schedule under way. Its lock comes after a process's and before a
// network's.
type run struct {
	schedule Schedule
	dial     Connect
	witness  *witness
	networks []*network
	stopped  chan time.Duration // asks the host to stop in good order
	end      chan struct{}

	mu        sync.Mutex
	rng       *rand.Rand
	memory    *storage.Memory
	life      *life
	healed    bool
	refusals  []*refusal
	crashIn   int           // records until the host dies; 0: none
	crashKind string        // of this kind, if it is set
	down      time.Duration // how long the host is down after that
	plugs     map[id.NetworkID]*plugState
	started   int // processes
}

// plugState is what the supervisor would know of a plug.
type plugState struct {
	process *process
	down    time.Duration // before the next start
}

func (r *run) random(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rng.IntN(n)
}

// delay is how long an operation takes.
func (r *run) delay() time.Duration {
	if r.schedule.Pace == 0 {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.healed || r.rng.IntN(2) == 0 {
		return 0
	}
	return time.Duration(r.rng.Int64N(int64(r.schedule.Pace)))
}

// crashing tells whether the host dies at this record: before it is stored (1)
// or after (2).
func (r *run) crashing(kind string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.crashIn == 0 || r.crashKind != "" && r.crashKind != kind {
		return 0
	}
	if r.crashIn--; r.crashIn > 0 {
		return 0
	}
	return 1 + r.rng.IntN(2)
}

// refused tells whether a record is refused, and whether it is stored all the
// same.
func (r *run) refused(kind string) (refused, stored bool) {
	defer func() {
		if refused {
			r.witness.hindered()
		}
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, f := range r.refusals {
		if f.kind != "" && f.kind != kind {
			continue
		}
		if f.left--; f.left <= 0 {
			r.refusals = append(r.refusals[:i:i], r.refusals[i+1:]...)
		}
		return true, f.lost
	}
	return false, false
}

// fate is what becomes of an attempt, and how many parts the message has.
func (r *run) fate(of *plugv1.PutRequest) (Fate, int) {
	e := r.witness.source(id.OperationID(of.OperationId))
	if e == nil {
		return Fate{}, 1
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := int(of.Attempt) - 1; !r.healed && n < len(e.fates) {
		return e.fates[n], e.parts
	}
	return Fate{}, e.parts
}

// do carries out a step.
func (r *run) do(step Step) {
	n := r.networks[step.Network]
	c := room(step.Network, step.Channel)
	r.witness.note("step: %v %s", step.Do, c)
	stranger := plugv1.Own_OWN_NO
	us := plugv1.Own_OWN_YES
	if n.Unsure {
		us = plugv1.Own_OWN_UNKNOWN
		if n.Echo == plugv1.Echo_ECHO_NONE {
			stranger = plugv1.Own_OWN_UNKNOWN
		}
	}
	switch step.Do {
	case Say:
		n.say(c.Source, step, stranger, "")
	case SayOwn:
		if n.Echo != plugv1.Echo_ECHO_NONE {
			n.say(c.Source, step, us, "")
		}
	case Forge:
		if op := r.witness.underWay(c); op != "" {
			n.say(c.Source, step, plugv1.Own_OWN_NO, string(op))
			r.count(Forged)
		}
	case Twice:
		n.twice(c.Source)
	case Repeat:
		if p := r.process(n.id); p != nil {
			p.repeat(c.Source)
		}
	case KillPlug:
		r.killPlug(n.id, step.For)
	case CutStream:
		if p := r.process(n.id); p != nil {
			p.cut()
		}
	case Deafen:
		if p := r.process(n.id); p != nil {
			p.update(func() { p.deaf[c.Source] = true })
			r.witness.deafened(n.id)
		}
	case KillHost:
		r.mu.Lock()
		r.down = step.For
		r.crashIn, r.crashKind = step.Count, step.Kind
		r.mu.Unlock()
		if step.Count == 0 {
			r.crash()
		}
	case Migrate:
		if step.Count > 0 {
			r.mu.Lock()
			r.down, r.crashIn, r.crashKind = step.For, step.Count, step.Kind
			r.mu.Unlock()
		}
		n.migrate(c.Source, step.Back)
	case StopHost:
		select {
		case r.stopped <- step.For:
		default:
		}
	case Flood:
		for range flood {
			n.say(c.Source, step, stranger, "")
			time.Sleep(time.Millisecond) // so that each is a record
		}
	case Retain:
		r.mu.Lock()
		l := r.life
		r.mu.Unlock()
		if j := l.ready.Load(); j != nil {
			before := time.Now().Add(-step.For)
			r.witness.retains(before)
			_ = j.Retain(l.ctx, before, []id.HookName{conversation.Name})
		}
	case Refuse:
		r.mu.Lock()
		r.refusals = append(r.refusals, &refusal{kind: step.Kind, left: step.Count, lost: step.Lost})
		r.mu.Unlock()
	}
}

// flood is how many messages are more than a lane keeps in memory.
const flood = 80

// heal lets everything go well from now.
func (r *run) heal() {
	r.witness.note("healed")
	r.mu.Lock()
	r.healed, r.refusals, r.crashIn = true, nil, 0
	processes := r.processes()
	r.mu.Unlock()
	for _, p := range processes {
		p.update(func() { clear(p.deaf) })
	}
}

// idle tells whether nothing is left waiting.
func (r *run) idle() bool {
	for _, n := range r.networks {
		p := r.process(n.id)
		if p == nil || !n.quiet() || !p.idle() || !r.witness.has(p) {
			return false
		}
	}
	return r.witness.idle()
}

func (r *run) count(s Situation) { r.witness.count(s) }
