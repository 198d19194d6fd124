package storage_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
)

// recordBytes is the size of the records that are measured.
const recordBytes = 300

func benchStore(b *testing.B) storage.Store {
	b.Helper()
	s := openJetStream(b, storage.Options{Dir: b.TempDir()})
	b.Cleanup(func() { check(b, s.Close()) })
	return s
}

func perSecond(b *testing.B, records int) {
	b.Helper()
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}

// fill appends n records over some channels of one network.
func fill(b *testing.B, s storage.Store, n, channels int) {
	b.Helper()
	for i := 0; i < n; {
		entries := make([]storage.Entry, min(1000, n-i))
		for k := range entries {
			entries[k] = storage.Entry{Subject: channel(i % channels), Data: make([]byte, recordBytes)}
			i++
		}
		_, err := s.Append(b.Context(), entries...)
		check(b, err)
	}
}

func channel(i int) string { return fmt.Sprintf("ev.aXJjOmxpYmVyYS5jaGF0OmFsaWNl.I2NoYW5uZWw%04d", i) }

func BenchmarkAppendSingle(b *testing.B) {
	s := benchStore(b)
	e := storage.Entry{Subject: channel(0), Data: make([]byte, recordBytes)}
	b.ReportAllocs()
	for b.Loop() {
		_, err := s.Append(b.Context(), e)
		check(b, err)
	}
}

func BenchmarkAppendParallel64(b *testing.B) {
	for _, entries := range []int{1, 3} {
		b.Run(fmt.Sprintf("%d", entries), func(b *testing.B) {
			s := benchStore(b)
			b.ReportAllocs()
			b.ResetTimer()
			var calls atomic.Int64
			var group sync.WaitGroup
			for c := range 64 {
				group.Go(func() {
					batch := make([]storage.Entry, entries)
					for k := range batch {
						batch[k] = storage.Entry{Subject: channel(c), Data: make([]byte, recordBytes)}
					}
					for calls.Add(1) <= int64(b.N) {
						if _, err := s.Append(b.Context(), batch...); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			perSecond(b, b.N*entries)
		})
	}
}

// BenchmarkBareJetStream is what the engine does without us: the client
// library's PublishAsync with a window, from one goroutine, over the same kind of
// connection, with the same bytes and the same sync.
func BenchmarkBareJetStream(b *testing.B) {
	s, err := server.NewServer(&server.Options{
		DontListen: true, JetStream: true, NoSigs: true, NoLog: true, StoreDir: b.TempDir(), SyncInterval: time.Second,
	})
	check(b, err)
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	conn, err := nats.Connect("", nats.InProcessServer(s))
	check(b, err)
	defer conn.Close()
	for _, window := range []int{64, 192, 4096} {
		b.Run(fmt.Sprintf("%d", window), func(b *testing.B) {
			js, err := jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(window))
			check(b, err)
			_, err = js.CreateOrUpdateStream(b.Context(), jetstream.StreamConfig{Name: "BARE", Subjects: []string{"ev.>"}})
			check(b, err)
			data := make([]byte, recordBytes)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				_, err := js.PublishAsync(channel(i%64), data, jetstream.WithStallWait(time.Minute))
				check(b, err)
			}
			<-js.PublishAsyncComplete()
			perSecond(b, b.N)
		})
	}
}

func BenchmarkFollow(b *testing.B) {
	for name, filters := range map[string][]string{"one filter": {"ev.>"}, "two filters": {"ev.>", "out.>"}} {
		b.Run(name, func(b *testing.B) {
			s := benchStore(b)
			fill(b, s, b.N, 100)
			b.ReportAllocs()
			b.ResetTimer()
			n := 0
			err := s.Follow(b.Context(), 0, func(storage.Record) error {
				if n++; n == b.N {
					return errEnough
				}
				return nil
			}, filters...)
			if !errors.Is(err, errEnough) {
				b.Fatal(err)
			}
			perSecond(b, b.N)
		})
	}
}

// BenchmarkAppendToFollow is the time from a record's append to its being read.
func BenchmarkAppendToFollow(b *testing.B) {
	s := benchStore(b)
	ctx, stop := context.WithCancel(b.Context())
	read, ended := make(chan id.Sequence), make(chan error)
	go func() {
		ended <- s.Follow(ctx, 0, func(r storage.Record) error { read <- r.Sequence; return nil }, "ev.>")
	}()
	e := storage.Entry{Subject: channel(0), Data: make([]byte, recordBytes)}
	for b.Loop() {
		go func() {
			if _, err := s.Append(ctx, e); err != nil {
				b.Error(err)
			}
		}()
		<-read
	}
	stop()
	<-ended
}

// BenchmarkFollowShort opens a Follow for the last record of the log.
func BenchmarkFollowShort(b *testing.B) {
	s := benchStore(b)
	fill(b, s, 100_000, 100)
	for b.Loop() {
		var read []storage.Record
		check(b, follow(b.Context(), s, 100_000, 1, &read, "ev.>"))
	}
}

func BenchmarkNext(b *testing.B) {
	for _, channels := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("%d channels", channels), func(b *testing.B) {
			s := benchStore(b)
			fill(b, s, 100_000, channels)
			from, i := id.Sequence(0), 0
			for b.Loop() {
				r, err := s.Next(b.Context(), channel(i%channels), from)
				if errors.Is(err, storage.ErrNotFound) {
					from, i = 0, i+1
					continue
				}
				check(b, err)
				from = r.Sequence + 1
			}
		})
	}
}

