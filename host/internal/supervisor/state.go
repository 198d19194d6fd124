package supervisor

import (
	"fmt"
	"strings"
	"time"
)

// State is what an instance is doing.
type State int

// The states of an instance (S1).
const (
	// StateDisabled: the config says that it is not to run.
	StateDisabled State = iota
	// StateVerifying: its binary is being checked.
	StateVerifying
	// StateStarting: its process is being launched and connects to the network.
	StateStarting
	// StateReady: it works.
	StateReady
	// StateDegraded: it works, but something is wrong with it or with its network.
	StateDegraded
	// StateBackoff: it is tried again by itself, soon.
	StateBackoff
	// StateHeld: it is not tried again until a person has acted.
	StateHeld
	// StateFailed: it is broken, and tried rarely or not at all until a person has
	// acted.
	StateFailed
	// StateStopping: it is being stopped.
	StateStopping
	// StateStopped: it does not run.
	StateStopped
)

var stateNames = [...]string{
	"disabled", "verifying", "starting", "ready", "degraded", "backoff", "held", "failed", "stopping", "stopped",
}

// String gives the state as status output and logs have it.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return fmt.Sprintf("State(%d)", int(s))
	}
	return stateNames[s]
}

// Status is what is known of an instance. It is a value: a copy never changes.
type Status struct {
	// State is what it is doing.
	State State
	// Reason says in words what happened, and what a person can do about it where
	// that is needed. Empty if all is well.
	Reason string
	// Since is when State was entered.
	Since time.Time
	// NextTry is when it is tried again by itself; zero if never, or if it runs.
	NextTry time.Time
	// ReadySince is when this life of it became ready; zero if it is not.
	ReadySince time.Time
	// Restarts counts launches after the first.
	Restarts int
}

// Status gives the present status. It may be called at any time, also from
// Options.Changed.
func (s *Supervisor) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Degrade notes what a stage found wrong with the plug, in words: a ready
// instance is shown as degraded until Recover, or until its next life. A second
// call replaces the reason of the first.
func (s *Supervisor) Degrade(reason string) {
	s.update(func(*Status) { s.breach = reason })
}

// Recover takes back what Degrade said.
func (s *Supervisor) Recover() { s.Degrade("") }

// SetNetwork notes what the plug says of its connection to the network, in words;
// empty while it is connected. It holds until the next call, or the next life.
func (s *Supervisor) SetNetwork(reason string) {
	s.update(func(*Status) { s.network = reason })
}

// setSilence notes for how long the network has been silent, in words; empty
// once it was heard again.
func (s *Supervisor) setSilence(reason string) {
	s.update(func(*Status) { s.silence = reason })
}

// launching begins a life: nothing that was said of the last one holds.
func (s *Supervisor) launching() {
	s.update(func(st *Status) {
		s.breach, s.network, s.silence = "", "", ""
		if s.launched {
			st.Restarts++
		}
		s.launched = true
		*st = Status{State: StateStarting, Restarts: st.Restarts}
	})
	// What was asked for before is fulfilled by this life.
	select {
	case <-s.again:
	default:
	}
}

func (s *Supervisor) ready() {
	s.update(func(st *Status) {
		st.State = StateReady
		st.ReadySince = time.Now()
	})
}

// rest enters a state in which no process runs, or one is being stopped.
func (s *Supervisor) rest(state State, reason string, next time.Time) {
	s.update(func(st *Status) {
		*st = Status{State: state, Reason: reason, NextTry: next, Restarts: st.Restarts}
	})
}

// update changes the status and tells the observer and the log. Updates are one
// after another, so that both see them in order; change runs with s.mu held.
func (s *Supervisor) update(change func(*Status)) {
	s.updating.Lock()
	defer s.updating.Unlock()

	s.mu.Lock()
	before := s.status
	after := before
	change(&after)
	if after.State == StateReady || after.State == StateDegraded {
		after.State, after.Reason = StateReady, strings.Join(nonEmpty(s.breach, s.network, s.silence), "; ")
		if after.Reason != "" {
			after.State = StateDegraded
		}
	}
	after.Since = before.Since
	if after.State != before.State {
		after.Since = time.Now()
	}
	s.status = after
	s.mu.Unlock()

	if after == before {
		return
	}
	s.logChange(after)
	if s.o.Changed != nil {
		s.o.Changed(after)
	}
}

// Show tells the observer the status again: what is shown with it has changed.
func (s *Supervisor) Show() {
	s.updating.Lock()
	defer s.updating.Unlock()
	if s.o.Changed != nil {
		s.o.Changed(s.Status())
	}
}

func nonEmpty(all ...string) (some []string) {
	for _, s := range all {
		if s != "" {
			some = append(some, s)
		}
	}
	return some
}

func (s *Supervisor) logChange(st Status) {
	fields := []any{"state", st.State.String(), "reason", st.Reason}
	if !st.NextTry.IsZero() {
		fields = append(fields, "next_try", st.NextTry)
	}
	const message = "state changed"
	switch st.State {
	case StateHeld, StateFailed:
		s.log.Error(message, fields...)
	case StateDegraded, StateBackoff:
		s.log.Warn(message, fields...)
	default:
		s.log.Info(message, fields...)
	}
}
