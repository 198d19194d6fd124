package logs

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func texts(lines []Line) (all []string) {
	for _, l := range lines {
		all = append(all, fmt.Sprint(l.Level, " ", l.Text))
	}
	return all
}

// What is logged is in both, however the logger was derived; below Info only what
// the log itself has.
func TestTee(t *testing.T) {
	var out bytes.Buffer
	r := NewRing()
	log := Tee(hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Warn}), r).With("plug", "irc")
	log.Named("put").With("channel", "#a b").Info("sent", "parts", 2)
	log.Debug("not this")
	log.Log(hclog.Error, "panic", "stack", "a\nb", "empty", "")
	lines, _ := r.Last(0)
	if got := strings.Join(texts(lines), "|"); got != "info sent channel=\"#a b\" parts=2|error panic stack=a\nb empty=\"\"" {
		t.Errorf("kept %s", got)
	}
	if got := out.String(); strings.Contains(got, "sent") || !strings.Contains(got, "panic") {
		t.Errorf("logged %s", got)
	}
	if log.SetLevel(hclog.Debug); true {
		log.Debug("now this")
	}
	if lines, _ = r.Last(1); texts(lines)[0] != "debug now this" {
		t.Errorf("kept %v", texts(lines))
	}
}

// D5: a ring is bounded by lines and by bytes, and a reader who is too far behind
// learns how much it missed.
func TestBounds(t *testing.T) {
	r := NewRing()
	for i := range maxLines + 10 {
		r.add(Line{Text: fmt.Sprint(i)})
	}
	lines, place := r.Last(0)
	if len(lines) != maxLines || lines[0].Text != "10" || place != maxLines+10 {
		t.Errorf("%d lines from %s, place %d", len(lines), lines[0].Text, place)
	}
	if lines, next, missed, err := r.Read(t.Context(), 3); err != nil || missed != 7 || next != place || len(lines) != maxLines {
		t.Errorf("read %d lines, missed %d, next %d, %v", len(lines), missed, next, err)
	}
	for range maxBytes/maxLine + 10 {
		r.add(Line{Text: strings.Repeat("é", maxLine)})
	}
	lines, _ = r.Last(0)
	size := 0
	for _, l := range lines {
		if size += len(l.Text); len(l.Text) > maxLine || !strings.HasSuffix(l.Text, "é…") {
			t.Fatalf("a line of %d bytes", len(l.Text))
		}
	}
	if size > maxBytes || size < maxBytes-maxLine {
		t.Errorf("%d bytes are kept", size)
	}
}

// A reader waits for the next line, and for the end of its context.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRing()
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan string)
		go func() {
			defer close(got)
			for place := uint64(0); ; {
				lines, next, _, err := r.Read(ctx, place)
				if err != nil {
					return
				}
				place = next
				for _, l := range lines {
					got <- l.Text
				}
			}
		}()
		synctest.Wait()
		r.add(Line{Text: "one"})
		r.add(Line{Text: "two"})
		if a, b := <-got, <-got; a != "one" || b != "two" {
			t.Errorf("read %s, %s", a, b)
		}
		cancel()
		if _, more := <-got; more {
			t.Error("reads on")
		}
	})
}
