package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"

	"github.com/plughost/plughost/host/internal/journal/subject"
)

// The two streams. The log has no age: a stream with one drops the last record
// of a quiet subject, which is its cursor. The map may forget.
const (
	logStream = "LOG"
	mapStream = "MAP"
)

// duplicates is the least time for which a stream can look for records with the
// same id. We give none ids, but at each start the server reads all the records
// of that time to find them.
const duplicates = 100 * time.Millisecond

// answerTimeout is how long the server has for one answer. It runs in this
// process, so a longer silence is a fault and not a slow network.
const answerTimeout = 5 * time.Second

// Options of an embedded JetStream. Only Dir is required.
type Options struct {
	// Dir is the store's own directory. It is made if it doesn't exist, with
	// mode 0700, and locked: two hosts never share one (D6).
	Dir string
	// Sync is how often what was written is synced to disk: every second if 0,
	// before each acknowledgement if negative. It matters to a power loss only:
	// what was acknowledged survives a crash of the process at any instant.
	Sync time.Duration
	// MapAge is how long an entry of the map is kept: 90 days if 0.
	MapAge time.Duration
	// MapMax is the most entries of the map: 1,000,000 if 0. The oldest give way.
	MapMax int64
	// MaxBytes is the most bytes of the log, each record counted with its
	// subject and 30 bytes: no bound if 0. At it no more events are taken; an
	// eighth more is kept for the operations that are made of those that are there,
	// and how far they have come is always noted.
	MaxBytes int64
	// Ballast is how many bytes are kept back on the disk, to be given up when it is
	// full: none if 0, and then the disk is not looked at.
	Ballast int64
	// Logger takes the server's log; nothing is logged without one.
	Logger hclog.Logger

	asIs bool // the streams are opened with the bounds that they have
}

func (o *Options) setDefaults() {
	if o.Sync == 0 {
		o.Sync = time.Second
	}
	if o.MapAge == 0 {
		o.MapAge = 90 * 24 * time.Hour
	}
	if o.MapMax == 0 {
		o.MapMax = 1_000_000
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
}

// jetStream is one life of a NATS server in this process, reached without a port.
type jetStream struct {
	logger hclog.Logger
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	log    jetstream.Stream
	copies jetstream.Stream

	inFlight *semaphore.Weighted // of inFlightBytes

	// connected ends when the connection may have lost a message. What was lost
	// at the end of a feed would never be missed otherwise.
	connectedMu sync.Mutex
	connected   context.Context
	lost        context.CancelFunc

	// Every call but Follow holds mu for reading, so Close, which takes it for
	// writing, waits for them. Each is bounded by answerTimeout or its context.
	mu     sync.RWMutex
	closed bool
}

// startJetStream starts an embedded server over a directory that nobody else uses,
// and opens its streams. ctx bounds the opening only; Close stops the server.
func startJetStream(ctx context.Context, o Options) (*jetStream, error) {
	s := &jetStream{logger: o.Logger, inFlight: semaphore.NewWeighted(inFlightBytes)}
	s.connected, s.lost = context.WithCancel(context.Background())
	if err := s.open(ctx, o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *jetStream) open(ctx context.Context, o Options) (err error) {
	if s.server, err = startServer(o); err != nil {
		return err
	}
	if s.conn, err = connect(s.server, s.connectionLost); err != nil {
		return err
	}
	if s.js, err = jetstream.New(s.conn,
		jetstream.WithPublishAsyncTimeout(answerTimeout),
		// Never reached: inFlight is full before.
		jetstream.WithPublishAsyncMaxPending(2*inFlightBytes/recordOverhead)); err != nil {
		return fmt.Errorf("connect to embedded server: %w", err)
	}
	open := s.openStream
	if o.asIs {
		open = func(ctx context.Context, c jetstream.StreamConfig) (jetstream.Stream, error) {
			return s.js.Stream(ctx, c.Name)
		}
	}
	if s.log, err = open(ctx, jetstream.StreamConfig{
		Name: logStream, Subjects: subject.Log, AllowDirect: true, Duplicates: duplicates,
	}); err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	s.copies, err = open(ctx, jetstream.StreamConfig{
		Name: mapStream, Subjects: subject.Map, AllowDirect: true, Duplicates: duplicates,
		MaxMsgsPerSubject: 1, MaxMsgs: o.MapMax, MaxAge: o.MapAge,
	})
	if err != nil {
		return fmt.Errorf("open the map: %w", err)
	}
	return nil
}

// openStream opens a stream, and makes or changes it only where it is not as it is to
// be: that writes, and a full disk may have no byte for it.
func (s *jetStream) openStream(ctx context.Context, c jetstream.StreamConfig) (jetstream.Stream, error) {
	stream, err := s.js.CreateStream(ctx, c)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return s.js.UpdateStream(ctx, c)
	}
	return stream, err
}

// Close waits for the calls in progress, cuts the connection that Follows read
// from, and returns when the server has stopped. Calls after it fail.
func (s *jetStream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	if s.conn != nil {
		s.conn.Close()
	}
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
	}
}

// enter begins a call, unless the store is closed; leave ends it.
func (s *jetStream) enter() bool {
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return false
	}
	return true
}

func (s *jetStream) leave() { s.mu.RUnlock() }

// connection returns a context that ends when the connection may have lost a
// message; connectionLost ends it.
func (s *jetStream) connection() context.Context {
	s.connectedMu.Lock()
	defer s.connectedMu.Unlock()
	return s.connected
}

func (s *jetStream) connectionLost(err error) {
	s.logger.Warn("connection to the embedded server broke", "error", err)
	s.connectedMu.Lock()
	defer s.connectedMu.Unlock()
	s.lost()
	s.connected, s.lost = context.WithCancel(context.Background())
}

func (s *jetStream) isClosed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.closed
}
