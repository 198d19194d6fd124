package storage_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plughost/plughost/host/internal/disk/disktest"
	"github.com/plughost/plughost/host/internal/journal/storage"
)

// killedDir, in the environment, makes TestKill the process to be killed; killedSync
// is its Options.Sync.
const (
	killedDir  = "PLUGHOST_JOURNAL_TEST_DIR"
	killedSync = "PLUGHOST_JOURNAL_TEST_SYNC"
)

// D1 and D3 rest on this: what was acknowledged is there after a kill at any
// instant, and another host can open the directory at once.
func TestKill(t *testing.T) {
	if dir := os.Getenv(killedDir); dir != "" {
		appendUntilKilled(t, dir)
		return
	}
	const lines = 3000
	dir := t.TempDir()
	acknowledged := map[string]string{} // text by place
	for round := range 3 {
		a := startAppender(t, dir, round, 0)
		for n := 1; ; n++ {
			place, text, ok := a.next()
			if !ok {
				break
			}
			if other, there := acknowledged[place]; there {
				t.Fatalf("%s is both %s and %s", place, other, text)
			}
			acknowledged[place] = text
			if n == lines {
				_, err := storage.OpenJetStream(t.Context(), storage.Options{Dir: dir})
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("(pid %d)", a.cmd.Process.Pid)) {
					t.Errorf("a second host beside pid %d gets %v", a.cmd.Process.Pid, err)
				}
				check(t, a.cmd.Process.Kill())
			}
		}
		if err := a.cmd.Wait(); err == nil || len(acknowledged) < lines {
			t.Fatalf("the process ended by itself after %d lines: %v", len(acknowledged), err)
		}
		s := openJetStream(t, storage.Options{Dir: dir})
		stored := standing(t, s)
		for place, text := range acknowledged {
			if stored[place] != text {
				t.Errorf("round %d: %s was acknowledged at %s, where %q is now", round, text, place, stored[place])
			}
		}
		check(t, s.Close())
	}
}

// D6: a power loss takes nothing that was acknowledged, where each write is synced;
// where they are synced each second, nothing that is older than that and the time a
// sync takes. Whatever is there is what was written, and the journal opens by itself.
func TestPowerLoss(t *testing.T) {
	for name, test := range map[string]struct {
		sync, window time.Duration
	}{"always": {-1, 0}, "each second": {time.Second, 2 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			drive := disktest.NewDrive(t, 512<<20)
			dir := drive.Dir + "/journal"
			acknowledged := map[string]string{} // what must be there
			for round := range 2 {
				a := startAppender(t, dir, round, test.sync)
				type line struct {
					place, text string
					read        time.Time
				}
				var lines []line
				for begun := time.Now(); time.Since(begun) < 3*time.Second; {
					place, text, ok := a.next()
					if !ok {
						t.Fatal("the process ended by itself")
					}
					lines = append(lines, line{place, text, time.Now()})
				}
				cut := time.Now()
				drive.Cut()
				check(t, a.cmd.Process.Kill())
				for ok := true; ok; {
					_, _, ok = a.next()
				}
				_ = a.cmd.Wait()
				drive.Restore()

				young := 0
				for _, l := range lines {
					if cut.Sub(l.read) >= test.window {
						acknowledged[l.place] = l.text
					} else {
						young++
					}
				}
				s := openJetStream(t, storage.Options{Dir: dir})
				stored := standing(t, s)
				lost := 0
				for place, text := range acknowledged {
					if stored[place] != text {
						lost++
						t.Logf("%s was acknowledged at %s, where %q is now", text, place, stored[place])
					}
				}
				if lost > 0 {
					t.Errorf("round %d: %d of %d records are lost", round, lost, len(acknowledged))
				}
				for _, l := range lines {
					if now, there := stored[l.place]; !there {
						young--
					} else if now != l.text {
						t.Errorf("round %d: %s was acknowledged at %s, where %q is now", round, l.text, l.place, now)
					}
				}
				t.Logf("round %d: %d records were acknowledged, %d of the window survived", round, len(lines), young)
				end, err := s.End(t.Context())
				check(t, err)
				if next := add(t, t.Context(), s, "ev.net.a", "on"); next != end+1 {
					t.Errorf("round %d: the next record is %d, the last was %d", round, next, end)
				}
				check(t, s.Close())
			}
		})
	}
}

// standing gives the texts in a journal by their places, as an appender prints them.
func standing(t *testing.T, s storage.Store) map[string]string {
	t.Helper()
	stored := map[string]string{}
	for _, r := range all(t, t.Context(), s, "ev.>") {
		stored[fmt.Sprint(r.Sequence)] = string(r.Data)
	}
	copies, err := s.Get(t.Context(), "copy.>")
	check(t, err)
	for _, r := range copies {
		stored[r.Subject] = string(r.Data)
	}
	return stored
}

// appender is a process that appends to a journal until it is killed, and prints what
// was acknowledged.
type appender struct {
	cmd  *exec.Cmd
	scan *bufio.Scanner
}

func startAppender(t *testing.T, dir string, round int, sync time.Duration) *appender {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestKill$", "-test.timeout="+testTimeout.String())
	cmd.Env = append(os.Environ(), killedDir+"="+dir, killedSync+"="+sync.String(), fmt.Sprintf("ROUND=%d", round))
	cmd.Stderr = t.Output()
	stdout, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	return &appender{cmd, bufio.NewScanner(stdout)}
}

// next gives the next text and the place that was acknowledged for it.
func (a *appender) next() (place, text string, ok bool) {
	for a.scan.Scan() {
		// A line may be cut short by the kill.
		if place, text, ok := strings.Cut(a.scan.Text(), " "); ok && strings.HasSuffix(text, ".") {
			return place, text, true
		}
	}
	return "", "", false
}

func appendUntilKilled(t *testing.T, dir string) {
	ctx := t.Context()
	every, err := time.ParseDuration(os.Getenv(killedSync))
	check(t, err)
	s := openJetStream(t, storage.Options{Dir: dir, Sync: every})
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
