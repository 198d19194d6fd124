package history

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

// A known Once gives the message of then, also after a restart (D3: a Put that is
// tried again is not said twice).
func TestOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.sqlite")
	s := open(t, path)
	first := say(t, s, "lobby", "first", "operation:1")
	if again := say(t, s, "lobby", "second", "operation:1"); !reflect.DeepEqual(again, first) {
		t.Errorf("said again: %+v, want %+v", again, first)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if again := say(t, s, "lobby", "third", "operation:1"); !reflect.DeepEqual(again, first) {
		t.Errorf("said again after a restart: %+v, want %+v", again, first)
	}
	if a, b := say(t, s, "lobby", "same", ""), say(t, s, "lobby", "same", ""); a.Row == b.Row {
		t.Error("two messages without a Once became one")
	}
	if got := texts(everything(t, s)); got != "first same same" {
		t.Errorf("the file has %q", got)
	}
}

// Many speak at once, each thing twice: everything is said once, and who reads
// along meanwhile sees the rows in order and none left out (O6).
func TestManyAtOnce(t *testing.T) {
	s := openNew(t)
	const speakers, each = 20, 50
	var all sync.WaitGroup
	for who := range speakers {
		for range 2 {
			all.Go(func() {
				for i := range each {
					if _, err := s.Do(t.Context(), message("r", "t", fmt.Sprintf("%d-%d", who, i))); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	var seen []room.Change
	for at := int64(0); len(seen) < speakers*each; {
		changed := s.Changed()
		m, err := s.Since(t.Context(), at, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(m) == 0 {
			select {
			case <-changed:
			case <-time.After(time.Minute):
				t.Fatalf("only %d messages were seen", len(seen))
			}
			continue
		}
		at = m[len(m)-1].Row
		seen = append(seen, m...)
	}
	all.Wait()
	if m := everything(t, s); !reflect.DeepEqual(m, seen) {
		t.Errorf("%d messages are there, %d were seen; want %d, and the same", len(m), len(seen), speakers*each)
	}
}

// stuck keeps the writer from writing until release is called.
func stuck(t *testing.T, s *Store) (release func()) {
	t.Helper()
	conn, err := s.change.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return func() { conn.Close() }
}

// eventually waits for something that another goroutine does.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(time.Minute); !is(); <-tick.C {
		if time.Now().After(limit) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// Who stops waiting is told what is certain, and what was certainly not said never
// is: a Put that answers NOT_SENT leaves nothing behind that would still send.
func TestGivenUp(t *testing.T) {
	s := openNew(t)
	release := stuck(t, s)
	said := func(text string) (cancel func(), err chan error) {
		ctx, cancel := context.WithCancel(t.Context())
		err = make(chan error, 1)
		go func() {
			_, e := s.Do(ctx, message("r", text, ""))
			err <- e
		}()
		return cancel, err
	}
	cancelWriting, writing := said("being written")
	eventually(t, "the writer takes the first", func() bool { return s.change.Stats().WaitCount > 0 })
	cancelWaiting, waiting := said("waiting")
	eventually(t, "the second waits", func() bool { return len(s.writes) == 1 })

	cancelWaiting()
	if err := <-waiting; !errors.Is(err, ErrNotDone) || !errors.Is(err, context.Canceled) {
		t.Errorf("given up while it waited: %v", err)
	}
	cancelWriting()
	if err := <-writing; err == nil || errors.Is(err, ErrNotDone) {
		t.Errorf("given up while it was written: %v", err)
	}
	release()
	say(t, s, "r", "last", "")
	if got := texts(everything(t, s)); got != "being written last" {
		t.Errorf("the file has %q", got)
	}
}

// What waits to be written is bounded, and who doesn't fit in waits (D5).
func TestFullQueueWaits(t *testing.T) {
	s := openNew(t)
	release := stuck(t, s)
	var all sync.WaitGroup
	// One batch is with the writer; how many are in it is chance.
	const many = maxWaiting + maxBatch + 1
	for range many {
		all.Go(func() {
			if _, err := s.Do(t.Context(), message("r", "t", "")); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "the queue is full", func() bool { return len(s.writes) == maxWaiting })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Do(ctx, message("r", "one more", "")); !errors.Is(err, ErrNotDone) {
		t.Errorf("one more: %v", err)
	}
	release()
	all.Wait()
	if n := len(everything(t, s)); n != many {
		t.Errorf("%d messages are there, want %d", n, many)
	}
}

// A full disk is answered as certainly not said, and all goes on when there is room
// again.
func TestFullDisk(t *testing.T) {
	s := openNew(t)
	limit := func(pages int) {
		t.Helper()
		if _, err := s.change.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // SQLite takes what the file has by now
	text := string(make([]byte, 20<<10))
	if _, err := s.Do(t.Context(), message("r", text, "operation:1")); !errors.Is(err, ErrNotDone) {
		t.Fatalf("said on a full disk: %v", err)
	}
	limit(1 << 20)
	say(t, s, "r", text, "operation:1")
	if n := len(everything(t, s)); n != 1 {
		t.Errorf("%d messages are there, want 1", n)
	}
}

// After a commit that failed nobody can be told that it was not said, and the next
// one works. (A deferred constraint fails at the commit, and leaves the transaction
// open.)
func TestFailedCommit(t *testing.T) {
	s := openNew(t)
	if _, err := s.change.Exec(`PRAGMA foreign_keys = ON;
		CREATE TABLE broken (name TEXT REFERENCES facts (name) DEFERRABLE INITIALLY DEFERRED);
		CREATE TRIGGER breaks AFTER INSERT ON log WHEN NEW.text = 'one' BEGIN INSERT INTO broken VALUES ('none'); END`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Do(t.Context(), message("r", "one", "")); err == nil || errors.Is(err, ErrNotDone) {
		t.Errorf("a failed commit: %v", err)
	}
	say(t, s, "r", "two", "")
	if got := texts(everything(t, s)); got != "two" {
		t.Errorf("the file has %q", got)
	}
}

func TestClosed(t *testing.T) {
	s := openNew(t)
	release := stuck(t, s)
	waiting := make(chan error, 2)
	for range cap(waiting) {
		go func() {
			_, err := s.Do(t.Context(), message("r", "t", ""))
			waiting <- err
		}()
		eventually(t, "the writer takes the first", func() bool { return s.change.Stats().WaitCount > 0 })
	}
	eventually(t, "the second waits", func() bool { return len(s.writes) == 1 })
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	<-s.closing
	release()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	said := 0
	for range cap(waiting) {
		switch err := <-waiting; {
		case err == nil:
			said++
		case !errors.Is(err, ErrNotDone) || !errors.Is(err, ErrClosed):
			t.Errorf("a Say that waited: %v", err)
		}
	}
	if _, err := s.Do(t.Context(), room.Change{Kind: room.Said, Content: room.Content{Text: "x"}}); !errors.Is(err, ErrNotDone) || !errors.Is(err, ErrClosed) {
		t.Errorf("Say after Close: %v", err)
	}
	if said == 0 {
		t.Error("what was being written was not answered")
	}
}

// asWriter makes the test binary say messages until it is killed.
const asWriter = "WEBCHAT_TEST_WRITER"

// speakers is how many do so at once.
const speakers = 8

func sayUntilKilled(path string) {
	s, err := Open(context.Background(), path, nil)
	if err != nil {
		panic(err)
	}
	for who := range speakers {
		go func() {
			for i := 0; ; i++ {
				text := fmt.Sprintf("%d-%d", who, i)
				m, err := s.Do(context.Background(), message("r", text, "operation:"+text))
				if err != nil {
					panic(err)
				}
				fmt.Println(m.Row, text)
			}
		}()
	}
	select {}
}

// What Say has returned survives kill -9 in the middle of writing (D1, D3).
func TestKilledInTheMiddle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.sqlite")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asWriter+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := map[int64]string{} // what the writer was told is said
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var row int64
		var text string
		if n, _ := fmt.Sscan(lines.Text(), &row, &text); n != 2 {
			break // cut off by the kill
		}
		if said[row] = text; len(said) == 2000 {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	if len(said) < 2000 {
		t.Fatalf("the writer ended after %d messages", len(said))
	}
	s := open(t, path)
	there := map[int64]string{}
	next := make([]int, speakers) // each one's messages are there from 0, without gaps
	for _, m := range everything(t, s) {
		there[m.Row] = m.Text
		var who, i int
		if _, err := fmt.Sscanf(m.Text, "%d-%d", &who, &i); err != nil || i != next[who] {
			t.Fatalf("row %d is %q, want %d-%d", m.Row, m.Text, who, next[who])
		}
		next[who]++
	}
	for row, text := range said {
		if there[row] != text {
			t.Errorf("row %d was %q when it was said, and is %q", row, text, there[row])
		}
	}
	if extra := len(there) - len(said); extra > speakers {
		t.Errorf("%d messages more are there than were said", extra)
	}
}

func BenchmarkSay(b *testing.B) {
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "chat.sqlite"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.SetParallelism(32) // 64 at once on two cores, as many as the plug's Puts
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Do(b.Context(), message("r", "hello", RandomID())); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
