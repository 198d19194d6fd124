package contract

import (
	"cmp"
	"errors"
	"fmt"
	"unicode/utf8"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Refuse is told of each part of an answer that was taken out, and why.
type Refuse func(part string, breach error)

// RequiredID accepts an id or source that has to be there.
func RequiredID(name, s string) error {
	if s == "" {
		return errors.New(name + " is empty")
	}
	return optionalID(name, s)
}

// optionalID accepts an id or source that may be absent.
func optionalID(name, s string) error {
	if err := atMost(name, len(s), plugv1.MaxIDBytes); err != nil {
		return err
	}
	if !utf8.ValidString(s) {
		return errors.New(name + " is not valid UTF-8")
	}
	return nil
}

func checkAliases(aliases []string) error {
	for _, a := range aliases {
		if err := RequiredID("an alias", a); err != nil {
			return err
		}
	}
	return nil
}

// reference drops a reference that is too long: what it belongs to stays, only
// the plug will find it less well.
func reference(b []byte, refuse Refuse) []byte {
	if err := atMost("it", len(b), plugv1.MaxReferenceBytes); err != nil {
		refuse("reference", err)
		return nil
	}
	return b
}

// atMost accepts sizes up to a limit, in bytes.
func atMost(name string, size, limit int) error {
	if size > limit {
		return fmt.Errorf("%s has %d bytes, allowed are %d", name, size, limit)
	}
	return nil
}

// first gives the first error that is one. Not errors.Join: reasons go into log
// lines, and joined errors have several lines.
func first(errs ...error) error { return cmp.Or(errs...) }
