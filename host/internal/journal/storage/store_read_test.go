package storage_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
)

func testNext(t *testing.T, ctx context.Context, s storage.Store) {
	var sequences []id.Sequence
	for i := range 20 {
		sequences = append(sequences, add(t, ctx, s, "ev.net."+[]string{"a", "b"}[i%2], fmt.Sprint(i)))
	}
	add(t, ctx, s, "out.net.a", "out")
	check(t, s.Purge(ctx, "ev.net.a", sequences[10])) // leaves 10, 12, … of a
	for _, test := range []struct {
		filter string
		from   id.Sequence
		want   string
	}{
		{"ev.net.a", 0, "10"},
		{"ev.net.a", sequences[4], "10"},
		{"ev.net.a", sequences[10], "10"},
		{"ev.net.a", sequences[10] + 1, "12"},
		{"ev.net.b", sequences[4], "5"},
		{"ev.net.*", sequences[4], "5"},
		{"ev.>", sequences[18] + 1, "19"},
		{">", sequences[19] + 1, "out"},
		{"ev.net.*", sequences[19] + 1, ""},
		{"ev.net.a", sequences[19] + 1000, ""},
		{"ev.other.*", 0, ""},
		{"ev.net", 0, ""},
	} {
		r, err := s.Next(ctx, test.filter, test.from)
		if test.want == "" {
			if !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("Next %s from %d: %v, want ErrNotFound", test.filter, test.from, err)
			}
			continue
		}
		check(t, err)
		if string(r.Data) != test.want {
			t.Errorf("Next %s from %d is %s, want %s", test.filter, test.from, r.Data, test.want)
		}
		if r.Time.IsZero() || time.Since(r.Time) > testTimeout {
			t.Errorf("record %s bears the time %v", r.Data, r.Time)
		}
	}
}

func testLast(t *testing.T, ctx context.Context, s storage.Store) {
	for _, e := range [][2]string{{"cursor.net.a", "a1"}, {"cursor.net.b", "b1"}, {"cursor.net.a", "a2"}, {"cursor.other.a", "o1"}, {"meta", "m"}} {
		add(t, ctx, s, e[0], e[1])
	}
	for filter, want := range map[string][]string{
		"cursor.net.a": {"a2"}, "cursor.net.*": {"a2", "b1"}, "cursor.*.a": {"a2", "o1"},
		"cursor.>": {"a2", "b1", "o1"}, "meta": {"m"}, ">": {"a2", "b1", "m", "o1"},
		"cursor.net.c": nil, "gap.>": nil, "cursor.net": nil,
	} {
		records, err := s.Last(ctx, filter)
		check(t, err)
		equal(t, sorted(records), want)
	}
}

// More subjects than the server lists at once; some of them grow meanwhile.
func testLastOfMany(t *testing.T, ctx context.Context, s storage.Store) {
	const subjects = 3000
	want := map[string]id.Sequence{}
	for part := range slices.Chunk(slices.Collect(func(yield func(string) bool) {
		for i := 0; i < subjects && yield(fmt.Sprintf("done.hook.net.c%d", i)); i++ {
		}
	}), 500) {
		for range 2 {
			var entries []storage.Entry
			for _, subject := range part {
				entries = append(entries, entry(subject, subject))
			}
			sequences, err := s.Append(ctx, entries...)
			check(t, err)
			for i, subject := range part {
				want[subject] = sequences[i]
			}
		}
	}
	appending, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() {
		for i := 0; appending.Err() == nil; i++ {
			_, _ = s.Append(appending, entry(fmt.Sprintf("done.hook.net.c%d", i%100), "new"))
		}
	})
	for range 5 {
		records, err := s.Last(ctx, "done.hook.*.*")
		check(t, err)
		got := map[string]id.Sequence{}
		for _, r := range records {
			if r.Sequence < want[r.Subject] || got[r.Subject] != 0 {
				t.Fatalf("%s: got %d, then %d; want at least %d", r.Subject, got[r.Subject], r.Sequence, want[r.Subject])
			}
			got[r.Subject] = r.Sequence
		}
		if len(got) != len(want) {
			t.Fatalf("%d subjects, want %d", len(got), len(want))
		}
		maps.Copy(want, got)
	}
	stop()
	group.Wait()
}

