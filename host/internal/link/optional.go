package link

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/link/contract"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const (
	// usersTimeout and lookupTimeout are the contract's deadlines of the optional
	// services.
	usersTimeout  = 10 * time.Second
	lookupTimeout = 30 * time.Second
)

// CallError is the error of a call of an optional service: what the plug answered,
// or why it could not be asked.
type CallError struct {
	// Code is the plug's own where it may choose it: NOT_FOUND, PERMISSION_DENIED,
	// UNIMPLEMENTED, UNAVAILABLE, INVALID_ARGUMENT, FAILED_PRECONDITION;
	// DEADLINE_EXCEEDED and CANCELED of the call itself; else INTERNAL.
	Code codes.Code
	// Text says what happened and what to do, in one line, with the plug's name in
	// front.
	Text string
	err  error
}

// Error implements error.
func (e *CallError) Error() string { return e.Text }

// Unwrap gives the gRPC error.
func (e *CallError) Unwrap() error { return e.err }

// Users is the client of the plug's people. Each call has a deadline of 10 s; its
// error is a *CallError; names in an answer are as those of events. Called after
// Start, by any goroutine.
func (l *Link) Users() plugv1.UsersClient {
	return plugv1.NewUsersClient(&optional{l, usersTimeout})
}

// Channels is the client of the plug's channels, as Users, with 30 s.
func (l *Link) Channels() plugv1.ChannelsClient {
	return plugv1.NewChannelsClient(&optional{l, lookupTimeout})
}

// History is the client of what the plug's network keeps, as Channels. Events are
// checked as those of the stream: what breaks the contract is taken out, and all
// are marked as history.
func (l *Link) History() plugv1.HistoryClient {
	return plugv1.NewHistoryClient(&optional{l, lookupTimeout})
}

// optional is a connection that gives every call of an optional service its
// deadline, its sizes, and its error.
type optional struct {
	link    *Link
	timeout time.Duration
}

// Invoke implements grpc.ClientConnInterface.
func (o *optional) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	doing := method[strings.LastIndexByte(method, '/')+1:]
	if n := proto.Size(args.(proto.Message)); n > plugv1.MaxEventBytes {
		return &CallError{Code: codes.InvalidArgument, Text: fmt.Sprintf("plug %s: %s: the request has %d bytes, allowed are %d", o.link.name, doing, n, plugv1.MaxEventBytes)}
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if err := o.link.conn.Invoke(ctx, method, args, reply, append(sizes(), opts...)...); err != nil {
		return o.explain(doing, err)
	}
	err := contract.CheckLookup(args, reply, time.Now(), o.link.refuse)
	switch same := (*contract.SameChannelError)(nil); {
	case errors.As(err, &same):
		return &CallError{Code: codes.InvalidArgument, Text: fmt.Sprintf("plug %s: %s: %v", o.link.name, doing, same), err: err}
	case err != nil:
		return &CallError{Code: codes.Internal, Text: o.link.breach(doing, err).Error(), err: err}
	}
	return nil
}

// NewStream implements grpc.ClientConnInterface; no optional service has one.
func (o *optional) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "optional services have no streams")
}

func (o *optional) explain(doing string, err error) error {
	e := &CallError{Code: status.Code(err), err: err}
	said := ""
	if s, ok := status.FromError(err); ok {
		said = contract.CleanLine(s.Message())
	}
	text := ""
	switch e.Code {
	case codes.Unimplemented:
		text = "its network has no such thing, or this version of the plug cannot do it"
		said = "" // what gRPC makes up: "unknown service"
	case codes.NotFound:
		text = "the network knows nothing of that name or id"
	case codes.PermissionDenied:
		text = "the network does not let this account do it"
	case codes.Unavailable:
		text = "it is not connected to its network; see its status, and try again"
	case codes.DeadlineExceeded:
		text, said = fmt.Sprintf("it did not answer within %v; try again", o.timeout), ""
	case codes.InvalidArgument, codes.FailedPrecondition:
		text = "it cannot be done like this"
	case codes.Canceled:
		text, said = "the call was given up", ""
	default:
		e.Code, text = codes.Internal, "the call failed; see the plug's log"
	}
	if said != "" {
		text += " (" + said + ")"
	}
	e.Text = fmt.Sprintf("plug %s: %s: %s", o.link.name, doing, text)
	return e
}

// Down is the error of a call that cannot be made since the plug does not run.
func Down(plug id.InstanceName, why string) *CallError {
	return &CallError{Code: codes.Unavailable, Text: fmt.Sprintf("plug %s: %s", plug, why)}
}
