package journal_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plughost/plughost/host/internal/journal"
)

// D6: two hosts never share a directory.
func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "journal")
	s := openJetStream(t, journal.Options{Dir: dir})
	info, err := os.Stat(dir)
	check(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %o", info.Mode().Perm())
	}
	_, err = journal.OpenJetStream(t.Context(), journal.Options{Dir: dir})
	want := fmt.Sprintf("data directory %s is in use by another host (pid %d)", dir, os.Getpid())
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("a second host gets %v, want %q in it", err, want)
	}
	add(t, t.Context(), s, "ev.net.a", "the first goes on")
	check(t, s.Close())
	s = openJetStream(t, journal.Options{Dir: dir})
	check(t, s.Close())
}

func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, nil, 0o600))
	if _, err := journal.OpenJetStream(t.Context(), journal.Options{Dir: file}); err == nil {
		t.Error("a file was taken for a directory")
	}
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "jetstream"), nil, 0o600))
	for range 2 { // the second time it would find a lock left behind
		_, err := journal.OpenJetStream(t.Context(), journal.Options{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), "directory") || strings.Contains(err.Error(), "in use") {
			t.Errorf("open over a file named jetstream: %v", err)
		}
	}
}

func TestReopen(t *testing.T) {
	ctx, o := t.Context(), journal.Options{Dir: t.TempDir()}
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
	s := openJetStream(t, journal.Options{Dir: t.TempDir(), MapMax: 10, MapAge: time.Second})
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

// killedDir, in the environment, makes TestKill the process to be killed.
const killedDir = "PLUGHOST_JOURNAL_TEST_DIR"

// D1 and D3 rest on this: what was acknowledged is there after a kill at any
// instant, and another host can open the directory at once.
func TestKill(t *testing.T) {
	if dir := os.Getenv(killedDir); dir != "" {
		appendUntilKilled(t, dir)
		return
	}
	ctx, dir := t.Context(), t.TempDir()
	acknowledged := map[string]string{} // text by place
	for round := range 3 {
		for place, text := range runUntilKilled(t, dir, round, 3000) {
			if other, there := acknowledged[place]; there {
				t.Fatalf("%s is both %s and %s", place, other, text)
			}
			acknowledged[place] = text
		}
		s := openJetStream(t, journal.Options{Dir: dir})
		stored := map[string]string{}
		for _, r := range all(t, ctx, s, "ev.>") {
			stored[fmt.Sprint(r.Sequence)] = string(r.Data)
		}
		copies, err := s.Get(ctx, "copy.>")
		check(t, err)
		for _, r := range copies {
			stored[r.Subject] = string(r.Data)
		}
		for place, text := range acknowledged {
			if stored[place] != text {
				t.Errorf("round %d: %s was acknowledged at %s, where %q is now", round, text, place, stored[place])
			}
		}
		check(t, s.Close())
	}
}

// runUntilKilled runs a process that appends, kills it after some lines, and
// returns what it said was acknowledged.
func runUntilKilled(t *testing.T, dir string, round, lines int) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestKill$", "-test.timeout="+testTimeout.String())
	cmd.Env = append(os.Environ(), killedDir+"="+dir, fmt.Sprintf("ROUND=%d", round))
	cmd.Stderr = t.Output()
	stdout, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	acknowledged := map[string]string{}
	for scan := bufio.NewScanner(stdout); scan.Scan(); {
		place, text, ok := strings.Cut(scan.Text(), " ")
		if !ok || !strings.HasSuffix(text, ".") {
			continue // cut short by the kill
		}
		acknowledged[place] = text
		if len(acknowledged) == lines {
			_, err := journal.OpenJetStream(ctx, journal.Options{Dir: dir})
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("(pid %d)", cmd.Process.Pid)) {
				t.Errorf("a second host beside pid %d gets %v", cmd.Process.Pid, err)
			}
			check(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil || len(acknowledged) < lines {
		t.Fatalf("the process ended by itself after %d lines: %v", len(acknowledged), err)
	}
	return acknowledged
}

func appendUntilKilled(t *testing.T, dir string) {
	ctx := t.Context()
	s := openJetStream(t, journal.Options{Dir: dir})
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := 0; ; i++ {
				text := fmt.Sprintf("%s/%d/%d.", os.Getenv("ROUND"), g, i)
				sequences, err := s.Append(ctx, entry(fmt.Sprintf("ev.net.%d", g), text))
				if err != nil {
					t.Errorf("append: %v", err)
					return
				}
				fmt.Printf("%d %s\n", sequences[0], text)
				if i%10 == 0 {
					subject := fmt.Sprintf("copy.net.%s.%d.%d", os.Getenv("ROUND"), g, i)
					if err := s.Set(ctx, entry(subject, text)); err != nil {
						t.Errorf("set: %v", err)
						return
					}
					fmt.Printf("%s %s\n", subject, text)
				}
			}
		})
	}
	group.Wait()
}
