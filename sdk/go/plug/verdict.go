package plug

import (
	"errors"
	"strings"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// maxFailureMessage bounds the words of a failure, in bytes.
const maxFailureMessage = 1 << 10

// verdictError is an error that says what is certain of a failed Put or Start. The
// error's text is for a person: authors keep secrets out of it.
type verdictError struct {
	put          plugv1.Verdict
	start        plugv1.StartVerdict
	scope        plugv1.FailureScope
	retryAfter   time.Duration
	field        string // JSON Pointer
	continuation []byte
	err          error
}

func (e *verdictError) Error() string { return e.err.Error() }
func (e *verdictError) Unwrap() error { return e.err }

// verdict makes a verdictError; a nil err gets the words in its place.
func verdict(v verdictError, err error, words string) error {
	if err == nil {
		err = errors.New(words)
	}
	v.err = err
	return &v
}

// Unreachable is Start's answer when the network can't be reached or does not take
// us now. The host tries again with back-off, for ever, and not before retryAfter
// has passed (0: its own choice).
func Unreachable(err error, retryAfter time.Duration) error {
	return verdict(verdictError{start: plugv1.StartVerdict_START_VERDICT_UNREACHABLE, retryAfter: retryAfter},
		err, "the network cannot be reached")
}

// LoggedOut says, from Start or Put, that the credentials themselves were refused
// or that the session's identity is lost. The host holds the plug until a person
// has acted. Not for a server that is down.
func LoggedOut(err error) error {
	return verdict(verdictError{
		put:   plugv1.Verdict_VERDICT_LOGGED_OUT,
		start: plugv1.StartVerdict_START_VERDICT_LOGGED_OUT,
		scope: plugv1.FailureScope_FAILURE_SCOPE_PLUG,
	}, err, "the credentials were refused")
}

// BadConfig is Start's answer to a config that can't work. Field is the JSON Pointer
// (RFC 6901) of the field at fault: "/server/port".
func BadConfig(field string, err error) error {
	return verdict(verdictError{start: plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, field: field},
		err, "the config cannot work")
}

// NotSent says that the action was certainly not carried out: not connected, or
// not in the channel. The host tries again after a back-off. Nothing may be left
// that would still send.
func NotSent(err error) error {
	return verdict(verdictError{put: plugv1.Verdict_VERDICT_NOT_SENT}, err, "not sent")
}

// RateLimited says that the action was certainly not carried out and that the
// network wants a pause. The host pauses the channel, or with PlugWide the plug.
func RateLimited(err error, retryAfter time.Duration) error {
	return verdict(verdictError{put: plugv1.Verdict_VERDICT_RATE_LIMITED, retryAfter: retryAfter},
		err, "the network limits the rate")
}

// Refused says that the network refused the action and did not carry it out. The
// host parks it with the reason.
func Refused(err error) error {
	return verdict(verdictError{put: plugv1.Verdict_VERDICT_REFUSED}, err, "the network refused it")
}

// Uncertain says that the action may have been carried out. The host finds out, or
// tries again where that can't double the message, or parks it. Nothing may be left
// that would still send.
func Uncertain(err error) error {
	return verdict(verdictError{put: plugv1.Verdict_VERDICT_UNCERTAIN}, err, "it may have been sent")
}

// Already says that the wanted state holds already. For a part of a message it
// means: the network has this part and does not tell its id.
func Already() error {
	return verdict(verdictError{put: plugv1.Verdict_VERDICT_ALREADY}, nil, "it is so already")
}

// TargetGone says that what the action refers to is no longer there.
func TargetGone(err error) error {
	return verdict(verdictError{put: plugv1.Verdict_VERDICT_TARGET_GONE}, err, "what it refers to is gone")
}

// Unsupported says that the network can't do this action.
func Unsupported(err error) error {
	return verdict(verdictError{put: plugv1.Verdict_VERDICT_UNSUPPORTED}, err, "the network cannot do this")
}

// PlugWide widens a verdict from the channel to every channel of the plug: a rate
// limit of the account, say. An error that is no verdict stays as it is.
func PlugWide(err error) error {
	return changed(err, func(v *verdictError) { v.scope = plugv1.FailureScope_FAILURE_SCOPE_PLUG })
}

// WithContinuation adds what PutWhole wants back at the next attempt, at most 4 KiB,
// opaque to the host. An error that is no verdict becomes Uncertain.
func WithContinuation(err error, continuation []byte) error {
	if _, ok := errors.AsType[*verdictError](err); !ok {
		err = Uncertain(err)
	}
	return changed(err, func(v *verdictError) { v.continuation = continuation })
}

// VerdictOf is the verdict that the host will be given for what a Put returned:
// VERDICT_UNCERTAIN for every error that is not one of this package's, and
// VERDICT_UNSPECIFIED for nil.
func VerdictOf(err error) plugv1.Verdict {
	if err == nil {
		return plugv1.Verdict_VERDICT_UNSPECIFIED
	}
	return putFailure(err).GetVerdict()
}

// changed copies the verdict that err wraps, keeps err's words, and changes it.
func changed(err error, change func(*verdictError)) error {
	v, ok := errors.AsType[*verdictError](err)
	if !ok {
		return err
	}
	c := *v
	c.err = err
	change(&c)
	return &c
}

// putFailure is what the host is told of an error of Put.
func putFailure(err error) *plugv1.PutFailure {
	f := &plugv1.PutFailure{Verdict: plugv1.Verdict_VERDICT_UNCERTAIN, Message: words(err)}
	v, ok := errors.AsType[*verdictError](err)
	if !ok || v.put == plugv1.Verdict_VERDICT_UNSPECIFIED {
		return f // Start's verdicts are no judgement on a Put
	}
	f.Verdict, f.Scope = v.put, v.scope
	if v.retryAfter > 0 {
		f.RetryAfter = durationpb.New(v.retryAfter)
	}
	if len(v.continuation) <= plugv1.MaxCursorBytes {
		f.Continuation = v.continuation
	}
	return f
}

// startFailure is what the host is told of an error of Start.
func startFailure(err error) *plugv1.StartFailure {
	f := &plugv1.StartFailure{Verdict: plugv1.StartVerdict_START_VERDICT_UNREACHABLE, Message: words(err)}
	v, ok := errors.AsType[*verdictError](err)
	if !ok {
		return f
	}
	if v.start != plugv1.StartVerdict_START_VERDICT_UNSPECIFIED {
		f.Verdict, f.Field = v.start, v.field
	}
	if v.retryAfter > 0 {
		f.RetryAfter = durationpb.New(v.retryAfter)
	}
	return f
}

// words is an error's text as a proto string: valid UTF-8 and bounded.
func words(err error) string {
	s := strings.ToValidUTF8(err.Error(), "\uFFFD")
	if len(s) > maxFailureMessage {
		s = strings.ToValidUTF8(s[:maxFailureMessage], "")
	}
	return s
}
