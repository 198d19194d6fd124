package storage_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plughost/plughost/host/internal/journal/storage"
)

// A restart is a crash: whoever held the old store gets errors, and what was
// stored is there, also what nobody was told of.
func TestMemoryRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		old := storage.NewMemory()
		add(t, ctx, old, "ev.net.a", "acknowledged")
		old.Delay = func(storage.Entry) time.Duration { return time.Second }
		appended, followed := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := old.Append(ctx, entry("ev.net.a", "not acknowledged"))
			appended <- err
		}()
		go func() {
			followed <- old.Follow(ctx, 0, func(storage.Record) error { return nil }, "ev.>")
		}()
		synctest.Wait()
		restarted := old.Restart()
		for call, ended := range map[string]chan error{"Append": appended, "Follow": followed} {
			if err := <-ended; !errors.Is(err, storage.ErrClosed) {
				t.Errorf("%s in progress: %v", call, err)
			}
		}
		if _, err := old.Append(ctx, entry("ev.net.a", "lost")); !errors.Is(err, storage.ErrClosed) {
			t.Errorf("Append to the old one: %v", err)
		}
		equal(t, texts(all(t, ctx, restarted, ">")), []string{"acknowledged", "not acknowledged"})
		begun := time.Now()
		add(t, ctx, restarted, "ev.net.a", "after") // the hooks are kept
		if took := time.Since(begun); took != time.Second {
			t.Errorf("an append with a delay of 1 s took %v", took)
		}
	})
}

func TestMemoryHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		s := storage.NewMemory()
		errFull := errors.New("full")
		s.Refuse = func(e storage.Entry) error {
			if strings.HasPrefix(string(e.Data), "refuse") {
				return errFull
			}
			return nil
		}
		sequences, err := s.Append(ctx, entry("ev.net.a", "1"), entry("ev.net.b", "refuse"), entry("ev.net.c", "3"))
		if !errors.Is(err, errFull) || sequences[0] == 0 || sequences[1] != 0 || sequences[2] == 0 {
			t.Errorf("%v, %v", sequences, err)
		}
		// The answer of an append can be lost: by the server, or to a caller
		// that no longer waits.
		s.Delay = func(storage.Entry) time.Duration { return time.Hour }
		begun := time.Now()
		sequences, err = s.Append(ctx, entry("ev.net.a", "4"))
		if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || sequences[0] != 0 || took != 5*time.Second {
			t.Errorf("after %v: %v, %v", took, sequences, err)
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err = s.Append(short, entry("ev.net.a", "5")); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		equal(t, texts(all(t, ctx, s, ">")), []string{"1", "3", "4", "5"})
	})
}

// In a bubble a Follow that waits lets time pass.
func TestMemoryFollowInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storage.NewMemory()
		go func() {
			time.Sleep(time.Hour)
			add(t, t.Context(), s, "ev.net.a", "late")
		}()
		var read []storage.Record
		check(t, follow(t.Context(), s, 0, 1, &read, "ev.>"))
		if read[0].Time != time.Now() {
			t.Errorf("the record bears %v, it is %v", read[0].Time, time.Now())
		}
	})
}
