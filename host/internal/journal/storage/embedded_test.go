package storage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/disk/disktest"
	"github.com/plughost/plughost/host/internal/journal/storage"
)

// D5: somebody takes all of the disk, the ballast's room too, so that writes fail in
// the middle. The engine never recovers from that by itself. Nothing that was
// acknowledged is lost, whoever follows is given each record once, in order, and all
// goes on by itself when there is room.
func TestDiskFullToTheLastByte(t *testing.T) {
	ctx, d := t.Context(), disktest.New(t, 64<<20)
	s := openJetStream(t, storage.Options{Dir: d.Dir + "/journal", Ballast: 8 << 20})
	defer s.Close()
	followed, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	var given []storage.Record
	var group sync.WaitGroup
	group.Go(func() {
		err := s.Follow(followed, 1, func(r storage.Record) error {
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

// D5: a process is killed while its disk is full to the last byte. Its directory can be
// opened without a byte of room, and all that was acknowledged is there; what must be
// written first is refused with a reason of its own, until there is room.
func TestOpenOnAFullDisk(t *testing.T) {
	d := disktest.New(t, 64<<20)
	acknowledged := map[string]string{} // text by place
	for round := range 3 {
		a := startAppender(t, d.Dir, round, 0)
		for n := 1; ; n++ {
			place, text, ok := a.next()
			if !ok {
				break
			}
			acknowledged[place] = text
			if n == 1000 {
				d.Fill(0)
				check(t, a.cmd.Process.Kill())
			}
		}
		if err := a.cmd.Wait(); err == nil {
			t.Fatal("the process ended by itself")
		}
		d.Fill(0)
		s := openJetStream(t, storage.Options{Dir: d.Dir})
		stored := standing(t, s)
		for place, text := range acknowledged {
			if stored[place] != text {
				t.Errorf("round %d: %s was acknowledged at %s, where %q is now", round, text, place, stored[place])
			}
		}
		check(t, s.Close())
		d.Fill(0)
		other := storage.Options{Dir: d.Dir, MapMax: int64(5 - round)}
		switch s, err := storage.OpenJetStream(t.Context(), other); {
		case err == nil: // what the server removed at its start was room enough
			check(t, s.Close())
		case !errors.Is(err, storage.ErrNoRoom):
			t.Errorf("round %d: with another bound and no room to write it: %v", round, err)
		}
		d.Clear()
		s = openJetStream(t, other)
		if counts, err := s.Counts(t.Context()); err != nil || counts["copy"] != uint64(other.MapMax) {
			t.Errorf("round %d: the map has %d entries, %v", round, counts["copy"], err)
		}
		add(t, t.Context(), s, "ev.net.on", "on")
		check(t, s.Close())
		for place := range acknowledged {
			if strings.HasPrefix(place, "copy.") {
				delete(acknowledged, place) // the bound took it
			}
		}
	}
}
