package supervisor

import (
	"cmp"
	"time"
)

// Numbers are the supervisor's keys in the config. A zero one has its default.
type Numbers struct {
	// ReadyReset is how long a plug has to have been ready for its first restart
	// to be immediate. Default 10 s.
	ReadyReset time.Duration
	// BackoffMin and BackoffMax are the first and the largest ceiling of the
	// random delay between two lives; it doubles from one to the other. Default
	// 1 s and 60 s.
	BackoffMin, BackoffMax time.Duration
	// HealthyReset is how long a plug has to have been ready for the back-off, the
	// immediate restart and the breaker to begin anew. Default 5 min.
	HealthyReset time.Duration
	// MaxExits exits or hangs within ExitsWindow make a plug failed. Default 5 in
	// 10 min.
	MaxExits    int
	ExitsWindow time.Duration
	// ProbeEvery is the time between two tries of a failed plug. Default 15 min.
	ProbeEvery time.Duration

	// HeartbeatEvery is the longest silence on the stream of a healthy plug, and
	// the time between two health checks. Default 10 s, as the contract has it.
	HeartbeatEvery time.Duration
	// Misses is how many heartbeats or health checks in a row make a hang.
	// Default 3.
	Misses int
	// CheckTimeout is the deadline of a health check. Default 5 s.
	CheckTimeout time.Duration

	// The rungs of the stop ladder (S4): running Puts end, the plug disconnects,
	// it shuts down by itself, it follows a SIGTERM. Default 4, 8, 2 and 2 s.
	QuiesceTime, StopTime, ShutdownTime, TermTime time.Duration
}

// withDefaults fills in what is zero.
func (n Numbers) withDefaults() Numbers {
	return Numbers{
		ReadyReset:     cmp.Or(n.ReadyReset, 10*time.Second),
		BackoffMin:     cmp.Or(n.BackoffMin, time.Second),
		BackoffMax:     cmp.Or(n.BackoffMax, 60*time.Second),
		HealthyReset:   cmp.Or(n.HealthyReset, 5*time.Minute),
		MaxExits:       cmp.Or(n.MaxExits, 5),
		ExitsWindow:    cmp.Or(n.ExitsWindow, 10*time.Minute),
		ProbeEvery:     cmp.Or(n.ProbeEvery, 15*time.Minute),
		HeartbeatEvery: cmp.Or(n.HeartbeatEvery, 10*time.Second),
		Misses:         cmp.Or(n.Misses, 3),
		CheckTimeout:   cmp.Or(n.CheckTimeout, 5*time.Second),
		QuiesceTime:    cmp.Or(n.QuiesceTime, 4*time.Second),
		StopTime:       cmp.Or(n.StopTime, 8*time.Second),
		ShutdownTime:   cmp.Or(n.ShutdownTime, 2*time.Second),
		TermTime:       cmp.Or(n.TermTime, 2*time.Second),
	}
}
