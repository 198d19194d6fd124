package storage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// ErrClosed says that the store was closed.
var ErrClosed = errors.New("the journal is closed")

// checkEntry tells whether a store whose records have these subjects can take e.
func checkEntry(e Entry, subjects []string) error {
	if len(e.Data) > MaxRecordBytes {
		return fmt.Errorf("record under %s has %d bytes, more than the %d that one record may have", e.Subject, len(e.Data), MaxRecordBytes)
	}
	if !Literal(e.Subject) {
		return fmt.Errorf("%q is no subject", e.Subject)
	}
	for _, s := range subjects {
		if server.SubjectMatchesFilter(e.Subject, s) {
			return nil
		}
	}
	return fmt.Errorf("no records are kept under %s", e.Subject)
}

// checkFilters tells whether records can be read under all of these filters at
// once.
func checkFilters(filters ...string) error {
	if len(filters) == 0 {
		return errors.New("there is no filter to read under")
	}
	for i, f := range filters {
		if !server.IsValidSubject(f) {
			return fmt.Errorf("%q is no filter", f)
		}
		for _, other := range filters[:i] {
			if server.SubjectsCollide(f, other) {
				return fmt.Errorf("filters %s and %s overlap", other, f)
			}
		}
	}
	return nil
}

// Literal tells whether s is a subject, not a filter.
func Literal(s string) bool {
	return server.IsValidSubject(s) && !strings.ContainsAny(s, "*>")
}
