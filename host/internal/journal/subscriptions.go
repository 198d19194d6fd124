package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// Registration is a hook that the journal knows.
type Registration struct {
	Hook id.HookName
	// Touched is when it was registered, or touched last.
	Touched time.Time
}

// Registrations lists the hooks that the journal knows and whose name has a
// prefix, in no particular order.
func (j *Journal) Registrations(ctx context.Context, prefix string) ([]Registration, error) {
	records, err := j.store.Last(ctx, subject.Join(subject.Done, "*", subject.Token(""), subject.Token("")))
	if err != nil {
		return nil, fmt.Errorf("read registered hooks: %w", err)
	}
	var all []Registration
	for _, r := range records {
		name, err := subject.Untoken(strings.Split(r.Subject, ".")[1])
		if err != nil {
			return nil, fmt.Errorf("subject %q: %w", r.Subject, err)
		}
		record, err := decode(r, &journalv1.DoneRecord{})
		if err != nil {
			return nil, err
		}
		if !record.Removed && strings.HasPrefix(name, prefix) {
			all = append(all, Registration{id.HookName(name), r.Time})
		}
	}
	return all, nil
}

// Touch registers a hook from now, or notes that one that is registered is still
// wanted. It tells which.
func (j *Journal) Touch(ctx context.Context, hook id.HookName) (known bool, err error) {
	record := &journalv1.DoneRecord{}
	err = j.last(ctx, doneSubject(hook, id.Channel{}), record)
	switch {
	case err == nil && !record.Removed:
		known = true
	case err == nil || errors.Is(err, storage.ErrNotFound):
		end, err := j.End(ctx)
		if err != nil {
			return false, err
		}
		record.Removed, record.Sequence = false, uint64(end)
	default:
		return false, err
	}
	_, err = j.append(ctx, doneSubject(hook, id.Channel{}), record)
	return known, err
}

// Forget removes a hook: what it has not seen waits for it no longer, and if it
// comes back it starts then.
func (j *Journal) Forget(ctx context.Context, hook id.HookName) error {
	_, err := j.append(ctx, doneSubject(hook, id.Channel{}), &journalv1.DoneRecord{Removed: true})
	return err
}

// LanesFrom returns all events from a sequence on, as far as they are kept; from
// now if it is 0. Nobody's progress is stored.
func (j *Journal) LanesFrom(ctx context.Context, from id.Sequence) (*Lanes, error) {
	end, err := j.store.End(ctx)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	if from == 0 {
		from = end + 1
	}
	return j.lanes(ctx, subject.Events, end, func(id.Channel) id.Sequence { return from })
}
