package disk_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/plughost/plughost/host/internal/disk"
	"github.com/plughost/plughost/host/internal/disk/disktest"
)

// D5: the ballast is there while the disk has room, given up when it is full, and
// there again when there is room; in between it doesn't come and go.
func TestBallast(t *testing.T) {
	const size = 8 << 20
	d := disktest.New(t, 32<<20)
	b := disk.Open(d.Dir, size)
	check := func(what string, full bool) disk.State {
		t.Helper()
		s, err := b.Check()
		if err != nil {
			t.Fatal(err)
		}
		if s.Full != full {
			t.Errorf("%s: full is %v with %d bytes free", what, s.Full, s.Free)
		}
		info, err := os.Stat(filepath.Join(d.Dir, "ballast"))
		if held := err == nil && info.Size() == size; held == full {
			t.Errorf("%s: the ballast is there: %v", what, held)
		}
		return s
	}
	check("at first", false)
	if free := d.Free(); free > 24<<20 {
		t.Errorf("the ballast takes no room: %d bytes are free", free)
	}
	d.Fill(3 << 20)
	check("a little left", false)
	d.Fill(1 << 20)
	s := check("nearly nothing left", true)
	if free := d.Free(); free < size {
		t.Errorf("%d bytes are free once the ballast was given up", free)
	}
	check("given up", true)
	d.Fill(0)
	check("nothing left", true)
	d.Clear()
	d.Fill(s.Need - 4096)
	check("less free than needed", true)
	d.Clear()
	check("cleared", false)
	check("still cleared", false)
}

// A host that starts on a full disk gives up the ballast that the last one left,
// and one that finds none knows that the disk is full.
func TestBallastOfAnEarlierLife(t *testing.T) {
	d := disktest.New(t, 32<<20)
	if _, err := disk.Open(d.Dir, 8<<20).Check(); err != nil {
		t.Fatal(err)
	}
	d.Fill(0)
	for range 2 {
		s, err := disk.Open(d.Dir, 8<<20).Check()
		if err != nil || !s.Full {
			t.Errorf("full is %v, %v", s.Full, err)
		}
	}
	if free := d.Free(); free < 8<<20 {
		t.Errorf("%d bytes are free once the ballast was given up", free)
	}
	d.Clear()
	if s, err := disk.Open(d.Dir, 4<<20).Check(); err != nil || s.Full { // of another size
		t.Errorf("full is %v, %v", s.Full, err)
	}
}
