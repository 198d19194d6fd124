package host

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/link"
	"github.com/plughost/plughost/host/internal/subscribe"
)

var errStopped = &hook.Error{Code: codes.Unavailable, Text: "the host does not run; try again when it does"}

func invalid(format string, args ...any) error {
	return &hook.Error{Code: codes.InvalidArgument, Text: fmt.Sprintf(format, args...)}
}

func notFound(operation id.OperationID) error {
	return &hook.Error{Code: codes.NotFound, Text: fmt.Sprintf("no operation %q is known: it was never accepted here, or was finished so long ago that it is no longer kept", operation)}
}

// explain makes an *hook.Error of what the stages say. A context's error stays what
// it is.
func explain(err error) error {
	call := (*link.CallError)(nil)
	public := (*hook.Error)(nil)
	switch {
	case err == nil, errors.As(err, &public):
		return err
	case errors.As(err, &call):
		return &hook.Error{Code: call.Code, Text: call.Text}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, storage.ErrClosed), errors.Is(err, subscribe.ErrClosed):
		return errStopped
	case errors.Is(err, storage.ErrReopening):
		return &hook.Error{Code: codes.Unavailable, Text: err.Error()}
	}
	return &hook.Error{Code: codes.Internal, Text: err.Error()}
}
