package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/intake"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// intakeChannels are the channels of one full batch.
const intakeChannels = 8

// intakeRate is how many events a second go from a stream into the journal, against
// the engine alone with the same records in the same window.
func intakeRate(ctx context.Context, s *suite) ([]figure, error) {
	rounds, batches := pick(s, 5, 1), pick(s, 2000, 500)
	var rates, ratios []float64
	written, err := s.intakeOnce(ctx, batches)
	if err != nil {
		return nil, err
	}
	before, err := s.bareOnce(written.entries)
	if err != nil {
		return nil, err
	}
	for range rounds {
		ours, err := s.intakeOnce(ctx, batches)
		if err != nil {
			return nil, err
		}
		after, err := s.bareOnce(ours.entries)
		if err != nil {
			return nil, err
		}
		rate := ours.perSecond
		fmt.Fprintf(s.say, "  intake %.0f events/s, bare JetStream %.0f\n", rate, after)
		rates, ratios = append(rates, rate), append(ratios, rate/((before+after)/2))
		before = after
	}
	value := median(rates)
	return []figure{{
		Name: "intake", Value: value, Unit: "events/s", Limit: value / median(ratios), expected: "ratio ≥ 0.7",
		note: fmt.Sprintf("batches of %d events over %d channels, text of %d bytes, a cursor each; limit: JetStream with the same records, %d in flight, sync 1s",
			plugv1.MaxBatchEvents, intakeChannels, textBytes, intakeChannels),
	}}, nil
}

// taken is a run of the real intake.
type taken struct {
	perSecond float64
	entries   []storage.Entry // what it wrote, in order
}

// recorder keeps what is appended. It copies nothing: entries are not changed
// after an append.
type recorder struct {
	storage.Store
	mu      sync.Mutex
	entries []storage.Entry
}

func (r *recorder) Append(ctx context.Context, entries ...storage.Entry) ([]id.Sequence, error) {
	r.mu.Lock()
	r.entries = append(r.entries, entries...)
	r.mu.Unlock()
	return r.Store.Append(ctx, entries...)
}

// fullStream gives full batches as fast as they are taken. The names that are new in each
// are made before the clock runs, and the batches themselves only once: who collects them
// is not measured.
type fullStream struct {
	names   []string
	batches [4]*plugv1.StreamMessagesResponse // in turn; two at most are with the intake
	given   int
}

func newFullStream(batches int) *fullStream {
	f := &fullStream{names: make([]string, batches*plugv1.MaxBatchEvents)}
	for i := range f.names {
		f.names[i] = fmt.Sprintf("m%d", i+1)
	}
	text, now := strings.Repeat("x", textBytes), timestamppb.Now()
	for b := range f.batches {
		batch := &plugv1.StreamMessagesResponse{Cursors: []*plugv1.Cursor{{}}}
		for i := range plugv1.MaxBatchEvents {
			batch.Events = append(batch.Events, &plugv1.Event{
				Channel: fmt.Sprintf("c%d", i%intakeChannels), Time: now, Own: plugv1.Own_OWN_NO,
				Author: &plugv1.User{Id: "stranger", Username: "stranger"},
				Kind:   &plugv1.Event_Message{Message: &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: text}}}}},
			})
		}
		f.batches[b] = batch
	}
	return f
}

func (f *fullStream) Recv() (*plugv1.StreamMessagesResponse, error) {
	if len(f.names) == 0 {
		return nil, io.EOF
	}
	next := f.batches[f.given%len(f.batches)]
	f.given++
	next.Sequence = uint64(f.given)
	for _, e := range next.Events {
		e.EventId, e.MessageId = f.names[0], f.names[0]
		f.names = f.names[1:]
	}
	// Cursors are kept until they are stored.
	next.Cursors[0] = &plugv1.Cursor{Value: fmt.Appendf(nil, "%020d", f.given)}
	return next, nil
}

func (f *fullStream) Ack(uint64, bool) {}

// nobody is told what comes in.
type nobody struct{}

func (nobody) Appended(id.Channel, id.Sequence, *plugv1.Event) {}
func (nobody) CaughtUp(id.NetworkID, id.ChannelSource)         {}
func (nobody) Outcome(id.NetworkID, *plugv1.PutOutcome)        {}

func (s *suite) intakeOnce(ctx context.Context, batches int) (taken, error) {
	dir, err := os.MkdirTemp(s.dir, "i")
	if err != nil {
		return taken{}, err
	}
	defer os.RemoveAll(dir)
	store, err := storage.OpenJetStream(ctx, storage.Options{Dir: dir})
	if err != nil {
		return taken{}, err
	}
	defer store.Close()
	// Room for all: growing is not the intake's work.
	r := &recorder{Store: store, entries: make([]storage.Entry, 0, batches*(intakeChannels+1)+1)}
	j, err := journal.Open(ctx, r)
	if err != nil {
		return taken{}, err
	}
	in := intake.New(intake.Options{Network: "simnet:left", Journal: j, Watcher: nobody{}, Appended: func(id.NetworkID, id.Sequence) {}, Logger: hclog.NewNullLogger()})
	if _, err := in.Open(ctx); err != nil {
		return taken{}, err
	}
	stream := newFullStream(batches)
	begun := time.Now()
	err = in.Run(ctx, stream, nil)
	took := time.Since(begun)
	// The batches, the journal's own first record, and at least one cursor.
	if least := batches*intakeChannels + 2; len(r.entries) < least {
		return taken{}, fmt.Errorf("void: %d records were written, not %d at least: %w", len(r.entries), least, err)
	}
	end, err := store.End(ctx)
	if err == nil && int(end) != len(r.entries) {
		err = fmt.Errorf("void: the journal has %d records of %d", end, len(r.entries))
	}
	return taken{float64(batches*plugv1.MaxBatchEvents) / took.Seconds(), r.entries}, err
}

// bareOnce publishes the same records without us, and gives the rate in events.
func (s *suite) bareOnce(entries []storage.Entry) (perSecond float64, err error) {
	dir, err := os.MkdirTemp(s.dir, "n")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	engine, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, NoSigs: true, NoLog: true, StoreDir: dir, SyncInterval: time.Second})
	if err != nil {
		return 0, err
	}
	engine.Start()
	defer func() { engine.Shutdown(); engine.WaitForShutdown() }()
	conn, err := nats.Connect("", nats.InProcessServer(engine))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	js, err := jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(intakeChannels))
	if err != nil {
		return 0, err
	}
	_, err = js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "BARE", Subjects: []string{"meta", "ev.>", "cursor.>"}})
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	for _, e := range entries {
		if _, err := js.PublishAsync(e.Subject, e.Data, jetstream.WithStallWait(time.Minute)); err != nil {
			return 0, err
		}
	}
	<-js.PublishAsyncComplete()
	return float64((len(entries)-1)/(intakeChannels+1)*plugv1.MaxBatchEvents) / time.Since(begun).Seconds(), nil
}
