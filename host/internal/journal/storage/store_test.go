package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
)

// testTimeout bounds a whole test; no test waits for it to pass.
const testTimeout = 2 * time.Minute

// TestConformance holds both stores to what Store promises.
func TestConformance(t *testing.T) {
	stores := map[string]func(t *testing.T) storage.Store{
		"JetStream": func(t *testing.T) storage.Store { return openJetStream(t, storage.Options{Dir: t.TempDir()}) },
		"Memory":    func(*testing.T) storage.Store { return storage.NewMemory() },
	}
	tests := map[string]func(t *testing.T, ctx context.Context, s storage.Store){
		"calls one after another are stored in order": testOrder,
		"concurrent calls":                            testConcurrentAppends,
		"an entry refused in the middle":              testRefusedInTheMiddle,
		"a context that has ended":                    testEndedContext,
		"big, small and long":                         testSizes,
		"no de-duplication":                           testNoDeduplication,
		"next over gaps":                              testNext,
		"last of each subject":                        testLast,
		"last of thousands of subjects":               testLastOfMany,
		"last of big records":                         testLastOfBig,
		"before and purge keep a quiet channel":       testQuietChannel,
		"purge of nothing":                            testPurgeOfNothing,
		"follow from the middle, two filters":         testFollow,
		"follow of everything":                        testFollowAll,
		"follow from after the end":                   testFollowFromAfterTheEnd,
		"follow ends":                                 testFollowEnds,
		"follow while appending and purging":          testFollowWhilePurging,
		"filters and subjects that are none":          testBadSubjects,
		"the map":                                     testMap,
		"a closed store":                              testClosed,
	}
	for kind, open := range stores {
		t.Run(kind, func(t *testing.T) {
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					ignore := goleak.IgnoreCurrent()
					ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
					defer cancel()
					s := open(t)
					test(t, ctx, s)
					check(t, s.Close())
					goleak.VerifyNone(t, ignore)
				})
			}
		})
	}
}

