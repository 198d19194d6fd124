package journal_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/disk/disktest"
	"github.com/plughost/plughost/host/internal/journal"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// D5: on a full disk no events are taken, and what says how far something has come
// still is: the ballast has the room for it.
func TestDiskFull(t *testing.T) {
	d := disktest.New(t, 64<<20)
	s := openJetStream(t, journal.Options{Dir: d.Dir + "/journal", Ballast: 16 << 20})
	defer s.Close()
	j, err := journal.Open(t.Context(), s)
	check(t, err)
	event := func() error {
		_, err := j.AppendEvents(t.Context(), []journal.Run{{Channel: id.Channel{Network: "net", Source: "a"}, Record: &journalv1.EventsRecord{}}})
		return err
	}
	check(t, event())
	d.Fill(2 << 20)
	eventually(t, "the disk is full", func() bool { return s.State().Disk.Full })
	if reason := s.State().Reason; !strings.Contains(reason, "the disk is full") || !strings.Contains(reason, "free 24 MiB") {
		t.Errorf("the reason is %q", reason)
	}
	for what, err := range map[string]error{
		"an event": event(), "a gap": j.SaveGaps(t.Context(), "net", nil), "a cursor": j.SaveCursors(t.Context(), "net", []journal.Cursor{{Cursor: &plugv1.Cursor{}}}),
	} {
		if !errors.Is(err, journal.ErrFull) {
			t.Errorf("on a full disk %s: %v", what, err)
		}
	}
	for i := range 1000 {
		for _, subject := range []string{"out.net.a", "put.net.a", "done.hook.net.a", "parked.net.a.op"} {
			add(t, t.Context(), s, subject, strings.Repeat("x", 1000))
		}
		check(t, s.Set(t.Context(), entry(fmt.Sprintf("copy.net.a.%d", i), "copy")))
	}
	d.Clear()
	eventually(t, "there is room", func() bool { return s.State().Reason == "" })
	check(t, event())
	if n := len(all(t, t.Context(), s, "ev.>")); n != 2 {
		t.Errorf("%d events are stored, two were taken", n)
	}
}

// D5: somebody takes all of the disk, the ballast's room too, so that writes fail in
// the middle. The engine never recovers from that by itself. Nothing that was
// acknowledged is lost, whoever follows is given each record once, in order, and all
// goes on by itself when there is room.
func TestDiskFullToTheLastByte(t *testing.T) {
	ctx, d := t.Context(), disktest.New(t, 64<<20)
	s := openJetStream(t, journal.Options{Dir: d.Dir + "/journal", Ballast: 8 << 20})
	defer s.Close()
	followed, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	var given []journal.Record
	var group sync.WaitGroup
	group.Go(func() {
		err := s.Follow(followed, 1, func(r journal.Record) error {
			mu.Lock()
			defer mu.Unlock()
			given = append(given, r)
			return nil
		}, "put.>")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("follow: %v", err)
		}
	})
	acknowledged := map[id.Sequence]string{}
	write := func(round string) (failed error) {
		var writers sync.WaitGroup
		for w := range 8 {
			writers.Go(func() {
				for i := range 400 {
					text := fmt.Sprintf("%s/%d/%d ", round, w, i)
					sequences, err := s.Append(ctx, entry(fmt.Sprintf("put.net.%d", w), text+strings.Repeat("x", 4000)))
					mu.Lock()
					if err == nil {
						acknowledged[sequences[0]] = text
					} else {
						failed = err
					}
					mu.Unlock()
					if err != nil {
						return
					}
				}
			})
		}
		writers.Wait()
		return failed
	}
	for round := range 2 {
		d.Fill(1 << 20)
		eventually(t, "the ballast is given up", func() bool { return s.State().Disk.Full })
		d.Fill(6 << 20)
		if err := write(fmt.Sprint("full", round)); err == nil {
			t.Fatal("the disk did not become full: this test did not reach what it is about")
		}
		eventually(t, "it is known that the journal is not written", func() bool { return s.State().Broken })
		d.Clear()
		eventually(t, "all goes on", func() bool { return s.State().Reason == "" })
		if err := write(fmt.Sprint("room", round)); err != nil {
			t.Fatal(err)
		}
	}
	end := add(t, ctx, s, "put.net.end", "end")
	eventually(t, "all is given to who follows", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(given) > 0 && given[len(given)-1].Sequence == end
	})
	stop()
	group.Wait()
	stored := map[id.Sequence]string{end: "end"}
	for _, r := range all(t, ctx, s, "put.>") {
		stored[r.Sequence] = string(r.Data)
	}
	for sequence, text := range acknowledged {
		if !strings.HasPrefix(stored[sequence], text) {
			t.Errorf("%s was acknowledged as %d, where %.20q is now", text, sequence, stored[sequence])
		}
	}
	if len(given) != len(stored) {
		t.Errorf("%d records were given to who follows, %d are stored", len(given), len(stored))
	}
	for i, r := range given {
		if i > 0 && r.Sequence <= given[i-1].Sequence {
			t.Errorf("record %d was given after %d", r.Sequence, given[i-1].Sequence)
		}
		if stored[r.Sequence] != string(r.Data) {
			t.Errorf("%.20q was given as %d, where %.20q is stored", r.Data, r.Sequence, stored[r.Sequence])
		}
	}
}
