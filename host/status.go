package host

import (
	"time"

	"github.com/plughost/plughost/host/id"
)

// Status is the state of one plug instance.
type Status struct {
	Plug id.InstanceName
	// State: disabled, verifying, starting, ready, degraded, backoff, held,
	// failed, stopping or stopped (S1).
	State string
	// Reason says in words what happened and what to do; empty when ready.
	Reason string
	// Since is when the state was entered.
	Since time.Time
	// NextTry is when a plug that is down is started again; zero if never by
	// itself.
	NextTry time.Time
	// Restarts counts the plug's starts after the first.
	Restarts int
	// Pid is the plug's process; 0 if there is none.
	Pid int
	// Network identifies what the plug is; empty before its first start.
	Network id.NetworkID
	// Gaps are the times that could not be replayed, oldest first, at most 100.
	Gaps []Gap
	// Breaches counts how often the plug broke the contract, since the host started.
	Breaches int
}
