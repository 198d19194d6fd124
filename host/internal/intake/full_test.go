package intake

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// fullUntil is a journal that is full until a time.
type fullUntil struct {
	*journal.Journal
	time time.Time
}

func (j fullUntil) Room() error {
	if time.Now().Before(j.time) {
		return storage.ErrFull
	}
	return nil
}

// AppendEvents takes what there is room for.
func (j fullUntil) AppendEvents(ctx context.Context, runs []journal.Run) ([]id.Sequence, error) {
	if err := j.Room(); err != nil {
		return make([]id.Sequence, len(runs)), err
	}
	return j.Journal.AppendEvents(ctx, runs)
}

// D5: once there is room again, a plug that waited for hours goes on within seconds.
func TestGoesOnWhenThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := fullUntil{open(t), time.Now().Add(3 * time.Hour)}
		w := &watcher{}
		in := New(besideOptions(j, w))
		if _, err := in.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := in.Run(t.Context(), &stream{said("1")}, nil); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if late := time.Since(j.time); late > 2*time.Second || len(w.events) != 1 {
			t.Errorf("%d events were stored, %v after there was room", len(w.events), late)
		}
	})
}

// taken notes when the file of an event was taken.
type taken struct{ at time.Time }

func (f *taken) Names(*plugv1.Event) []string { return []string{"file"} }
func (f *taken) Forget([]string)              {}
func (f *taken) Receive(context.Context, *plugv1.Event) error {
	f.at = time.Now()
	return nil
}

// D5: on a full disk a file stays with its plug until there is room, as its event
// does: taken then, it would be lost, and the event say so in words.
func TestFilesWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := fullUntil{open(t), time.Now().Add(time.Minute)}
		w, f := &watcher{}, &taken{}
		in := New(Options{Network: "n", Journal: j, Watcher: w, Appended: func(id.NetworkID, id.Sequence) {}, Logger: hclog.NewNullLogger()})
		if _, err := in.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := &stream{answers: []*plugv1.StreamMessagesResponse{{Sequence: 1, Events: []*plugv1.Event{{EventId: "e", Channel: "c", Own: plugv1.Own_OWN_NO}}}}}
		if err := in.Run(t.Context(), s, f); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if f.at.Before(j.time) || len(w.events) != 1 {
			t.Errorf("the file was taken %v before there was room, and %d events were stored", j.time.Sub(f.at), len(w.events))
		}
	})
}
