package storage

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Bounds of the server's own. By default it would take them from the disk and
// the memory that happen to be free when it starts.
const (
	serverStoreBytes  = 1 << 60  // none that counts: Options.MaxBytes is the log's
	serverMemoryBytes = 64 << 20 // of streams in memory: only Follows have such state
)

// startServer starts a server that listens nowhere. The caller shuts it down,
// also after an error if one is returned with it.
func startServer(o Options) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName:             "plughost",
		DontListen:             true,
		NoSigs:                 true,
		NoSystemAccount:        true, // saves its statistics, which nobody reads
		DisableJetStreamBanner: true,
		JetStream:              true,
		StoreDir:               o.Dir,
		JetStreamMaxStore:      serverStoreBytes,
		JetStreamMaxMemory:     serverMemoryBytes,
		SyncAlways:             o.Sync < 0,
		SyncInterval:           max(o.Sync, 0),
	})
	if err != nil {
		return nil, fmt.Errorf("make embedded server: %w", err)
	}
	log := &serverLog{logger: o.Logger}
	s.SetLoggerV2(log, false, false, false)
	s.Start()
	if fatal := log.fatal.Load(); fatal != nil {
		return s, fmt.Errorf("start embedded server: %s", *fatal)
	}
	if !s.ReadyForConnections(answerTimeout) {
		return s, errors.New("start embedded server: it is not ready")
	}
	return s, nil
}

// connect opens the one connection. It calls lost, with what is known of the
// reason, whenever messages may have been lost.
func connect(s *server.Server, lost func(error)) (*nats.Conn, error) {
	report := func(c *nats.Conn, err error) {
		if !c.IsClosed() {
			lost(err)
		}
	}
	conn, err := nats.Connect("",
		nats.InProcessServer(s),
		// What can't be sent now is refused: sent later, it would overtake.
		nats.ReconnectBufSize(-1),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(10*time.Millisecond),
		nats.ReconnectJitter(0, 0),
		nats.DisconnectErrHandler(report),
		nats.ErrorHandler(func(c *nats.Conn, _ *nats.Subscription, err error) { report(c, err) }))
	if err != nil {
		return nil, fmt.Errorf("connect to embedded server: %w", err)
	}
	return conn, nil
}

// serverLog gives the server's log to hclog. Its notices are about its start and
// stop, which the host reports itself.
type serverLog struct {
	logger hclog.Logger
	fatal  atomic.Pointer[string] // why it could not start
}

func (l *serverLog) Noticef(format string, v ...any) { l.log(hclog.Debug, format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.log(hclog.Warn, format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.log(hclog.Error, format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.log(hclog.Trace, format, v) }
func (l *serverLog) Tracef(format string, v ...any)  { l.log(hclog.Trace, format, v) }

func (l *serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.fatal.Store(&text)
	l.logger.Error("embedded server failed", "text", text)
}

func (l *serverLog) log(level hclog.Level, format string, v []any) {
	l.logger.Log(level, "embedded server", "text", fmt.Sprintf(format, v...))
}