// More bytes than the server sends at once.
func testLastOfBig(t *testing.T, ctx context.Context, s storage.Store) {
	const subjects = 15
	for range 2 {
		for i := range subjects {
			add(t, ctx, s, fmt.Sprintf("parked.net.a.%d", i), strings.Repeat("x", storage.MaxRecordBytes))
		}
	}
	records, err := s.Last(ctx, "parked.>")
	check(t, err)
	var got []id.Sequence
	for _, r := range records {
		got = append(got, r.Sequence)
	}
	slices.Sort(got)
	if len(got) != subjects || got[0] != subjects+1 || got[subjects-1] != 2*subjects {
		t.Fatalf("records %v, want %d to %d", got, subjects+1, 2*subjects)
	}
}

// Retention takes old records, but never the last of a subject: a room that was
// quiet for longer than the retention keeps its place (D5).
func testQuietChannel(t *testing.T, ctx context.Context, s storage.Store) {
	if old, err := s.Before(ctx, time.Now()); err != nil || old != 0 {
		t.Fatalf("Before of an empty log is %d, %v", old, err)
	}
	for i := range 5 {
		add(t, ctx, s, "ev.net.quiet", fmt.Sprint("quiet", i))
		add(t, ctx, s, "ev.net.busy", fmt.Sprint("old", i))
	}
	newestOld := add(t, ctx, s, "cursor.net._", "cursor")
	for i := range 5 {
		add(t, ctx, s, "ev.net.busy", fmt.Sprint("new", i))
	}
	oldestNew, err := s.Next(ctx, ">", newestOld+1)
	check(t, err)
	retention := oldestNew.Time
	old, err := s.Before(ctx, retention)
	check(t, err)
	if old != newestOld {
		t.Fatalf("Before is %d, want %d", old, newestOld)
	}
	for range 2 { // the second time over the gaps that the first left
		lasts, err := s.Last(ctx, ">")
		check(t, err)
		for _, r := range lasts {
			check(t, s.Purge(ctx, r.Subject, old+1))
		}
		equal(t, texts(all(t, ctx, s, ">")), []string{"quiet4", "cursor", "new0", "new1", "new2", "new3", "new4"})
		again, err := s.Before(ctx, retention)
		check(t, err)
		if again != newestOld {
			t.Fatalf("Before is %d after a purge, want %d", again, newestOld)
		}
	}
	if first, err := s.Before(ctx, retention.Add(-time.Hour)); err != nil || first != 0 {
		t.Errorf("Before a time older than all is %d, %v", first, err)
	}
	end, err := s.End(ctx)
	check(t, err)
	if last, err := s.Before(ctx, time.Now().Add(time.Hour)); err != nil || last != end {
		t.Errorf("Before a time younger than all is %d, %v; want %d", last, err, end)
	}
	if sequence := add(t, ctx, s, "ev.net.quiet", "again"); sequence <= end {
		t.Errorf("the next record has %d, not after %d", sequence, end)
	}
}

func testPurgeOfNothing(t *testing.T, ctx context.Context, s storage.Store) {
	add(t, ctx, s, "ev.net.other", "other")
	check(t, s.Purge(ctx, "ev.net.a", 100))
	first := add(t, ctx, s, "ev.net.a", "1")
	for _, before := range []id.Sequence{0, 1, first, first + 1, first + 1000} {
		check(t, s.Purge(ctx, "ev.net.a", before))
	}
	add(t, ctx, s, "ev.net.a", "2")
	check(t, s.Purge(ctx, "ev.net.a", 0))
	check(t, s.Purge(ctx, "ev.net.a", 1))
	equal(t, texts(all(t, ctx, s, ">")), []string{"other", "1", "2"})
}
