package journal_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/disk/disktest"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// D5: on a full disk no events are taken, and what says how far something has come
// still is: the ballast has the room for it.
func TestDiskFull(t *testing.T) {
	d := disktest.New(t, 64<<20)
	s := openJetStream(t, storage.Options{Dir: d.Dir + "/journal", Ballast: 16 << 20})
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
		if !errors.Is(err, storage.ErrFull) {
			t.Errorf("on a full disk %s: %v", what, err)
		}
	}
	for i := range 1000 {
		for _, subject := range []string{"out.net.a", "put.net.a", "done.hook.net.a", "parked.net.a.op"} {
			_, err := s.Append(t.Context(), storage.Entry{Subject: subject, Data: []byte(strings.Repeat("x", 1000))})
			check(t, err)
		}
		check(t, s.Set(t.Context(), storage.Entry{Subject: fmt.Sprintf("copy.net.a.%d", i), Data: []byte("copy")}))
	}
	d.Clear()
	eventually(t, "there is room", func() bool { return s.State().Reason == "" })
	check(t, event())
	counts, err := s.Counts(t.Context())
	check(t, err)
	if counts["ev"] != 2 {
		t.Errorf("%d events are stored, two were taken", counts["ev"])
	}
}
