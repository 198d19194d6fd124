package host

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/supervisor"
)

// Status lists the state of every plug, in the order of the options.
func (h *Host) Status() []Status {
	all := make([]Status, 0, len(h.o.Plugs))
	for _, p := range h.o.Plugs {
		if p.Fault != "" {
			all = append(all, Status{Plug: p.Name, State: supervisor.StateFailed.String(), Reason: p.Fault, Since: h.faulty})
			continue
		}
		h.mu.Lock()
		s := h.supervisors[p.Name]
		h.mu.Unlock()
		if s == nil {
			all = append(all, Status{Plug: p.Name, State: "stopped", Reason: "the host has not started it yet"})
			continue
		}
		all = append(all, h.status(p.Name, s.Status()))
	}
	return all
}

// Restart starts a plug anew, at once, whatever state it is in. Its error, that of
// Start and of Stop is an *hook.Error.
func (h *Host) Restart(name id.InstanceName) error {
	return h.supervised(name, (*supervisor.Supervisor).Restart)
}

// Stop stops a plug in order, and keeps it stopped until Start or Restart, or until
// the host is started again; what is said to it waits. It returns at once: Status
// shows how it goes.
func (h *Host) Stop(name id.InstanceName) error {
	return h.supervised(name, (*supervisor.Supervisor).Stop)
}

// Start starts a plug that was stopped; one that is in back-off, held or failed is
// tried at once; one that runs goes on.
func (h *Host) Start(name id.InstanceName) error {
	return h.supervised(name, (*supervisor.Supervisor).Start)
}

// supervised does something with a plug's supervisor.
func (h *Host) supervised(name id.InstanceName, do func(*supervisor.Supervisor)) error {
	if err := h.known(name); err != nil {
		return err
	}
	h.mu.Lock()
	s := h.supervisors[name]
	h.mu.Unlock()
	if s == nil {
		i := slices.IndexFunc(h.o.Plugs, func(p Plug) bool { return p.Name == name })
		return &hook.Error{Code: codes.FailedPrecondition, Text: fmt.Sprintf("plug %s can't be started: %s", name, cmp.Or(h.o.Plugs[i].Fault, "the host does not run yet"))}
	}
	do(s)
	return nil
}

func (h *Host) status(name id.InstanceName, s supervisor.Status) Status {
	network := h.directory.network(name)
	h.mu.Lock()
	pid, gaps, breaches := h.pids[name], h.gaps[network], h.breaches[name]
	h.mu.Unlock()
	switch s.State {
	case supervisor.StateReady, supervisor.StateDegraded, supervisor.StateStopping:
	default:
		pid = 0
	}
	return Status{
		Plug: name, State: s.State.String(), Reason: s.Reason, Since: s.Since, NextTry: s.NextTry,
		Restarts: s.Restarts, Pid: pid, Network: network, Gaps: publicGaps(gaps), Breaches: breaches,
	}
}

func (h *Host) changed(name id.InstanceName, s supervisor.Status) {
	if h.o.Changed != nil {
		h.o.Changed(h.status(name, s))
	}
}

func (h *Host) numbers() supervisor.Numbers {
	s := h.o.Supervision
	return supervisor.Numbers{
		ReadyReset: s.ReadyReset, BackoffMin: s.BackoffMin, BackoffMax: s.BackoffMax, HealthyReset: s.HealthyReset,
		MaxExits: s.MaxExits, ExitsWindow: s.ExitsWindow, ProbeEvery: s.ProbeEvery,
	}
}

// breach counts and shows that a plug broke a promise.
func (h *Host) breach(n id.NetworkID, reason string) {
	if facts, ok := h.directory.Instance(n); ok {
		h.mu.Lock()
		h.breaches[facts.Name]++
		count := h.breaches[facts.Name]
		h.mu.Unlock()
		h.log.Error("the plug broke the contract", "plug", string(facts.Name), "reason", reason, "count", count)
		h.supervisor(facts.Name).Degrade(fmt.Sprintf("it broke the contract (%d since the host started), so update it or tell its author: %s", count, reason))
	}
}

// loggedOut ends the session of a plug whose credentials the network refuses, so
// that it is held.
func (h *Host) loggedOut(n id.NetworkID, reason string) {
	h.mu.Lock()
	end := h.sessions[n]
	h.mu.Unlock()
	if end != nil {
		end(supervisor.LoggedOut(fmt.Errorf("the network refuses the plug's credentials: %s; give it new ones and restart it", reason)))
	}
}

func (h *Host) supervisor(name id.InstanceName) *supervisor.Supervisor {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.supervisors[name]
}

// setSession notes how the session of a network is ended.
func (h *Host) setSession(n id.NetworkID, end context.CancelCauseFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions[n] = end
}
