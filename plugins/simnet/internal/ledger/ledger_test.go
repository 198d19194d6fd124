package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
)

func TestLinesComeBackInOrder(t *testing.T) {
	var file bytes.Buffer
	w := ledger.NewWriter(&file)
	for _, text := range []string{"one", "two <b>\n", "three"} {
		w.Append(ledger.Entry{Kind: ledger.Accepted, Channel: "left", Text: text})
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if strings.Count(file.String(), "\n") != 3 || !strings.Contains(file.String(), "<b>") {
		t.Fatalf("the file is\n%s", file.String())
	}
	// What is being written may be read: the last line is not finished.
	entries, err := ledger.Read(strings.NewReader(file.String() + `{"n":4,"ki`))
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		if e.N != uint64(i)+1 || e.Time.IsZero() {
			t.Errorf("entry %d: %+v", i+1, e)
		}
	}
	if got := strings.Join(texts(entries), "|"); got != "one|two <b>\n|three" {
		t.Fatalf("got %q", got)
	}
}

func TestLedgersThatCannotBeTrusted(t *testing.T) {
	for name, text := range map[string]string{
		"a line is missing": "{\"n\":1}\n{\"n\":3}\n",
		"a line is twice":   "{\"n\":1}\n{\"n\":1}\n",
		"no JSON":           "{\"n\":1}\nhello\n",
	} {
		if _, err := ledger.Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A tail reads what has come since, also the rest of a line; what it gave before stays.
func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	tail := ledger.NewTail(path)
	if _, err := tail.Entries(); err == nil {
		t.Error("no file, no error")
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var first []ledger.Entry
	for i, step := range []struct {
		written string
		want    []string
	}{
		{`{"n":1,"text":"one"}` + "\n" + `{"n":2,"te`, []string{"one"}},
		{"", []string{"one"}},
		{`xt":"two"}` + "\n" + `{"n":3,"text":"three"}` + "\n", []string{"one", "two", "three"}},
	} {
		if _, err := file.WriteString(step.written); err != nil {
			t.Fatal(err)
		}
		entries, err := tail.Entries()
		if err != nil {
			t.Fatal(err)
		}
		if got := texts(entries); !slices.Equal(got, step.want) {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
		if first == nil {
			first = entries
		}
	}
	if got := texts(append(first, ledger.Entry{Text: "mine"})); !slices.Equal(got, []string{"one", "mine"}) {
		t.Errorf("what was given first is %q", got)
	}
	if entries, err := tail.Entries(); err != nil || entries[1].Text != "two" {
		t.Errorf("it changed for others: %+v, %v", entries, err)
	}
	if _, err := file.WriteString(`{"n":5}` + "\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := tail.Entries(); err == nil || !strings.Contains(err.Error(), "line 4") {
		t.Errorf("a line is missing: %v", err)
	}
}

func texts(entries []ledger.Entry) (all []string) {
	for _, e := range entries {
		all = append(all, e.Text)
	}
	return all
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestFlushSaysWhatFailedBefore(t *testing.T) {
	w := ledger.NewWriter(fullDisk{})
	w.Append(ledger.Entry{Text: strings.Repeat("x", 100_000)})
	for range 2 {
		if err := w.Flush(); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Fatalf("got %v", err)
		}
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ledger.NewWriter(&bytes.Buffer{})
		line := func(k ledger.Kind, channel, account string) {
			w.Append(ledger.Entry{Kind: k, Channel: channel, Account: account})
		}
		line(ledger.Accepted, "left", "alice")
		done := make(chan error, 1)
		go func() {
			done <- w.Wait(t.Context(), ledger.Match{Kind: ledger.Accepted, Channel: "left"}, 3)
		}()
		synctest.Wait()
		line(ledger.Accepted, "right", "alice")
		line(ledger.Emitted, "left", "")
		line(ledger.Accepted, "left", "bob")
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("the wait ended too early with %v", err)
		default:
		}
		line(ledger.Accepted, "left", "alice")
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		// Counted from the beginning, and by account.
		if err := w.Wait(t.Context(), ledger.Match{Kind: ledger.Accepted, Account: "alice"}, 3); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := w.Wait(ctx, ledger.Match{Kind: ledger.Accepted}, 6)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 are missing") {
			t.Fatalf("got %v", err)
		}
	})
}