func BenchmarkLast(b *testing.B) {
	s := benchStore(b)
	fill(b, s, 100_000, 10_000)
	for name, filter := range map[string]string{"one": channel(7), "10000": "ev.>"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := s.Last(b.Context(), filter)
				check(b, err)
			}
		})
	}
}

func BenchmarkEnd(b *testing.B) {
	s := benchStore(b)
	fill(b, s, 100_000, 100)
	for b.Loop() {
		_, err := s.End(b.Context())
		check(b, err)
	}
}

func BenchmarkBefore(b *testing.B) {
	s := benchStore(b)
	fill(b, s, 100_000, 100)
	at := time.Now()
	fill(b, s, 100_000, 100)
	for b.Loop() {
		_, err := s.Before(b.Context(), at)
		check(b, err)
	}
}

// BenchmarkPurge removes one record of a channel.
func BenchmarkPurge(b *testing.B) {
	s := benchStore(b)
	fill(b, s, 100_000, 100)
	for i := id.Sequence(0); b.Loop(); i++ {
		check(b, s.Purge(b.Context(), channel(int(i%100)), i-i%100+101))
	}
}

func mapSubject(i int) string {
	return fmt.Sprintf("copy.aXJjOmxpYmVyYS5jaGF0OmFsaWNl.I3BsdWdob3N0.%028d", i)
}

func BenchmarkMapSet(b *testing.B) {
	s := benchStore(b)
	data := make([]byte, recordBytes)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		check(b, s.Set(b.Context(), storage.Entry{Subject: mapSubject(i), Data: data}))
	}
}

func BenchmarkMapGet(b *testing.B) {
	const entries = 100_000
	s := benchStore(b)
	for i := 0; i < entries; i += 1000 {
		batch := make([]storage.Entry, 1000)
		for k := range batch {
			batch[k] = storage.Entry{Subject: mapSubject(i+k) + ".operation", Data: make([]byte, recordBytes)}
		}
		check(b, s.Set(b.Context(), batch...))
	}
	for name, end := range map[string]string{"exact": ".operation", "wildcard": ".*"} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				records, err := s.Get(b.Context(), mapSubject(i%entries)+end)
				check(b, err)
				if len(records) != 1 {
					b.Fatalf("%d records", len(records))
				}
			}
		})
	}
}
