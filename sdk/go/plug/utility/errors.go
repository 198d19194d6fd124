package utility

import (
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxWords bounds the words of an error, in bytes.
const maxWords = 1 << 10

type coded struct {
	code codes.Code
	err  error
}

func (e *coded) Error() string { return e.err.Error() }
func (e *coded) Unwrap() error { return e.err }

// NotFound says that there is no such user, channel or message. A nil err gets words
// in its place.
func NotFound(err error) error {
	if err == nil {
		err = errors.New("there is no such thing")
	}
	return &coded{codes.NotFound, err}
}

// Denied says that the network does not let us.
func Denied(err error) error {
	if err == nil {
		err = errors.New("the network does not let us")
	}
	return &coded{codes.PermissionDenied, err}
}

// Status is the gRPC status that the host gets for an author's error.
func Status(err error) error {
	if err == nil {
		return nil
	}
	words := strings.ToValidUTF8(err.Error(), "\uFFFD")
	if len(words) > maxWords {
		words = strings.ToValidUTF8(words[:maxWords], "")
	}
	if c, ok := errors.AsType[*coded](err); ok {
		return status.Error(c.code, words)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return status.Error(codes.Unimplemented, words)
	}
	return status.Error(codes.Unavailable, words)
}
