package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
)

var errEnough = errors.New("enough")

// follow reads n records.
func follow(ctx context.Context, s storage.Store, from id.Sequence, n int, into *[]storage.Record, filters ...string) error {
	err := s.Follow(ctx, from, func(r storage.Record) error {
		*into = append(*into, r)
		if len(*into) >= n {
			return errEnough
		}
		return nil
	}, filters...)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func testFollow(t *testing.T, ctx context.Context, s storage.Store) {
	var middle id.Sequence
	var want []string
	for i := range 100 {
		subject := []string{"ev.net.a", "out.net.a", "cursor.net._"}[i%3]
		sequence := add(t, ctx, s, subject, fmt.Sprint(i))
		if i == 50 {
			middle = sequence
		}
		if i >= 50 && i%3 != 2 {
			want = append(want, fmt.Sprint(i))
		}
	}
	var group sync.WaitGroup
	defer group.Wait()
	var read []storage.Record
	group.Go(func() {
		for i := range 20 {
			_, err := s.Append(ctx, entry("ev.net.a", fmt.Sprint("live", i)))
			if err != nil {
				t.Errorf("append: %v", err)
			}
		}
	})
	for i := range 20 {
		want = append(want, fmt.Sprint("live", i))
	}
	check(t, follow(ctx, s, middle, len(want), &read, "ev.>", "out.net.*"))
	equal(t, texts(read), want)
	for _, r := range read {
		found, err := s.Next(ctx, r.Subject, r.Sequence)
		check(t, err)
		if found.Sequence != r.Sequence || !found.Time.Equal(r.Time) || !bytes.Equal(found.Data, r.Data) {
			t.Fatalf("Follow gives %+v, Next gives %+v", r, found)
		}
	}
}

func testFollowAll(t *testing.T, ctx context.Context, s storage.Store) {
	for i := range 5 {
		add(t, ctx, s, []string{"meta", "ev.net.a"}[i%2], fmt.Sprint(i))
	}
	var read []storage.Record
	check(t, follow(ctx, s, 0, 5, &read, ">"))
	equal(t, texts(read), []string{"0", "1", "2", "3", "4"})
}

func testFollowFromAfterTheEnd(t *testing.T, ctx context.Context, s storage.Store) {
	end := add(t, ctx, s, "ev.net.a", "0")
	var group sync.WaitGroup
	defer group.Wait()
	appending, stop := context.WithCancel(ctx)
	defer stop()
	group.Go(func() {
		for i := 1; appending.Err() == nil; i++ {
			_, _ = s.Append(appending, entry("ev.net.a", fmt.Sprint(i)))
		}
	})
	var read []storage.Record
	// So far off that the reader waits before the writer gets there.
	check(t, follow(ctx, s, end+3000, 3, &read, "ev.>"))
	equal(t, texts(read), []string{"3000", "3001", "3002"})
}

func testFollowEnds(t *testing.T, ctx context.Context, s storage.Store) {
	add(t, ctx, s, "ev.net.a", "1")
	stopped, stop := context.WithCancel(ctx)
	if err := s.Follow(stopped, 0, func(storage.Record) error { stop(); return nil }, "ev.>"); !errors.Is(err, context.Canceled) {
		t.Errorf("Follow returns %v when its context ends, want %v", err, context.Canceled)
	}
	if err := s.Follow(ctx, 0, func(storage.Record) error { return errEnough }, "ev.>"); !errors.Is(err, errEnough) {
		t.Errorf("Follow returns %v, want the error of yield", err)
	}
	// Close ends those that wait for records.
	waiting := make(chan struct{})
	ended := make(chan error)
	go func() {
		ended <- s.Follow(ctx, 0, func(storage.Record) error { close(waiting); return nil }, "ev.>")
	}()
	<-waiting
	check(t, s.Close())
	if err := <-ended; !errors.Is(err, storage.ErrClosed) {
		t.Errorf("Follow returns %v when the store is closed, want %v", err, storage.ErrClosed)
	}
}

// A reader sees every record of what is never purged, in order, once, and no
// other twice, whatever is purged beside it.
func testFollowWhilePurging(t *testing.T, ctx context.Context, s storage.Store) {
	const writers, each = 4, 500
	var group sync.WaitGroup
	var written atomic.Int64
	for w := range writers {
		group.Go(func() {
			for i := range each {
				_, err := s.Append(ctx,
					entry(fmt.Sprintf("ev.net.w%d", w), fmt.Sprint(i)), entry(fmt.Sprintf("ev.purged.w%d", w), fmt.Sprint(i)))
				if err != nil {
					t.Errorf("append: %v", err)
				}
				written.Add(1)
			}
		})
	}
	group.Go(func() {
		for written.Load() < writers*each && ctx.Err() == nil {
			lasts, err := s.Last(ctx, "ev.purged.*")
			if err != nil {
				t.Errorf("last: %v", err)
			}
			for _, r := range lasts {
				if err := s.Purge(ctx, r.Subject, r.Sequence); err != nil {
					t.Errorf("purge: %v", err)
				}
			}
		}
	})
	defer group.Wait()
	var last id.Sequence
	next := map[string]int{}
	kept := 0
	err := s.Follow(ctx, 0, func(r storage.Record) error {
		if r.Sequence <= last {
			return fmt.Errorf("sequence %d came after %d", r.Sequence, last)
		}
		last = r.Sequence
		if strings.HasPrefix(r.Subject, "ev.purged.") {
			return nil
		}
		if string(r.Data) != fmt.Sprint(next[r.Subject]) {
			return fmt.Errorf("%s: record %s came, want %d", r.Subject, r.Data, next[r.Subject])
		}
		next[r.Subject]++
		if kept++; kept == writers*each {
			return errEnough
		}
		return nil
	}, "ev.>")
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
}
