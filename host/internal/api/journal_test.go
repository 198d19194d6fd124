package api_test

import (
	"strings"
	"testing"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/internal/api"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
)

// What is stored, and how much may be.
func TestJournal(t *testing.T) {
	l := newLive(t, simnettest.Account{}, host.Options{JournalMaxBytes: 1 << 30, MaxCopies: 5000}, "a")
	l.send(&hostv1.SendRequest{Channel: "bot/bot-a", Text: "hello", Wait: true})
	client := api.NewClient(l.dir)
	defer client.Close()
	brief, err := client.Journal(l.ctx(), false)
	if err != nil {
		t.Fatal(err)
	}
	s := brief.Status
	if s.Reason != "" || s.Bytes == 0 || s.MaxBytes != 1<<30 || s.MaxEntries != 5000 || s.DiskFreeBytes == 0 || s.MaxFileBytes == 0 || brief.Contents != nil {
		t.Errorf("the journal is %v", brief)
	}
	full, err := client.Journal(l.ctx(), true)
	if err != nil {
		t.Fatal(err)
	}
	c := full.Contents
	counts := map[string]uint64{}
	for _, n := range c.Counts {
		counts[n.Kind] = n.Records
	}
	if c.Format != 1 || len(c.Epoch) != 16 || counts["operations"] != 1 || counts["copies"] != 1 || c.Waiting != 0 || c.Cursors == 0 {
		t.Errorf("the journal holds %v", c)
	}
	if oldest, newest := c.Oldest.AsTime(), c.Newest.AsTime(); !newest.After(oldest) {
		t.Errorf("its records are of %v to %v", oldest, newest)
	}
	l.stop()
	if _, err := client.Journal(l.ctx(), false); err == nil || !strings.Contains(err.Error(), "no host") {
		t.Errorf("of a host that has stopped: %v", err)
	}
}