func openJetStream(t testing.TB, o storage.Options) storage.Store {
	t.Helper()
	if o.Logger == nil {
		o.Logger = hclog.New(&hclog.LoggerOptions{Output: t.Output(), Level: hclog.Warn})
	}
	s, err := storage.OpenJetStream(t.Context(), o)
	check(t, err)
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// add appends one entry, its data being its text.
func add(t testing.TB, ctx context.Context, s storage.Store, subject, text string) id.Sequence {
	t.Helper()
	sequences, err := s.Append(ctx, entry(subject, text))
	check(t, err)
	return sequences[0]
}

func entry(subject, text string) storage.Entry {
	return storage.Entry{Subject: subject, Data: []byte(text)}
}

// all returns the records under a filter, as Next finds them.
func all(t testing.TB, ctx context.Context, s storage.Store, filter string) (found []storage.Record) {
	t.Helper()
	for from := id.Sequence(0); ; {
		r, err := s.Next(ctx, filter, from)
		if errors.Is(err, storage.ErrNotFound) {
			return found
		}
		check(t, err)
		if r.Sequence < from {
			t.Fatalf("Next from %d gave %d", from, r.Sequence)
		}
		found = append(found, r)
		from = r.Sequence + 1
	}
}

func texts(records []storage.Record) (texts []string) {
	for _, r := range records {
		texts = append(texts, string(r.Data))
	}
	return texts
}

func equal[S ~[]E, E comparable](t testing.TB, got, want S) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// sorted gives the texts of records that come in no particular order.
func sorted(records []storage.Record) []string { return slices.Sorted(slices.Values(texts(records))) }

// O6 rests on this.
func testOrder(t *testing.T, ctx context.Context, s storage.Store) {
	var want []string
	var last id.Sequence
	for i := range 200 {
		text := fmt.Sprint(i)
		sequence := add(t, ctx, s, fmt.Sprintf("ev.net.%d", i%3), text)
		if sequence <= last {
			t.Fatalf("append %d got sequence %d after %d", i, sequence, last)
		}
		last = sequence
		want = append(want, text)
	}
	equal(t, texts(all(t, ctx, s, ">")), want)
	end, err := s.End(ctx)
	check(t, err)
	if end != last {
		t.Fatalf("End is %d, want %d", end, last)
	}
}

// Every caller is told the sequences of its own entries, and each caller's calls
// stand in its order.
func testConcurrentAppends(t *testing.T, ctx context.Context, s storage.Store) {
	const callers, calls = 64, 50
	var stored sync.Map // text by sequence
	var group sync.WaitGroup
	for c := range callers {
		group.Go(func() {
			subject := fmt.Sprintf("ev.net.c%d", c)
			var last id.Sequence
			for i := range calls {
				entries := make([]storage.Entry, 1+i%3)
				for k := range entries {
					entries[k] = entry(subject, fmt.Sprintf("%d/%d/%d", c, i, k))
				}
				sequences, err := s.Append(ctx, entries...)
				if err != nil {
					t.Errorf("append: %v", err)
					return
				}
				for k, sequence := range sequences {
					if sequence <= last {
						t.Errorf("caller %d: sequence %d of call %d, after %d", c, sequence, i, last)
					}
					if other, there := stored.LoadOrStore(sequence, string(entries[k].Data)); there {
						t.Errorf("sequence %d is both %s and %s", sequence, other, entries[k].Data)
					}
				}
				last = slices.Max(sequences)
			}
		})
	}
	group.Wait()
	for _, r := range all(t, ctx, s, "ev.>") {
		if text, _ := stored.LoadAndDelete(r.Sequence); text != string(r.Data) {
			t.Fatalf("record %d holds %s, its caller was told it is %v", r.Sequence, r.Data, text)
		}
	}
	stored.Range(func(sequence, text any) bool {
		t.Errorf("%v (sequence %v) was acknowledged and is not there", text, sequence)
		return true
	})
}

// What is refused is named by its place in the call; the others stand.
func testRefusedInTheMiddle(t *testing.T, ctx context.Context, s storage.Store) {
	sequences, err := s.Append(ctx,
		entry("ev.net.a", "first"),
		entry("ev.net.b", strings.Repeat("x", storage.MaxRecordBytes+1)),
		entry("nosuch.net", "second"),
		entry("ev.net.c", "third"))
	if err == nil {
		t.Fatal("no error")
	}
	if sequences[0] == 0 || sequences[1] != 0 || sequences[2] != 0 || sequences[3] == 0 {
		t.Fatalf("sequences %v", sequences)
	}
	records := all(t, ctx, s, ">")
	equal(t, texts(records), []string{"first", "third"})
	equal(t, []id.Sequence{records[0].Sequence, records[1].Sequence}, []id.Sequence{sequences[0], sequences[3]})
}

func testEndedContext(t *testing.T, ctx context.Context, s storage.Store) {
	ended, end := context.WithCancel(ctx)
	end()
	if sequences, err := s.Append(ended, entry("ev.net.a", "1")); !errors.Is(err, context.Canceled) || sequences[0] != 0 {
		t.Errorf("Append: %v, %v", sequences, err)
	}
	if err := s.Set(ended, entry("copy.net.a", "1")); !errors.Is(err, context.Canceled) {
		t.Errorf("Set: %v", err)
	}
	if _, err := s.Next(ended, "ev.>", 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Next: %v", err)
	}
	if _, err := s.Last(ended, "ev.>"); !errors.Is(err, context.Canceled) {
		t.Errorf("Last: %v", err)
	}
	if _, err := s.End(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("End: %v", err)
	}
}

func testSizes(t *testing.T, ctx context.Context, s storage.Store) {
	big := make([]byte, storage.MaxRecordBytes)
	for i := range big {
		big[i] = byte(rand.Uint32())
	}
	// Three tokens of 512 bytes each, in base64: the longest that there are.
	name := strings.Repeat("n", 683)
	long := strings.Join([]string{"parked", name, name, name}, ".")
	entries := []storage.Entry{
		{Subject: "ev.net.big", Data: big}, {Subject: "ev.net.empty"}, {Subject: long, Data: []byte("long")},
	}
	_, err := s.Append(ctx, entries...)
	check(t, err)
	for _, e := range entries {
		for _, filter := range []string{e.Subject, e.Subject[:strings.LastIndexByte(e.Subject, '.')] + ".>"} {
			records, err := s.Last(ctx, filter)
			check(t, err)
			i := slices.IndexFunc(records, func(r storage.Record) bool { return r.Subject == e.Subject })
			if i < 0 || !bytes.Equal(records[i].Data, e.Data) {
				t.Errorf("Last of %.20s… does not give back %d bytes", filter, len(e.Data))
			}
		}
		if r, err := s.Next(ctx, e.Subject, 0); err != nil || !bytes.Equal(r.Data, e.Data) {
			t.Errorf("Next of %.20s… does not give back %d bytes: %v", e.Subject, len(e.Data), err)
		}
	}
	var read []storage.Record
	check(t, follow(ctx, s, 0, len(entries), &read, "ev.>", long))
	for _, r := range read {
		if i := slices.IndexFunc(entries, func(e storage.Entry) bool { return e.Subject == r.Subject }); !bytes.Equal(entries[i].Data, r.Data) {
			t.Errorf("Follow gives %d bytes for %.20s…, want %d", len(r.Data), r.Subject, len(entries[i].Data))
		}
	}
	check(t, s.Set(ctx, entry("copy.net."+name+"."+name, "copy")))
	copies, err := s.Get(ctx, "copy.net."+name+"."+name)
	check(t, err)
	equal(t, texts(copies), []string{"copy"})
}

// The engine compares no ids: the same event in two channels, and again in one,
// is as many records.
func testNoDeduplication(t *testing.T, ctx context.Context, s storage.Store) {
	_, err := s.Append(ctx, entry("ev.net.a", "event 7"), entry("ev.net.b", "event 7"), entry("ev.net.a", "event 7"))
	check(t, err)
	add(t, ctx, s, "ev.net.a", "event 7")
	if n := len(all(t, ctx, s, "ev.net.a")); n != 3 {
		t.Errorf("%d records in channel a, want 3", n)
	}
	if n := len(all(t, ctx, s, "ev.net.b")); n != 1 {
		t.Errorf("%d records in channel b, want 1", n)
	}
}

func testBadSubjects(t *testing.T, ctx context.Context, s storage.Store) {
	for _, subject := range []string{"", "ev", "ev.", "ev..a", "ev.a b", "ev.a\r\nPUB x", "ev.*", "ev.>", "copy.a", "$JS.API.STREAM.DELETE.LOG"} {
		if sequences, err := s.Append(ctx, entry(subject, "x")); err == nil || sequences[0] != 0 {
			t.Errorf("Append took %q", subject)
		}
	}
	if err := s.Set(ctx, entry("ev.a", "x")); err == nil {
		t.Error("Set took a subject of the log")
	}
	for _, filter := range []string{"", "ev..a", "ev.>.a", "ev.a b"} {
		if _, err := s.Next(ctx, filter, 0); err == nil || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Next under %q: %v", filter, err)
		}
		if _, err := s.Last(ctx, filter); err == nil {
			t.Errorf("Last took %q", filter)
		}
		if _, err := s.Get(ctx, filter); err == nil {
			t.Errorf("Get took %q", filter)
		}
		if err := s.Follow(ctx, 0, nil, filter); err == nil {
			t.Errorf("Follow took %q", filter)
		}
	}
	if err := s.Follow(ctx, 0, nil); err == nil {
		t.Error("Follow took no filter for one")
	}
	if err := s.Follow(ctx, 0, nil, "ev.>", "ev.a.*"); err == nil {
		t.Error("Follow took filters that overlap")
	}
	if err := s.Purge(ctx, "ev.*", 10); err == nil {
		t.Error("Purge took a filter")
	}
	if end, err := s.End(ctx); err != nil || end != 0 {
		t.Errorf("End is %d, %v", end, err)
	}
}

