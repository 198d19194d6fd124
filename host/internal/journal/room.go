package journal

import (
	"context"
	"fmt"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// State says how the store does.
func (j *Journal) State() storage.State { return j.store.State() }

// Room returns ErrFull, with the reason in words, while nothing new is taken in.
func (j *Journal) Room() error {
	if s := j.store.State(); s.Full() {
		return fmt.Errorf("%w: %s", storage.ErrFull, s.Reason)
	}
	return nil
}

// roomFor is Room for what a network says. Where operations wait for it, what it says
// may be what finishes them, or stand before that: it is taken above the bound of bytes
// too, as operations are.
func (j *Journal) roomFor(ctx context.Context, n id.NetworkID) error {
	err := j.Room()
	if s := j.store.State(); err == nil || s.Disk.Full || s.Beyond() {
		return err
	}
	waits, unknown := j.waits(ctx, n)
	switch {
	case unknown != nil:
		return unknown
	case waits:
		return nil
	}
	return err
}

// roomForOperations returns ErrFull while no operations are taken. It is asked before
// the first of those that are accepted together: were some taken and the rest not, the
// first could be finished and gone when all are tried again.
func (j *Journal) roomForOperations() error {
	if s := j.store.State(); s.Beyond() {
		return fmt.Errorf("%w: %s", storage.ErrFull, s.Reason)
	}
	return nil
}

// waits tells whether operations wait for a network.
func (j *Journal) waits(ctx context.Context, n id.NetworkID) (bool, error) {
	outs, err := j.store.Last(ctx, subject.Join(subject.Out, subject.Token(n), "*"))
	if err != nil {
		return false, fmt.Errorf("read operations of %s: %w", n, err)
	}
	for _, r := range outs {
		operations, err := OperationsOf(r)
		if err != nil {
			return false, err
		}
		c, err := subject.ParseChannel(r.Subject)
		if err != nil {
			return false, err
		}
		put, err := j.putOf(ctx, c)
		if err != nil {
			return false, err
		}
		last := &journalv1.Position{Sequence: uint64(r.Sequence), Index: uint32(max(0, len(operations.Operations)-1))}
		if Later(last, put.GetSettled().GetPosition()) {
			return true, nil
		}
	}
	return false, nil
}
