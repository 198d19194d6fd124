package storage_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host/internal/journal/storage"
)

// D6: two hosts never share a directory.
func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "journal")
	s := openJetStream(t, storage.Options{Dir: dir})
	info, err := os.Stat(dir)
	check(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %o", info.Mode().Perm())
	}
	_, err = storage.OpenJetStream(t.Context(), storage.Options{Dir: dir})
	want := fmt.Sprintf("data directory %s is in use by another host (pid %d)", dir, os.Getpid())
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("a second host gets %v, want %q in it", err, want)
	}
	add(t, t.Context(), s, "ev.net.a", "the first goes on")
	check(t, s.Close())
	s = openJetStream(t, storage.Options{Dir: dir})
	check(t, s.Close())
}

func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, nil, 0o600))
	if _, err := storage.OpenJetStream(t.Context(), storage.Options{Dir: file}); err == nil {
		t.Error("a file was taken for a directory")
	}
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "jetstream"), nil, 0o600))
	for range 2 { // the second time it would find a lock left behind
		_, err := storage.OpenJetStream(t.Context(), storage.Options{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), "directory") || strings.Contains(err.Error(), "in use") {
			t.Errorf("open over a file named jetstream: %v", err)
		}
	}
}

func TestReopen(t *testing.T) {
	ctx, o := t.Context(), storage.Options{Dir: t.TempDir()}
	var want []string
	for round := range 3 {
		s := openJetStream(t, o)
		equal(t, texts(all(t, ctx, s, "ev.>")), want)
		end, err := s.End(ctx)
		check(t, err)
		for i := range 100 {
			want = append(want, fmt.Sprintf("%d/%d", round, i))
			if sequence := add(t, ctx, s, "ev.net.a", want[len(want)-1]); sequence <= end {
				t.Fatalf("round %d: sequence %d, the last one was %d", round, sequence, end)
			}
		}
		check(t, s.Set(ctx, entry(fmt.Sprintf("copy.net.a.%d", round), "copy")))
		copies, err := s.Get(ctx, "copy.>")
		check(t, err)
		if len(copies) != round+1 {
			t.Fatalf("round %d: %d entries of the map", round, len(copies))
		}
		check(t, s.Close())
	}
}

// The map forgets the oldest entries beyond its bound, and those beyond its age
// (D5); the log does neither.
func TestMapIsBounded(t *testing.T) {
	ctx := t.Context()
	s := openJetStream(t, storage.Options{Dir: t.TempDir(), MapMax: 10, MapAge: time.Second})
	defer s.Close()
	add(t, ctx, s, "ev.net.a", "event")
	for i := range 25 {
		check(t, s.Set(ctx, entry(fmt.Sprintf("copy.net.a.%02d", i), fmt.Sprintf("%02d", i))))
	}
	copies, err := s.Get(ctx, "copy.>")
	check(t, err)
	if len(copies) > 10 {
		t.Fatalf("%d entries", len(copies))
	}
	if reason := s.Look(ctx).Reason; !strings.Contains(reason, "the message map holds its 10 entries and forgets the oldest") {
		t.Errorf("the reason is %q", reason)
	}
	for _, r := range copies {
		if string(r.Data) < "15" {
			t.Errorf("entry %s is there, younger ones are not", r.Data)
		}
	}
	eventually(t, "the map is empty", func() bool {
		copies, err := s.Get(ctx, "copy.>")
		check(t, err)
		return len(copies) == 0
	})
	equal(t, texts(all(t, ctx, s, ">")), []string{"event"})
	if reason := s.Look(ctx).Reason; reason != "" {
		t.Errorf("when the entries have expired the reason is %q", reason)
	}
}

// eventually polls a condition that another process or the server brings about.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(testTimeout); !condition(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not reached: %s", what)
		}
	}
}
