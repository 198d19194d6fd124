package supervisor

import (
	"errors"
	"time"
)

// verdict is an error after which the plug is not to be treated as crashed. Its
// text becomes the status's reason: it says what happened and what to do.
type verdict struct {
	error
	kind       cause
	retryAfter time.Duration
}

func (v *verdict) Unwrap() error { return v.error }

// Unreachable says that the network can't be reached, or doesn't take us now:
// tried again with back-off for ever, not before retryAfter has passed. Launch,
// Session.Start and Session.Serve return it, as they may the other verdicts; any
// other error is a crash.
func Unreachable(err error, retryAfter time.Duration) error {
	return &verdict{error: err, kind: unreachable, retryAfter: retryAfter}
}

// LoggedOut says that the credentials were refused, or the session's identity is
// lost: held after one try, since repeated logins get accounts banned.
func LoggedOut(err error) error { return &verdict{error: err, kind: loggedOut} }

// BadConfig says that the plug can't work with its config: failed until an
// operator has it tried again.
func BadConfig(err error) error { return &verdict{error: err, kind: misconfigured} }

// Held says that the host itself must not run the plug until a person has acted,
// for instance because another instance has its network_id.
func Held(err error) error { return &verdict{error: err, kind: held} }

// cause is what ended a life, as far as it matters for what follows.
type cause int

const (
	// asked: the host stops, or an operator wants a new life.
	asked cause = iota
	// crashed: an exit or a hang; the only causes that are counted.
	crashed
	unreachable
	loggedOut
	misconfigured
	held
)

// ending is how a life ended.
type ending struct {
	cause      cause
	reason     string // what happened, for a person
	exited     bool   // the process ended by itself; reason is then to be had of it
	retryAfter time.Duration
	// ready is how long the life was ready.
	ready time.Duration
}

// endingOf reads an error of a launch, a start or a session's work.
func endingOf(err error) ending {
	if v := (*verdict)(nil); errors.As(err, &v) {
		return ending{cause: v.kind, reason: v.Error(), retryAfter: v.retryAfter}
	}
	return ending{cause: crashed, reason: err.Error()}
}