func testMap(t *testing.T, ctx context.Context, s storage.Store) {
	check(t, s.Set(ctx, entry("copy.net.c.1", "old"), entry("from.net.c.1.op1", "x"), entry("from.net.c.1.op2", "y"), entry("from.net.c.11.op3", "z")))
	check(t, s.Set(ctx, entry("copy.net.c.1", "new"), entry("copy.net.d.1", "same id, other channel")))
	check(t, s.Set(ctx))
	for filter, want := range map[string][]string{
		"copy.net.c.1": {"new"}, "copy.net.d.1": {"same id, other channel"}, "copy.net.c.2": nil,
		"from.net.c.1.*": {"x", "y"}, "from.net.c.2.*": nil, "from.>": {"x", "y", "z"},
	} {
		records, err := s.Get(ctx, filter)
		check(t, err)
		equal(t, sorted(records), want)
	}
	if end, err := s.End(ctx); err != nil || end != 0 {
		t.Errorf("End of the log is %d, %v: the map is apart from it", end, err)
	}
}

func testClosed(t *testing.T, ctx context.Context, s storage.Store) {
	add(t, ctx, s, "ev.net.a", "1")
	check(t, s.Close())
	check(t, s.Close())
	sequences, err := s.Append(ctx, entry("ev.net.a", "2"))
	if !errors.Is(err, storage.ErrClosed) || len(sequences) != 1 || sequences[0] != 0 {
		t.Errorf("Append: %v, %v", sequences, err)
	}
	_, nextErr := s.Next(ctx, "ev.>", 0)
	_, lastErr := s.Last(ctx, "ev.>")
	_, endErr := s.End(ctx)
	_, beforeErr := s.Before(ctx, time.Now())
	_, getErr := s.Get(ctx, "copy.>")
	for call, err := range map[string]error{
		"Next": nextErr, "Last": lastErr, "End": endErr, "Before": beforeErr, "Get": getErr,
		"Set": s.Set(ctx, entry("copy.net.a", "1")), "Purge": s.Purge(ctx, "ev.net.a", 1),
		"Follow": s.Follow(ctx, 0, nil, "ev.>"),
	} {
		if !errors.Is(err, storage.ErrClosed) {
			t.Errorf("%s: %v", call, err)
		}
	}
}
