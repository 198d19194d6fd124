package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/plughost/plughost/host/id"
)

// openServer opens a server whose inside a test looks at, and which nobody watches.
func openServer(t *testing.T, o Options) *jetStream {
	t.Helper()
	o.Dir = t.TempDir()
	o.Logger = hclog.New(&hclog.LoggerOptions{Output: t.Output()})
	o.setDefaults()
	s, err := startJetStream(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// D6: what a power loss may take is the operator's choice.
func TestSync(t *testing.T) {
	for _, test := range []struct {
		sync     time.Duration
		always   bool
		interval time.Duration
	}{{0, false, time.Second}, {3 * time.Second, false, 3 * time.Second}, {-1, true, 0}} {
		s := openServer(t, Options{Sync: test.sync})
		config := s.server.JetStreamConfig()
		if config.SyncAlways != test.always || !test.always && config.SyncInterval != test.interval {
			t.Errorf("with sync %v the server syncs always: %v, else every %v", test.sync, config.SyncAlways, config.SyncInterval)
		}
		if _, err := s.Append(t.Context(), Entry{Subject: "ev.net.a", Data: []byte("1")}); err != nil {
			t.Error(err)
		}
	}
}

// D5: nothing of the log expires but by Purge; the map is bounded, and keeps one
// record for each subject.
func TestStreams(t *testing.T) {
	s := openServer(t, Options{})
	for i := range 10 {
		if err := s.Set(t.Context(), Entry{Subject: "copy.net.a.1", Data: fmt.Append(nil, i)}); err != nil {
			t.Fatal(err)
		}
	}
	info, err := s.copies.Info(t.Context())
	if err != nil || info.State.Msgs != 1 {
		t.Errorf("the map holds %d records under one subject, %v", info.State.Msgs, err)
	}
	if c := info.Config; c.MaxAge != 90*24*time.Hour || c.MaxMsgs != 1_000_000 || c.Discard != jetstream.DiscardOld {
		t.Errorf("the map is kept for %v and %d records, %v", c.MaxAge, c.MaxMsgs, c.Discard)
	}
	c := openServer(t, Options{MaxBytes: 1 << 30}).log.CachedInfo().Config
	if c.MaxAge != 0 || c.MaxMsgs > 0 || c.MaxMsgsPerSubject > 0 || c.MaxBytes > 0 || c.Storage != jetstream.FileStorage {
		t.Errorf("the log forgets: %+v", c)
	}
}

// A reader goes on, without a gap and without a repeat, when its consumer is
// removed and whenever the connection breaks: even where only a number left out
// tells that something was lost.
func TestFollowSurvivesBreaks(t *testing.T) {
	const records, between = 5000, 250
	for _, told := range []bool{true, false} {
		t.Run(fmt.Sprintf("told %v", told), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			s := openServer(t, Options{})
			for i := range records {
				if _, err := s.Append(ctx, Entry{Subject: "ev.net.a", Data: fmt.Append(nil, i)}); err != nil {
					t.Fatal(err)
				}
			}
			lastBreak := records - 1
			if !told {
				s.conn.SetDisconnectErrHandler(nil)
				s.conn.SetErrorHandler(nil)
				// So much comes after it that the number is missed.
				lastBreak = records - 2*readAheadRecords
			}
			next := 0
			enough := errors.New("enough")
			err := s.Follow(ctx, 0, func(r Record) error {
				if string(r.Data) != fmt.Sprint(next) || r.Sequence != id.Sequence(next+1) {
					return fmt.Errorf("record %s (sequence %d) came, want %d", r.Data, r.Sequence, next)
				}
				switch next++; {
				case next == records:
					return enough
				case next == between:
					return s.removeConsumers(ctx)
				case next%between == 0 && next <= lastBreak:
					return s.conn.ForceReconnect()
				}
				return nil
			}, "ev.>")
			if !errors.Is(err, enough) {
				t.Fatalf("after %d records: %v", next, err)
			}
		})
	}
}

// removeConsumers removes all, as the server does with those that nobody asks.
func (s *jetStream) removeConsumers(ctx context.Context) error {
	for name := range s.log.ConsumerNames(ctx).Name() {
		if err := s.log.DeleteConsumer(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// However often one reads, nothing is left of it in the server.
func TestFollowLeavesNothing(t *testing.T) {
	ctx := t.Context()
	s := openServer(t, Options{})
	if _, err := s.Append(ctx, Entry{Subject: "ev.net.a"}); err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	for range 10 {
		if err := s.Follow(ctx, 0, func(Record) error { return enough }, "ev.>"); !errors.Is(err, enough) {
			t.Fatal(err)
		}
	}
	for name := range s.log.ConsumerNames(ctx).Name() {
		t.Errorf("consumer %s is left", name)
	}
}

// However slow a reader is, nothing is dropped on its way to it and has to be
// read again.
func TestFollowDropsNothing(t *testing.T) {
	const records = 3 * readAheadRecords
	s := openServer(t, Options{})
	var warnings strings.Builder
	s.logger = hclog.New(&hclog.LoggerOptions{Output: &warnings, Level: hclog.Warn})
	entries := make([]Entry, records)
	for i := range entries {
		entries[i].Subject = "ev.net.a"
	}
	if _, err := s.Append(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	err := s.Follow(t.Context(), 0, func(r Record) error {
		if r.Sequence == records {
			return enough
		}
		// Around the place where more is asked for, the most is on its way.
		if half := id.Sequence(readAheadRecords / 2); half-3 < r.Sequence && r.Sequence < half+6 {
			s.untilNothingComes(100 * time.Millisecond)
		}
		return nil
	}, "ev.>")
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	s.Close()
	if warnings.Len() > 0 {
		t.Errorf("these warnings:\n%s", &warnings)
	}
}

// untilNothingComes waits until for d nothing has come from the server, and
// returns how many bytes have.
func (s *jetStream) untilNothingComes(d time.Duration) uint64 {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for last := uint64(0); ; <-tick.C {
		now := s.conn.Stats().InBytes
		if now == last {
			return now
		}
		last = now
	}
}

// A Follow whose reader is slow reads ahead no more than it says.
func TestReadAheadIsBounded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := openServer(t, Options{})
	const size = 256 << 10
	for range 40 << 20 / size {
		if _, err := s.Append(ctx, Entry{Subject: "ev.net.a", Data: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
	}
	before := s.conn.Stats().InBytes
	enough := errors.New("enough")
	err := s.Follow(ctx, 0, func(Record) error {
		if n := s.untilNothingComes(time.Second) - before; n > 2*(readAheadBytes+size) {
			return fmt.Errorf("%d bytes were read ahead", n)
		}
		return enough
	}, "ev.>")
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
}

// silent subscribes to a subject and never answers.
func silent(t *testing.T, s *jetStream) *nats.Subscription {
	t.Helper()
	sub, err := s.conn.SubscribeSync("silent.>")
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// An append is an error in bounded time where the server does not answer.
func TestNoAnswer(t *testing.T) {
	t.Parallel() // it waits for answerTimeout
	s := openServer(t, Options{})
	silent(t, s)
	sequences, err := s.publish(t.Context(), []string{"silent.>"}, []Entry{{Subject: "silent.a"}, {Subject: "silent.b"}})
	if !errors.Is(err, jetstream.ErrAsyncPublishTimeout) || sequences[0] != 0 || sequences[1] != 0 {
		t.Fatalf("%v, %v", sequences, err)
	}
	// A server that has gone is an error too, of every call.
	s.server.Shutdown()
	s.server.WaitForShutdown()
	if sequences, err := s.Append(t.Context(), Entry{Subject: "ev.net.a"}); err == nil || sequences[0] != 0 {
		t.Errorf("Append: %v, %v", sequences, err)
	}
	if _, err := s.Next(t.Context(), "ev.>", 0); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("Next: %v", err)
	}
	if _, err := s.Last(t.Context(), "ev.>"); err == nil {
		t.Error("Last: no error")
	}
	if err := s.Follow(t.Context(), 0, func(Record) error { return nil }, "ev.>"); err == nil {
		t.Error("Follow: no error")
	}
}

// What was sent and not answered is bounded; the rest waits in its callers. When
// a caller gives up, its room is free again.
func TestInFlightIsBounded(t *testing.T) {
	s := openServer(t, Options{})
	sub := silent(t, s)
	publish := func(ctx context.Context, entries ...Entry) chan error {
		ended := make(chan error, 1)
		go func() {
			_, err := s.publish(ctx, []string{"silent.>"}, entries)
			ended <- err
		}()
		return ended
	}
	const calls, size = 4, inFlightBytes / 4 / 10
	first, stopFirst := context.WithCancel(t.Context())
	var running []chan error
	for range calls {
		entries := make([]Entry, 10)
		for i := range entries {
			entries[i] = Entry{Subject: "silent.a", Data: make([]byte, size-recordOverhead)}
		}
		running = append(running, publish(first, entries...))
		for range entries {
			if _, err := sub.NextMsg(time.Minute); err != nil {
				t.Fatal(err)
			}
		}
	}
	second, stopSecond := context.WithCancel(t.Context())
	waiting := publish(second, Entry{Subject: "silent.b"})
	if m, err := sub.NextMsg(200 * time.Millisecond); err == nil {
		t.Errorf("a record under %s was sent beyond the bound", m.Subject)
	}
	stopSecond()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("the call that waited: %v", err)
	}
	stopFirst()
	for _, ended := range running {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("a call in flight: %v", err)
		}
	}
	if !s.inFlight.TryAcquire(inFlightBytes) {
		t.Error("something is still in flight")
	}
}
