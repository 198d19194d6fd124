package link

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/status"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/link/contract"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// StartError is what the plug itself says of a Start that failed.
type StartError struct {
	// Verdict is UNREACHABLE, LOGGED_OUT or BAD_CONFIG, never anything else.
	Verdict plugv1.StartVerdict
	// Message says what happened, for a person: one line.
	Message string
	// RetryAfter is the time before which another Start is useless; zero if not
	// known. With UNREACHABLE only.
	RetryAfter time.Duration
	// Field is the JSON Pointer of the config's field at fault; empty if none.
	// With BAD_CONFIG only.
	Field string

	plug id.InstanceName
}

// Error says what happened and what to do, with the plug's name in front.
func (e *StartError) Error() string {
	switch e.Verdict {
	case plugv1.StartVerdict_START_VERDICT_LOGGED_OUT:
		return fmt.Sprintf("plug %s: the network refused its credentials: %s; give it new ones and restart it", e.plug, e.Message)
	case plugv1.StartVerdict_START_VERDICT_BAD_CONFIG:
		if e.Field != "" {
			return fmt.Sprintf("plug %s: its config cannot work, at %s: %s; correct it and restart the plug", e.plug, e.Field, e.Message)
		}
		return fmt.Sprintf("plug %s: its config cannot work: %s; correct it and restart the plug", e.plug, e.Message)
	default:
		return fmt.Sprintf("plug %s: its network cannot be reached: %s", e.plug, e.Message)
	}
}

func (l *Link) startError(f *plugv1.StartFailure) *StartError {
	e := &StartError{Verdict: f.Verdict, Message: contract.CleanLine(f.Message), plug: l.name}
	switch f.Verdict {
	case plugv1.StartVerdict_START_VERDICT_LOGGED_OUT:
	case plugv1.StartVerdict_START_VERDICT_BAD_CONFIG:
		e.Field = contract.CleanLine(f.Field)
	default:
		// Unknown verdicts are read as UNREACHABLE: the one that gives nothing up.
		e.Verdict = plugv1.StartVerdict_START_VERDICT_UNREACHABLE
		if f.RetryAfter.IsValid() {
			e.RetryAfter = max(f.RetryAfter.AsDuration(), 0)
		}
	}
	return e
}

// callError is a gRPC error, with the plug's name and what was being done. Its
// text is one clean line, since a status text is the plug's to choose.
type callError struct {
	text string
	err  error
}

func (e *callError) Error() string { return e.text }
func (e *callError) Unwrap() error { return e.err }

// breach is an error for an answer that cannot be used at all.
func (l *Link) breach(doing string, err error) error {
	return fmt.Errorf("plug %s: %s: the plug broke the contract: %w", l.name, doing, err)
}

func (l *Link) callError(doing string, err error) error {
	return &callError{text: fmt.Sprintf("plug %s: %s: %s", l.name, doing, rpcText(err)), err: err}
}

// rpcText words a gRPC error: its code and its text, in one line.
func rpcText(err error) string {
	s, ok := status.FromError(err)
	if !ok {
		return contract.CleanLine(err.Error())
	}
	return strings.TrimSuffix(fmt.Sprintf("%s: %s", s.Code(), contract.CleanLine(s.Message())), ": ")
}
